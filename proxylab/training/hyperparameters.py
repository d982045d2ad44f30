"""Hyperparameters of Stable-Baselines3's algorithms as ``name=value`` texts.

The names are a closed list and the values are numbers or lists of whole numbers; nothing is
evaluated.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from proxylab.errors import UsageError

Kind = type[int] | type[float] | type[list[int]]

SHARED: dict[str, Kind] = {"learning_rate": float, "gamma": float, "net_arch": list}
ON_POLICY: dict[str, Kind] = {
    "n_steps": int,
    "gae_lambda": float,
    "ent_coef": float,
    "vf_coef": float,
    "max_grad_norm": float,
}
ALGORITHMS: dict[str, dict[str, Kind]] = {
    "ppo": {**SHARED, **ON_POLICY, "batch_size": int, "n_epochs": int, "clip_range": float},
    "a2c": {**SHARED, **ON_POLICY, "rms_prop_eps": float},
    "dqn": {
        **SHARED,
        "buffer_size": int,
        "learning_starts": int,
        "batch_size": int,
        "tau": float,
        "train_freq": int,
        "gradient_steps": int,
        "target_update_interval": int,
        "exploration_fraction": float,
        "exploration_initial_eps": float,
        "exploration_final_eps": float,
        "max_grad_norm": float,
    },
}
"""Algorithm: {hyperparameter: kind}; ``net_arch`` lists the widths of hidden layers, 64,64."""

LARGEST = 1 << 30
WIDEST, DEEPEST = 8192, 16


def parsed(algorithm: str, given: Sequence[str] | Mapping[str, Any]) -> dict[str, Any]:
    """{name: typed value} of ``name=value`` texts or of a mapping.

    Raises:
        UsageError: an unknown name, or a value of another kind.
    """
    kinds = ALGORITHMS[algorithm]
    pairs = given.items() if isinstance(given, Mapping) else map(_split, given)
    options: dict[str, Any] = {}
    for name, value in pairs:
        if name not in kinds:
            known = ", ".join(sorted(kinds))
            raise UsageError(f"{algorithm} has no hyperparameter {name!r}: choose {known}")
        if name in options:
            raise UsageError(f"the hyperparameter {name} comes twice")
        options[name] = _typed(name, value, kinds[name])
    return options


def _split(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise UsageError(f"{text!r} is no hyperparameter: write name=value")
    return name.strip(), value.strip()


def _typed(name: str, value: Any, kind: Kind) -> Any:
    """The value as ``kind``."""
    if kind is list:
        parts = value.split(",") if isinstance(value, str) else list(value)
        widths = [_number(name, part, int) for part in parts]
        if len(widths) > DEEPEST or not all(1 <= width <= WIDEST for width in widths):
            raise UsageError(f"net_arch: at most {DEEPEST} widths of 1 to {WIDEST}, not {value!r}")
        return widths
    return _number(name, value, kind)


def _number(name: str, value: Any, kind: Kind) -> Any:
    try:
        number = int(value) if kind is int else float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not abs(number) <= LARGEST:
        what = "whole number" if kind is int else "number"
        raise UsageError(f"{name}={value}: not a {what} within ±2³⁰")
    return number
