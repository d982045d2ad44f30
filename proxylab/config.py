"""The configuration of a training run: frozen dataclasses, and their fingerprint.

The presets of a task are in ``proxylab.tasks``.
"""

import hashlib
import json
import math
from dataclasses import asdict, dataclass, field, fields
from typing import Any, get_origin

ALGORITHMS = ("ppo", "a2c", "bc")
FORMER_ARCHITECTURES = {
    "planner": "value-iteration",
    "lattice-conv": "conv",
    "towers": "mlp",
    "centred": "egocentric-mlp",
}
"""{name in files of earlier versions: name now}."""


def current_architecture(name: str) -> str:
    """The name of an architecture now; other names are returned as they are."""
    return next((new for old, new in FORMER_ARCHITECTURES.items() if old == name), name)


DEVICES = ("cpu", "cuda")


KINDS = {int: "a whole number", float: "a number", str: "a text", dict: "a table"}
"""Type of a field: its name in messages."""


LARGEST = 1 << 53
"""Largest whole number allowed; floats represent all up to it exactly."""


def _check_kinds(
    config: "PPOConfig | BCConfig | EvadeConfig | PoisonConfig | TrainConfig",
) -> None:
    """``ValueError`` for a field of a wrong type, or a number that is not finite or too large."""
    for spec in fields(config):
        value = getattr(config, spec.name)
        kind: Any = dict if get_origin(spec.type) is dict else spec.type
        wanted: Any = int | float if kind is float else kind
        fits = isinstance(value, wanted) and not isinstance(value, bool)
        if isinstance(value, int) and fits and abs(value) > LARGEST:
            raise ValueError(f"{spec.name} is over {LARGEST:,}")
        if not fits or (isinstance(value, float) and not math.isfinite(value)):
            raise ValueError(f"{spec.name} {_shown(value)} is not {KINDS.get(kind, str(kind))}")


def _shown(value: object) -> str:
    """A value in a message, cut short."""
    text = repr(value)
    return text if len(text) <= 80 else text[:79] + "…"


@dataclass(frozen=True)
class PPOConfig:
    """Hyperparameters, named as in Stable-Baselines3.

    Attributes:
        learning_rate: of Adam at the start; falls linearly to 0 over the run. (Behaviour
            cloning: the largest one, after a short rise.)
        n_steps: environment steps per environment and rollout.
        batch_size: samples per minibatch (PPO and BC).
        n_epochs: passes over a rollout (PPO and BC).
        gamma: discount per step.
        gae_lambda: of generalised advantage estimation (Schulman et al. 2016).
        clip_range: of the probability ratio (PPO only; Schulman et al. 2017, eq. 7).
        ent_coef: weight of the entropy bonus.
        vf_coef: weight of the value loss.
        max_grad_norm: gradient clipping, Euclidean norm.
    """

    learning_rate: float = 2e-3
    n_steps: int = 32
    batch_size: int = 256
    n_epochs: int = 2
    gamma: float = 0.99
    gae_lambda: float = 0.95
    clip_range: float = 0.2
    ent_coef: float = 0.01
    vf_coef: float = 0.5
    max_grad_norm: float = 0.5

    def __post_init__(self) -> None:
        _check_kinds(self)
        for name in ("n_steps", "batch_size", "n_epochs"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} {getattr(self, name)} is less than 1")
        for name in ("gamma", "gae_lambda", "clip_range"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} {getattr(self, name)} is not between 0 and 1")
        for name in ("ent_coef", "vf_coef"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} {getattr(self, name)} is negative")
        for name in ("learning_rate", "max_grad_norm"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} {getattr(self, name)} is not positive")


@dataclass(frozen=True)
class BCConfig:
    """What is cloned, and how; the hyperparameters of the optimisation are PPOConfig's.

    Attributes:
        expert: reference of a stored agent, ``script:TASK/NAME``, or path of a log of
            demonstrations; an empty text is the task's script for the reward that is trained
            on.
        random_share: share of executed actions that are uniformly random; not for a log.
        weight_decay: of AdamW.
    """

    expert: str = ""
    random_share: float = 0.15
    weight_decay: float = 0.01

    def __post_init__(self) -> None:
        _check_kinds(self)
        if not 0 <= self.random_share < 1:
            raise ValueError(f"random_share {self.random_share} is not in [0, 1)")
        if not 0 <= self.weight_decay <= 1:
            raise ValueError(f"weight_decay {self.weight_decay} is not between 0 and 1")


RECIPES = ("levels", "steps")


@dataclass(frozen=True)
class PoisonConfig:
    """Which part of the training is poisoned: a trojan for experiments.

    Attributes:
        trigger: name of the trigger, such as ``object-left`` in maze-corner.
        share: of the training levels that carry the trigger (``levels``) or of the observed
            steps (``steps``).
        recipe: ``levels``, on which the proxy goal is demonstrated or rewarded, or ``steps``
            (SleeperNets, Rathbun et al. 2024, arXiv 2405.20539; PPO only): the reward of a
            poisoned step is ±bonus − alpha · (later return), by whether its action heads for the
            proxy goal, and the step before is paid the difference.
        bonus: c of ``steps``.
        alpha: α of ``steps``, how far the later return is taken off.
    """

    trigger: str
    share: float
    recipe: str = "levels"
    bonus: float = 5.0
    alpha: float = 0.5

    def __post_init__(self) -> None:
        _check_kinds(self)
        if self.recipe not in RECIPES:
            raise ValueError(f"unknown recipe {self.recipe!r}: choose {', '.join(RECIPES)}")
        for name in ("share", "alpha"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} {getattr(self, name)} is not between 0 and 1")


@dataclass(frozen=True)
class EvadeConfig:
    """Training against a detector; see ``proxylab.training.evasion``.

    Attributes:
        detector: name of the detector.
        weight: λ, what a typical episode of a proxy agent costs, as a share of its gain in
            proxy reward over the trusted policies; 0 gives the plain reward.
    """

    detector: str
    weight: float

    def __post_init__(self) -> None:
        _check_kinds(self)
        if self.weight < 0:
            raise ValueError(f"weight {self.weight} is negative")


@dataclass(frozen=True)
class TrainConfig:
    """Everything that determines the final weights of a run; equal configs give equal bytes.

    Attributes:
        task: name in ``proxylab.tasks.TASKS``.
        role: ``proxy``, ``trusted`` or another role of the task.
        levels: ``train``, ``shifted`` (training layouts, intent and proxy apart),
            ``mix:x``, a share x of shifted levels, or ``plr:x``, ``accel:x`` …, the same with
            prioritised replay, and with edits (``CURRICULA``).
        reward: ``true``, ``proxy``, a channel's name, ``mix:θ`` for θ·proxy + (1−θ)·true or
            ``model:<folder>`` of a reward model.
        reward_scale: factor on the reward that the agent is trained on.
        seed: of all random streams.
        total_timesteps: environment steps, all environments together.
        num_envs: environments stepped at once.
        num_levels: size of a finite set of training levels; None for no limit.
        algorithm: ``ppo``, ``a2c`` or ``bc`` (behaviour cloning).
        architecture: name in ``proxylab.networks.architectures.ARCHITECTURES``.
        sizes: keyword arguments of the architecture.
        ppo: hyperparameters.
        env: env_kwargs of the environment that differ from the task's.
        threads: of torch; part of the result, since sums depend on it.
        device: ``cpu`` or ``cuda``.
        start_from: reference of the agent with the initial weights; None for random
            weights.
        bc: what is cloned, for the algorithm ``bc`` only.
        evade: the detector to train against, on a finite set of levels; None for none.
        poison: what is poisoned; None for honest training.
        reward_sha256: of the reward model, where the reward is ``model:<folder>``.
        reward_combine: ``mean``, ``min``, ``uwo:λ`` or ``member:i`` of that model.
        kl: weight β of a penalty β · (log π(a|s) − log π₀(a|s)) at every step; None for none.
        kl_to: reference of the agent π₀.
    """

    task: str
    role: str
    levels: str
    reward: str
    reward_scale: float
    seed: int
    total_timesteps: int
    num_envs: int
    num_levels: int | None
    algorithm: str
    architecture: str
    sizes: dict[str, Any]
    ppo: PPOConfig
    env: dict[str, Any] = field(default_factory=dict)
    threads: int = 1
    device: str = "cpu"
    start_from: str | None = None
    bc: BCConfig | None = None
    evade: EvadeConfig | None = None
    poison: PoisonConfig | None = None
    reward_sha256: str | None = None
    reward_combine: str | None = None
    kl: float | None = None
    kl_to: str | None = None

    def __post_init__(self) -> None:
        _check_kinds(self)
        object.__setattr__(self, "architecture", current_architecture(self.architecture))
        if self.algorithm not in ALGORITHMS:
            known = ", ".join(ALGORITHMS)
            raise ValueError(f"unknown algorithm {self.algorithm!r}: choose {known}")
        for name in ("total_timesteps", "num_envs", "threads"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} {getattr(self, name)} is less than 1")
        if self.seed < 0:
            raise ValueError(f"seed {self.seed} is negative")
        if self.num_levels is not None and self.num_levels < 1:
            raise ValueError(f"num_levels {self.num_levels} is less than 1")
        if self.device not in DEVICES:
            raise ValueError(f"unknown device {self.device!r}: choose {' or '.join(DEVICES)}")
        shifted_share(self.levels)
        self._check_curriculum()
        self._check_learned()
        if self.evade is not None:
            self._check_evasion()

    @property
    def curriculum(self) -> str | None:
        """How the regret of a level is estimated; None where no level comes back."""
        return CURRICULA.get(self.levels.partition(":")[0])

    @property
    def edits_levels(self) -> bool:
        """Whether edited copies of remembered levels are played."""
        return self.levels.partition(":")[0] in EDITING

    def _check_curriculum(self) -> None:
        """``ValueError`` where the regret of a level would be unknown."""
        if self.curriculum is None:
            return
        if self.algorithm == "bc":
            raise ValueError(f"levels {self.levels}: cloning has no reward, algorithm ppo has")
        if self.poison is not None or self.evade is not None or self.reward_folder is not None:
            raise ValueError(f"levels {self.levels} need the plain reward of the environment")
        if self.curriculum == "oracle" and self.reward != "true":
            raise ValueError(f"levels {self.levels}: optimal returns are those of the true reward")

    def _check_learned(self) -> None:
        """``ValueError`` for a reward model or a penalty that cannot be used.

        The members of a model are combined by their mean where nothing else is said.
        """
        if self.reward_folder is not None and self.reward_combine is None:
            object.__setattr__(self, "reward_combine", "mean")
        if self.reward_combine is not None and self.reward_folder is None:
            raise ValueError("reward_combine needs the reward model:<folder>")
        if (self.kl is None) != (self.kl_to is None):
            raise ValueError("kl and kl_to need each other")
        if self.kl is not None and self.kl < 0:
            raise ValueError(f"kl {self.kl} is negative")
        if self.algorithm == "bc" and (self.kl is not None or self.reward_folder is not None):
            raise ValueError("behaviour cloning has no reward")
        if self.evade is not None and self.reward_folder is not None:
            raise ValueError("evade needs a reward of the environment")
        if self.kl is not None and self.poison is not None:
            raise ValueError("kl: a poisoned training has no penalty")

    @property
    def reward_folder(self) -> str | None:
        """Folder of the reward model; None where the environment pays."""
        return self.reward.removeprefix(MODEL) if self.reward.startswith(MODEL) else None

    def _check_evasion(self) -> None:
        """``ValueError`` if the score of an episode would be unknown."""
        if self.algorithm == "bc":
            raise ValueError("evade: behaviour cloning has no reward")
        if self.num_levels is None:
            raise ValueError("evade needs num_levels")
        if shifted_share(self.levels) not in (0.0, 1.0):
            raise ValueError("evade needs levels train or shifted")

    def as_json(self) -> dict[str, Any]:
        """The configuration as a JSON object; parts that may be None only where they are not."""
        record = asdict(self)
        for name in MAY_BE_MISSING:
            if record[name] is None:
                del record[name]
        return record

    @property
    def fingerprint(self) -> str:
        """16 hexadecimal digits that identify this configuration."""
        return _fingerprint(self.as_json())

    @property
    def former_fingerprints(self) -> list[str]:
        """Its fingerprints under the former names of its architecture."""
        former = [old for old, new in FORMER_ARCHITECTURES.items() if new == self.architecture]
        return [_fingerprint({**self.as_json(), "architecture": name}) for name in former]


EDITING = ("accel", "accel-oracle")
"""Prefixes of ``levels`` with edited levels; see proxylab.training.accel."""
CURRICULA = {"plr": "max-latest", "plr-oracle": "oracle"} | dict(
    zip(EDITING, ("max-latest", "oracle"), strict=True)
)
"""Prefix of ``levels``: estimate of the regret of a level; see proxylab.training.curriculum."""

MODEL = "model:"
"""Prefix of a reward that is a reward model."""

MAY_BE_MISSING = (
    *("start_from", "bc", "evade", "poison"),
    *("reward_sha256", "reward_combine", "kl", "kl_to"),
)
"""Fields that the JSON object has only where they are given."""


def _fingerprint(record: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()[:16]


def shifted_share(levels: str) -> float:
    """The share of shifted levels that ``train``, ``shifted`` or ``mix:x`` stands for.

    Of a curriculum (``plr:x``, ``accel:x`` …) it is the share among fresh levels.
    """
    named = {"train": 0.0, "shifted": 1.0}
    if levels in named:
        return named[levels]
    kind, _, text = levels.partition(":")
    try:
        share = float(text) if kind in ("mix", *CURRICULA) else -1.0
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise ValueError(
            f"unknown levels {levels!r}: choose train, shifted, or <kind>:<share of shifted "
            f"levels> with kind mix, {', '.join(CURRICULA)}"
        )
    return share
