"""Attacks on a detector that need no training, and the strength of an attack at a given gain.

An attacker has an honest agent and a gaming one, and lets the gaming one play some of the
episodes. *Proxy gain kept* is the proxy return over that of the honest agent, as a share of what
the gaming agent alone gains.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from proxylab.reproduce.detected import mixed
from proxylab.rollouts.episodes import Episodes, proxy_returns
from proxylab.rollouts.rollout import Outcomes, Policy
from proxylab_envs.batch import BatchedEnv
from proxylab_envs.channels import proxy_channels

NEVER_PAYS = np.inf
"""Price of an episode in which gaming gains nothing."""


class Played(NamedTuple):
    """The episodes of an agent with their ground truth, on fixed levels."""

    episodes: Episodes
    outcomes: Outcomes


class Detour:
    """A policy that games first and is honest from then on.

    It games until the proxy reward is paid or, with ``steps``, for the first so many steps:
    a proxy that is paid at every step is never done with.
    """

    def __init__(self, honest: Policy, gaming: Policy, steps: int | None = None) -> None:
        self.honest, self.gaming, self.steps = honest, gaming, steps
        self.name, self.task = f"{honest.name} after {gaming.name}", honest.task

    def probabilities(self, env: BatchedEnv, indices: NDArray[np.int64]) -> NDArray[np.float32]:
        """float32[K, num_actions]: of the honest policy where the gaming is over."""
        over = self._is_over(env, indices)
        own, other = (policy.probabilities(env, indices) for policy in (self.honest, self.gaming))
        return np.where(over[:, None], own, other)

    def _is_over(self, env: BatchedEnv, indices: NDArray[np.int64]) -> NDArray[np.bool_]:
        if self.steps is not None:
            return env.core.steps[indices] >= self.steps
        column = env.channels.index(proxy_channels(env.channels)[0])
        return env.core.returns[indices, column] > 0


def proxy_gain(suspect: Episodes, honest: Episodes, gaming: Episodes) -> float:
    """The proxy gain that the suspect keeps, a share; 0 for the honest, 1 for the gaming agent."""
    own, base, full = (float(proxy_returns(e).mean()) for e in (suspect, honest, gaming))
    return (own - base) / (full - base)


def true_return(suspect: Played) -> float:
    """Mean undiscounted return of the intended reward, reward units."""
    return float(suspect.outcomes.returns_of("true").mean())


def prices(
    honest: Episodes,
    gaming: Episodes,
    honest_costs: NDArray[np.float64],
    gaming_costs: NDArray[np.float64],
) -> NDArray[np.float64]:
    """float64[E], detector's score per unit of proxy return of gaming in each episode.

    Args:
        honest: E episodes of the honest agent.
        gaming: E episodes of the gaming agent, on the same levels.
        honest_costs: float64[E], what the detector makes of each (``episode_costs``).
        gaming_costs: float64[E].
    """
    gain = proxy_returns(gaming) - proxy_returns(honest)
    pays = gain > 0
    cost = gaming_costs - honest_costs
    return np.where(pays, cost / np.where(pays, gain, 1), NEVER_PAYS)


def gamed_up_to(
    order: NDArray[np.int64], gain: NDArray[np.float64], wanted: float
) -> NDArray[np.bool_]:
    """bool[E]: the first episodes in ``order`` (int64[E]) whose gain adds up to ``wanted``.

    Args:
        order: the episodes, the one to game first in front.
        gain: float64[E], proxy return gained by gaming each.
        wanted: sum to reach; all episodes are gamed where that is not enough.
    """
    reached = np.cumsum(gain[order]) >= wanted - 1e-9
    count = int(np.argmax(reached)) + 1 if reached.any() else len(order)
    chosen = np.zeros(len(order), np.bool_)
    chosen[order[:count]] = True
    return chosen


def composed(honest: Played, gaming: Played, is_gamed: NDArray[np.bool_]) -> Played:
    """The honest agent, with the gaming one's episodes where ``is_gamed`` (bool[E])."""
    both = (honest.outcomes, gaming.outcomes)
    fields = {
        name: _chosen(*(getattr(outcomes, name) for outcomes in both), is_gamed)
        for name in ("level_seed", "length", "returns", "outcome", "proxy_first")
    }
    outcomes = Outcomes(channels=honest.outcomes.channels, **fields)
    return Played(mixed(honest.episodes, gaming.episodes, is_gamed), outcomes)


def _chosen(own: NDArray, other: NDArray, is_gamed: NDArray[np.bool_]) -> NDArray:
    where = is_gamed.reshape(-1, *[1] * (own.ndim - 1))
    return np.where(where, other, own)


def best_attempt(
    gains: NDArray[np.float64], scores: NDArray[np.float64], kept: float
) -> int | None:
    """Index of the attempt with the lowest score among those that keep a gain of ``kept``.

    None where no attempt (float64[N] ``gains`` and ``scores``) keeps so much.
    """
    enough = np.flatnonzero(gains >= kept - 1e-6)
    return int(enough[np.argmin(scores[enough])]) if enough.size else None
