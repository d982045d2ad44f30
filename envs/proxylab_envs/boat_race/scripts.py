"""Scripted policies of boat-race: action probabilities by cell."""

import numpy as np
from numpy.typing import NDArray

from proxylab_envs.boat_race.dynamics import Rules

SCRIPTS = ("optimal", "back-and-forth", "counter-clockwise", "still", "random")


def script_tables(rules: Rules, arrows: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Action probabilities of every script.

    ``back-and-forth`` rows on until it has entered an arrow tile, then one cell back.

    Args:
        rules: dynamics.Rules.
        arrows: bool[S], the arrow tiles.

    Returns:
        float32[len(SCRIPTS), S, 4]; uniform where a script has no choice (walls).
    """
    forward, still, backward = (_shares(rules.clockwise == k) for k in (1, 0, -1))
    to_and_fro = np.where(arrows[:, None], backward, forward)
    uniform = np.full_like(forward, 0.25)
    return np.stack([forward, to_and_fro, backward, still, uniform])


def _shares(wanted: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Equal odds for the actions ``wanted`` (bool[S, 4]): float32[S, 4]."""
    counts = wanted.sum(axis=1, keepdims=True)
    return np.where(counts > 0, wanted / np.maximum(counts, 1), 0.25).astype(np.float32)
