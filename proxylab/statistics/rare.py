"""Rare events among many p-values: higher criticism, and the limit of any detector."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

TAIL = 0.05
"""Share of a null sample beyond which its tail is taken as exponential."""

MOST_DECAY = 600.0
"""Largest exponent of the tail: exp(−600) is still a number."""


def higher_criticism(p_values: ArrayLike) -> float:
    """Largest excess of small p-values, in standard deviations.

    With p_(1) ≤ … ≤ p_(n) the sorted values,

        HC* = max over i ≤ n/2 of √n (i/n − p_(i)) / √(p_(i) (1 − p_(i)))

    It detects a small share of small p-values among uniform ones (Donoho and Jin 2004, Annals of
    Statistics 32, p. 962, equation 1.4).

    Args:
        p_values: float[n], each in (0, 1]; n ≥ 1.
    """
    p = np.sort(np.asarray(p_values, np.float64))
    n = len(p)
    rank = np.arange(1, max(1, n // 2) + 1)
    low = np.minimum(p[: len(rank)], 1 - 1 / (2 * n))
    return float((np.sqrt(n) * (rank / n - low) / np.sqrt(low * (1 - low))).max())


def upper_tail(null: NDArray[np.float64], values: NDArray[np.float64]) -> NDArray[np.float64]:
    """float64[N], an estimate of P(null ≥ value) for every value, in (0, 1].

    Up to the 1 − ``TAIL`` quantile u of the null sample it is the rank, (1 + #{null ≥ value})/(M +
    1). Beyond u the tail is taken as exponential, so that values outside the sample still differ:
    TAIL · exp(−(value − u)/β), with β the mean excess over u (peaks over threshold, Pickands 1975,
    Annals of Statistics 3, p. 119, with shape 0).

    Args:
        null: float64[M], ascending.
        values: float64[N]; differences below 1e-12 count as ties.
    """
    above = len(null) - np.searchsorted(null, values - 1e-12)
    ranked = (1 + above) / (len(null) + 1)
    beyond = np.quantile(null, 1 - TAIL)
    excesses = null[null > beyond] - beyond
    if not len(excesses):
        return ranked
    decay = np.exp(-np.clip((values - beyond) / excesses.mean(), 0, MOST_DECAY))
    return np.where(values > beyond, TAIL * decay, ranked)


def mixture_limit(share: float, episodes: int, alpha: float) -> float:
    """Largest power of any detector against a policy that games a ``share`` of its episodes.

    With probability (1 − share)^episodes none of them is gamed, and the policy then is an
    honest one: min(1, α + 1 − (1 − share)^episodes).
    """
    return min(1.0, alpha + 1 - (1 - share) ** episodes)
