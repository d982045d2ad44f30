"""The configuration of a training run, and its fingerprint.

Its tables are in ``proxylab.config_tables``, the presets of a task in ``proxylab.tasks``.
"""

import hashlib
import json
from dataclasses import asdict, dataclass, field
from typing import Any

from proxylab.config_tables import BCConfig, EvadeConfig, PoisonConfig, PPOConfig, check_kinds

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
        occupancy: ``orpo:r`` or ``max-min:r``, the proxy reward at its worst, within a correlation
            r with the intended one; see ``proxylab.training.occupancy``.
        occupancy_to: reference of the agent whose occupancy counts as good.
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
    occupancy: str | None = None
    occupancy_to: str | None = None

    def __post_init__(self) -> None:
        check_kinds(self)
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
        self._check_occupancy()
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
    def occupancy_bound(self) -> tuple[str, float]:
        """What ``occupancy`` stands for: the kind of bound, and the correlation.

        Raises:
            ValueError: it stands for nothing.
        """
        kind, _, text = (self.occupancy or "").partition(":")
        try:
            correlation = float(text)
        except ValueError:
            correlation = 0.0
        if kind not in BOUNDS or not 0 < correlation <= 1:
            known = " or ".join(f"{each}:r" for each in BOUNDS)
            raise ValueError(f"unknown occupancy {self.occupancy!r}: choose {known}, 0 < r ≤ 1")
        return kind, correlation

    def _check_occupancy(self) -> None:
        """``ValueError`` for a bound that cannot be used."""
        if (self.occupancy is None) != (self.occupancy_to is None):
            raise ValueError("occupancy and occupancy_to need each other")
        if self.occupancy is None:
            return
        _ = self.occupancy_bound
        if self.algorithm == "bc":
            raise ValueError("occupancy: cloning has no reward, algorithm ppo has")
        others = self.poison is not None or self.evade is not None or self.kl is not None
        if others or self.reward_folder is not None or self.curriculum is not None:
            raise ValueError(
                "occupancy needs the plain reward of the environment, on levels as they come"
            )

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

BOUNDS = ("orpo", "max-min")
"""Kinds of ``occupancy``; see proxylab.training.occupancy."""

MODEL = "model:"
"""Prefix of a reward that is a reward model."""

MAY_BE_MISSING = (
    *("start_from", "bc", "evade", "poison"),
    *("reward_sha256", "reward_combine", "kl", "kl_to", "occupancy", "occupancy_to"),
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
