"""A detector in one file, for docs/extending/detector.md."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from proxylab.detection.pairing import level_rows
from proxylab.rollouts.episodes import concatenate


class ActionReference(NamedTuple):
    """What the reference policies do.

    Attributes:
        levels: int64[L], ascending.
        shares: float64[L, A], mean over episodes of the share of steps with each action.
    """

    levels: np.ndarray
    shares: np.ndarray


@dataclass(frozen=True)
class ActionShares:
    """Total variation of the shares of actions, level by level.

    Access L (logs: actions). Unit: share, in [0, 1]. Formula, with p_e the shares of the
    actions in the suspect's episode e and q_l their mean over reference episodes on level l:

        score = mean over e of ½ Σ_a |p_e(a) − q_{level(e)}(a)|

    It knows nothing of places and of order, so a detour with the same moves is invisible.

    Source: total variation distance; an example.
    """

    name: str = "action_shares"
    access: str = "L"
    unit: str = "share"
    source: str = "total variation distance; an example"
    higher_is: str = "more anomalous"

    def fit(self, reference, task):
        """Mean shares on each level, of all reference policies (list[Episodes])."""
        pooled = concatenate(reference, "reference")
        levels, rows = np.unique(pooled.level_seed, return_inverse=True)
        shares = np.zeros((len(levels), pooled.num_actions))
        np.add.at(shares, rows, action_shares(pooled))
        return ActionReference(levels, shares / np.bincount(rows)[:, None])

    def per_episode(self, state, suspect):
        """float64[E], the distance of every episode."""
        expected = state.shares[level_rows(state.levels, suspect)]
        return abs(action_shares(suspect) - expected).sum(axis=1) / 2

    def score(self, state, suspect, rng):
        """Mean over episodes; ``rng`` is not used."""
        return float(self.per_episode(state, suspect).mean())


def action_shares(episodes):
    """float64[E, A]: share of the steps of each episode that took each action."""
    counts = np.zeros((len(episodes.level_seed), episodes.num_actions))
    np.add.at(counts, (episodes.episode_index, episodes.action), 1)
    return counts / counts.sum(axis=1, keepdims=True)
