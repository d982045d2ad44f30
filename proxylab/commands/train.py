"""``proxylab train``."""

from dataclasses import asdict, dataclass, field, make_dataclass
from typing import TYPE_CHECKING, Any, Literal, get_type_hints

from tyro.conf import Positional

from proxylab.config import BCConfig, EvadeConfig, PPOConfig
from proxylab.console.options import (
    Agent,
    Device,
    File,
    Finite,
    Flag,
    Positive,
    Seed,
    Task,
    Text,
)
from proxylab.console.parameters import named_values

if TYPE_CHECKING:
    from proxylab.training.plan import Plan, TrainReport


def _optional(cls: type[Any]) -> type[Any]:
    """A dataclass with the fields and help texts of ``cls``, all optional with default None."""
    kinds = get_type_hints(cls)
    checked: dict[Any, Any] = {int: Positive, float: Finite, str: Text}
    options = [
        (name, named_values(checked[kind] | None, None), field(default=None))
        for name, kind in kinds.items()
    ]
    optional = make_dataclass(cls.__name__, options, frozen=True)
    optional.__doc__ = cls.__doc__
    return optional


PPO = _optional(PPOConfig)
BC = _optional(BCConfig)
Evade = _optional(EvadeConfig)


def _given(options: Any) -> dict[str, Any]:
    """{name: value} of the options that were given."""
    return {name: value for name, value in asdict(options).items() if value is not None}


@dataclass(frozen=True)
class Train:
    """Train an agent of a task's role; a finished run with the same settings is reused.

    Options that are not given have the task's preset values.
    """

    task: Positional[Task]
    """such as maze-corner; proxylab list tasks names all"""
    role: Text = "proxy"
    """proxy or trusted"""
    levels: Text | None = None
    """train, shifted, or a kind:<share shifted>: mix, plr (replay), accel (with edits), …-oracle"""
    reward: Text | None = None
    """true, proxy, a channel, mix:<share of the proxy> or model:<folder of a reward model>"""
    reward_combine: Text | None = None
    """of a reward model's members: mean (the default), min, uwo:<weight> or member:<number>"""
    kl: Finite | None = None
    """weight of a penalty for leaving the policy of --kl-to, per step"""
    kl_to: Agent | None = None
    """agent for --kl"""
    occupancy: Text | None = None
    """orpo:r or max-min:r, the reward at its worst within a correlation r with the intended one"""
    occupancy_to: Agent | None = None
    """agent for --occupancy, whose behaviour counts as good"""
    seed: Seed = 0
    """of training and levels"""
    seeds: Text | None = None
    """several runs: 0-9 or 0-4,7"""
    jobs: Positive | None = None
    """processes for several runs; one per processor by default"""
    total_timesteps: Positive | None = None
    """environment steps of a run"""
    num_envs: Positive | None = None
    """environments in parallel"""
    num_levels: Positive | None = None
    """size of a finite set of training levels; no limit by default"""
    algorithm: Literal["ppo", "a2c", "bc"] | None = None
    """ppo by default; bc clones an expert"""
    architecture: (
        Literal[
            "conv", "mlp", "egocentric-mlp", "impala", "value-iteration", "mlp-tanh", "mlp-relu"
        ]
        | None
    ) = None
    """network; its sizes are set in a configuration file"""
    start_from: Agent | None = None
    """agent with the initial weights; random weights by default"""
    threads: Positive | None = None
    """of torch; part of the result"""
    device: Device | None = None
    """device of the network; auto (the default) is the CPU, since the networks are small"""
    out: File | None = None
    """folder of the run (several runs: above their folders)"""
    resume: Flag = False
    """resume an unfinished run from its checkpoint"""
    force: Flag = False
    """train again even if the folder holds a run"""
    config: File | None = None
    """TOML file with options; the command line overrides it"""
    track: tuple[Literal["tensorboard", "wandb"], ...] = ()
    """log curves to TensorBoard, in the run's folder, or to Weights & Biases (WANDB_MODE=offline
    keeps them there too); extras of the same names"""
    snapshots: Positive | None = None
    """number of times at which the agent is saved, in snapshots/ of the run"""
    dry_run: Flag = False
    """show the configuration and the folder, train nothing"""
    ppo: PPO = field(default_factory=PPO)  # ty: ignore[invalid-type-form]  # made at run time
    """hyperparameters"""
    bc: BC = field(default_factory=BC)  # ty: ignore[invalid-type-form]  # made at run time
    """options of behaviour cloning"""
    evade: Evade = field(default_factory=Evade)  # ty: ignore[invalid-type-form]  # at run time
    """train against a detector, on num_levels levels"""
    json: Flag = False
    """print one JSON object"""

    def run(self) -> "TrainReport | Plan":
        """Train, or return the plan."""
        from proxylab.console.output import TrainingBar, track
        from proxylab.training.plan import parse_seeds, plan, train_all

        names = ("levels", "reward", "total_timesteps", "num_envs", "num_levels", "algorithm")
        names += ("architecture", "threads", "device", "start_from")
        names += ("reward_combine", "kl", "kl_to", "occupancy", "occupancy_to")
        training_plan = plan(
            self.task,
            self.role,
            parse_seeds(self.seed if self.seeds is None else self.seeds),
            self.out,
            self.config,
            _given(self.ppo),
            _given(self.bc),
            _given(self.evade),
            **{name: getattr(self, name) for name in names},
        )
        if self.dry_run:
            return training_plan
        progress = {"bar": TrainingBar, "track": track, "trackers": self.track}
        progress["snapshots"] = self.snapshots
        return train_all(training_plan, self.jobs, resume=self.resume, force=self.force, **progress)
