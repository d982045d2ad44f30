"""``proxylab train``."""

from dataclasses import asdict, dataclass, field, make_dataclass
from pathlib import Path
from typing import Literal, get_type_hints

from tyro.conf import Positional

from proxylab.commands.options import Device, Flag
from proxylab.config import PPOConfig


def _optional(cls):
    """A dataclass with the fields and the texts of ``cls``, every field None: not given."""
    kinds = get_type_hints(cls)
    options = [(name, kind | None, field(default=None)) for name, kind in kinds.items()]
    made = make_dataclass(cls.__name__, options, frozen=True)
    made.__doc__ = cls.__doc__
    return made


PPO = _optional(PPOConfig)


@dataclass(frozen=True)
class Train:
    """Train an agent of a task's role; a finished run of the same settings is found again.

    What is not given is the task's preset.
    """

    task: Positional[str]
    """such as maze-corner; proxylab list tasks names all"""
    role: str = "proxy"
    """proxy or trusted"""
    levels: str | None = None
    """train, shifted or mix:<share of shifted levels>"""
    reward: str | None = None
    """true, proxy, a channel or mix:<share of the proxy>"""
    seed: int = 0
    """of everything"""
    seeds: str | None = None
    """several runs at once: 0-9 or 0-4,7"""
    jobs: int | None = None
    """processes for several runs; one per processor by default"""
    total_timesteps: int | None = None
    """environment steps of a run"""
    num_envs: int | None = None
    """environments stepped at once"""
    num_levels: int | None = None
    """size of a finite set of training levels; no limit by default"""
    algorithm: Literal["ppo", "a2c"] | None = None
    """ppo by default"""
    architecture: (
        Literal["impala", "planner", "lattice-conv", "towers", "centred", "mlp-tanh", "mlp-relu"]
        | None
    ) = None
    """network; its sizes stand in a configuration file"""
    start_from: str | None = None
    """agent whose weights the run begins with; random ones by default"""
    threads: int | None = None
    """of torch; part of the result"""
    device: Device = "auto"
    """where the network learns; auto is the CPU, for the networks are small"""
    out: Path | None = None
    """folder of the run (several runs: above their folders)"""
    resume: Flag = False
    """go on from the checkpoint of an unfinished run"""
    force: Flag = False
    """start anew, whatever the folder holds"""
    config: Path | None = None
    """TOML file with options; those on the command line go before it"""
    tensorboard: Flag = False
    """write TensorBoard logs into the run's folder (extra tensorboard)"""
    dry_run: Flag = False
    """show the configuration and the folder, train nothing"""
    ppo: PPO = field(default_factory=PPO)
    """hyperparameters"""
    json: Flag = False
    """print one JSON object"""

    def run(self):
        """Train, or show what would be trained."""
        from proxylab.console import TrainingBar, track
        from proxylab.training.plan import parse_seeds, plan, train_all

        names = ("levels", "reward", "total_timesteps", "num_envs", "num_levels", "algorithm")
        names += ("architecture", "threads", "device", "start_from")
        found = plan(
            self.task,
            self.role,
            parse_seeds(self.seed if self.seeds is None else self.seeds),
            self.out,
            self.config,
            {name: value for name, value in asdict(self.ppo).items() if value is not None},
            **{name: getattr(self, name) for name in names},
        )
        if self.dry_run:
            return found
        shown = {"bar": TrainingBar, "track": track, "tensorboard": self.tensorboard}
        return train_all(found, self.jobs, resume=self.resume, force=self.force, **shown)
