"""Watching a running policy: an e-process over its episodes, valid at every moment.

A test for a fixed number of episodes that is evaluated repeatedly raises a false alarm
eventually. The e-process may be evaluated after every episode.

Null hypothesis: the policy's mean episode score is at most c, where c comes from the
calibration *policies*. A null that pools their episodes would alarm on every new honest
policy, since honest policies differ. With x_t in [0, 1] the episode scores and λ a bet,

    E_t = mean over λ of Π_{s ≤ t} (1 + λ (x_s − c)),   0 ≤ λ < 1/c,

is a supermartingale under the null, so P(E_t ever reaches 1/a) ≤ a (Ville 1939; betting
on bounded means: Waudby-Smith and Ramdas 2024, JRSS B 86, p. 1).

A policy may change: after many honest episodes such a product is so small that it takes as
many gamed ones to recover. So a new product starts before every episode j, with a share w_j of
the stake (e-detectors: Shin, Ramdas, Rinaldo 2022, arXiv 2203.03532):

    E_t = Σ_j w_j (mean over λ of Π_{j ≤ s ≤ t} (1 + λ (x_s − c))),   w_j = h/((j + h)(j + h + 1))

The weights sum to 1 and a product that has not started counts 1, so this is again a
supermartingale that starts at 1, and the bound on ever raising the alarm stays. The price for a
change after j episodes is a factor 1/w_j, about h at first and less than 5h up to j = h, so the
delay hardly depends on the past.

alpha is split in three. The k-th highest of n calibration means is exceeded by that of a new
honest policy with probability k/(n + 1) at most, since they are exchangeable. Means are
known from finitely many episodes only: c is the k-th highest of their upper bounds, which
lies below the k-th highest mean with probability δ at most if each bound fails with δ/k
(of the k policies with the highest means, one would have to). The remainder is a, for the
bets. All of this is exact except the bounds, which are bootstrap quantiles.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from proxylab.detection.pairing import NotApplicable
from proxylab.statistics.resampling import bootstrap

BETS = 20
"""Bets in the mixture, spread evenly over [0, 1/c)."""

RESTARTS = 500
"""h: half of the stake is on the products that start before episode h."""

MOST_STAKE = 1e300
"""A stake above this is cut, so that no product overflows; what is cut could only raise it."""

REPLICATES = 2000

BOUND_SHARE = 0.2
"""δ, as a share of the part of alpha that the rank leaves."""

_ROUNDING = 1e-9


@dataclass(frozen=True)
class Ceiling:
    """Upper bound on an honest policy's mean episode score.

    Attributes:
        mean: c, in (0, 1).
        alpha: probability that a new honest policy lies above it: k/(n + 1) + δ.
    """

    mean: float
    alpha: float


def ceiling_of(calibration: Sequence[ArrayLike], alpha: float, rng: np.random.Generator) -> Ceiling:
    """The ceiling from calibration policies, at the rank for half of ``alpha`` if there are enough.

    Args:
        calibration: list of float64[E], episode scores of each policy, in [0, 1].
        alpha: of the whole alarm, in (0, 1).
        rng: numpy Generator.

    Raises:
        NotApplicable: too few policies to leave a part of ``alpha`` for the bets, or scores at
            the maximum.
    """
    share = 1 / (len(calibration) + 1)
    if share >= alpha:
        needed = math.floor(1 / alpha + _ROUNDING)
        raise NotApplicable(f"an alarm at {alpha:g} takes {needed} calibration policies or more")
    rank = max(1, math.floor(alpha / 2 / share + _ROUNDING))
    failing = BOUND_SHARE * (alpha - rank * share)
    level = 1 - failing / rank
    bounds = sorted(_upper_bound(_bounded(scores), level, rng) for scores in calibration)
    mean = max(bounds[-rank], _ROUNDING)
    if mean >= 1:
        raise NotApplicable("calibration policies reach the highest score: nothing can exceed it")
    return Ceiling(mean, rank * share + failing)


def _upper_bound(scores: NDArray[np.float64], level: float, rng: np.random.Generator) -> float:
    return float(np.quantile(bootstrap(scores, rng, replicates=REPLICATES), level))


class EProcess:
    """The e-process of one policy, episode by episode.

    Attributes:
        threshold: e-value at which the alarm is raised.
        episodes: number of episodes so far.
        value: e-value now; 1 before the first episode.
        alarm: index of the episode at which it first reached the threshold, or None.
    """

    def __init__(self, ceiling: Ceiling, alpha: float) -> None:
        """Start before the first episode; ``ceiling`` was made for the same ``alpha``."""
        self.ceiling = ceiling
        self.threshold = 1 / (alpha - ceiling.alpha)
        self.episodes, self.value, self.alarm = 0, 1.0, None
        self._stakes = np.zeros(BETS)

    def update(self, score: float) -> float:
        """Take the score of the next episode (in [0, 1]); the e-value after it."""
        scores = _bounded([score])
        self._stakes = _played(self._stakes, scores, self.ceiling, self.episodes)
        self.value = float(self._stakes.mean()) + _waiting(self.episodes)
        if self.alarm is None and self.value >= self.threshold:
            self.alarm = self.episodes
        self.episodes += 1
        return self.value


def _played(
    stakes: NDArray[np.float64], scores: NDArray[np.float64], ceiling: Ceiling, episode: int
) -> NDArray[np.float64]:
    """Stakes of every bet after an episode, with the product that starts before it.

    Args:
        stakes: float64[..., BETS], before.
        scores: float64[...], of the episode.
        ceiling: :class:`Ceiling`.
        episode: its index, from 0.
    """
    started = RESTARTS / ((episode + RESTARTS) * (episode + RESTARTS + 1))
    bets = np.arange(BETS) / BETS / ceiling.mean
    factors = 1 + bets * (scores[..., None] - ceiling.mean)
    return np.minimum((stakes + started) * factors, MOST_STAKE)


def _waiting(episode: int) -> float:
    """Weight of all products that start after ``episode``."""
    return RESTARTS / (episode + 1 + RESTARTS)


def e_values(scores: ArrayLike, ceiling: Ceiling) -> NDArray[np.float64]:
    """The e-process after every episode.

    Args:
        scores: float64[E], episode scores in [0, 1], in the order of the episodes.
        ceiling: :class:`Ceiling`.

    Returns:
        float64[E].
    """
    stakes, values = np.zeros(BETS), []
    for episode, score in enumerate(_bounded(scores)):
        stakes = _played(stakes, score, ceiling, episode)
        values.append(stakes.mean() + _waiting(episode))
    return np.array(values)


def first_alarm(scores: ArrayLike, ceiling: Ceiling, alpha: float) -> int | None:
    """Index of the first episode at which the alarm is raised, or None.

    Args:
        scores: float64[E], as for :func:`e_values`.
        ceiling: :class:`Ceiling` made for the same ``alpha``.
        alpha: of the whole alarm: the probability that a new honest policy ever raises it
            is at most this.
    """
    crossed = np.flatnonzero(e_values(scores, ceiling) >= 1 / (alpha - ceiling.alpha))
    return int(crossed[0]) if len(crossed) else None


def first_alarms(streams: ArrayLike, ceiling: Ceiling, alpha: float) -> NDArray[np.int64]:
    """:func:`first_alarm` of many streams at once.

    Args:
        streams: float64[S, E], episode scores in [0, 1].
        ceiling: :class:`Ceiling` made for the same ``alpha``.
        alpha: of the whole alarm.

    Returns:
        int64[S]: index of the first episode at which the alarm is raised; -1 for none.
    """
    streams = _bounded(streams)
    stakes, alarms = np.zeros((len(streams), BETS)), np.full(len(streams), -1)
    for episode in range(streams.shape[1]):
        stakes = _played(stakes, streams[:, episode], ceiling, episode)
        crossed = stakes.mean(axis=1) + _waiting(episode) >= 1 / (alpha - ceiling.alpha)
        alarms[crossed & (alarms < 0)] = episode
    return alarms


def _bounded(scores: ArrayLike) -> NDArray[np.float64]:
    scores = np.asarray(scores, np.float64)
    if not ((scores >= -_ROUNDING) & (scores <= 1 + _ROUNDING)).all():
        raise NotApplicable("the e-process needs episode scores between 0 and 1")
    return scores
