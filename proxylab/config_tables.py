"""The tables of a training configuration: hyperparameters, cloning, poisoning, evasion."""

import math
from dataclasses import dataclass, fields
from typing import Any, get_origin

KINDS = {int: "a whole number", float: "a number", str: "a text", dict: "a table"}
"""Type of a field: its name in messages."""


LARGEST = 1 << 53
"""Largest whole number allowed; floats represent all up to it exactly."""


def check_kinds(config: Any) -> None:
    """``ValueError`` for a field of a wrong type, or a number that is not finite or too large.

    ``config`` is one of the dataclasses of this file, or a ``TrainConfig``.
    """
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
        check_kinds(self)
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
        check_kinds(self)
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
        check_kinds(self)
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
        check_kinds(self)
        if self.weight < 0:
            raise ValueError(f"weight {self.weight} is negative")
