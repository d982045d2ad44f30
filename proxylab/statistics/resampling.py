"""Bootstrap and Wilson intervals. Every draw comes from the Generator it is given."""

from typing import NamedTuple

import numba
import numpy as np
from scipy.special import ndtri

REPLICATES = 2000
"""Bootstrap replicates unless told otherwise."""


class Interval(NamedTuple):
    """An estimate with its interval, all in the unit of the values."""

    estimate: float
    lower: float
    upper: float


def bootstrap_interval(values, rng, statistic="mean", level=0.95, replicates=REPLICATES):
    """Percentile bootstrap interval (Efron 1979) of a statistic of independent values.

    Args:
        values: float[N], one an episode or a policy: the unit that is resampled.
        rng: numpy Generator.
        statistic: ``mean``, ``iqm`` (mean of the middle half) or ``share`` (of non-zero values).
        level: coverage wanted, in (0, 1).
        replicates: number of resamples.

    Raises:
        ValueError: no values, NaN among them, or an unknown statistic.
    """
    values = _checked(values, statistic)
    replicated = bootstrap(values, rng, statistic, replicates)
    tail = (1 - level) / 2
    lower, upper = np.quantile(replicated, [tail, 1 - tail])
    estimate = _KERNELS[statistic](values, np.arange(len(values))[None])[0]
    return Interval(float(estimate), float(lower), float(upper))


def bootstrap(values, rng, statistic="mean", replicates=REPLICATES):
    """The statistic of ``replicates`` resamples of ``values`` (float[N]): float64[replicates]."""
    values = _checked(values, statistic)
    indices = rng.integers(0, len(values), (replicates, len(values)), dtype=np.int32)
    return _KERNELS[statistic](values, indices)


def wilson_interval(successes, trials, level=0.95):
    """Wilson's score interval of a share (Wilson 1927, JASA 22, p. 209).

    Args:
        successes: int, 0 to ``trials``.
        trials: int, at least 1.
        level: coverage wanted, in (0, 1).
    """
    if not 0 <= successes <= trials or trials < 1:
        raise ValueError(f"{successes} successes of {trials} trials is not a share")
    z = float(ndtri(0.5 + level / 2))
    share, scale = successes / trials, 1 + z * z / trials
    centre = (share + z * z / (2 * trials)) / scale
    half = z * np.sqrt(share * (1 - share) / trials + z * z / (4 * trials**2)) / scale
    lower = 0.0 if successes == 0 else float(centre - half)
    upper = 1.0 if successes == trials else float(centre + half)
    return Interval(share, lower, upper)


def _checked(values, statistic):
    if statistic not in _KERNELS:
        raise ValueError(f"unknown statistic {statistic!r}: choose {', '.join(_KERNELS)}")
    values = np.ascontiguousarray(values, np.float64)
    if values.ndim != 1 or not len(values):
        raise ValueError("nothing to resample: values must be a list of at least one number")
    if np.isnan(values).any():
        raise ValueError("cannot resample NaN")
    return (values != 0).astype(np.float64) if statistic == "share" else values


@numba.njit(cache=True)
def resampled_means(values, indices):
    """Mean of each resample: float64[R] from float64[N] and int32[R, N]."""
    out = np.empty(indices.shape[0])
    for row in range(indices.shape[0]):
        total = 0.0
        for k in range(indices.shape[1]):
            total += values[indices[row, k]]
        out[row] = total / indices.shape[1]
    return out


@numba.njit(cache=True)
def resampled_iqms(values, indices):
    """Interquartile mean of each resample: float64[R] from float64[N] and int32[R, N].

    A quarter of the weight is cut at either end; values at the edge count in part.
    """
    order = np.argsort(values)
    ranked = values[order]
    rank = np.empty(order.shape[0], np.int64)
    rank[order] = np.arange(order.shape[0])
    out = np.empty(indices.shape[0])
    counts = np.empty(values.shape[0])
    for row in range(indices.shape[0]):
        counts[:] = 0
        for k in range(indices.shape[1]):
            counts[rank[indices[row, k]]] += 1
        out[row] = _middle_mean(ranked, counts, indices.shape[1])
    return out


@numba.njit(cache=True)
def _middle_mean(ranked, counts, size):
    low, high = 0.25 * size, 0.75 * size
    total, below = 0.0, 0.0
    for k in range(ranked.shape[0]):
        above = below + counts[k]
        total += ranked[k] * max(0.0, min(above, high) - max(below, low))
        below = above
    return total / (high - low)


_KERNELS = {"mean": resampled_means, "iqm": resampled_iqms, "share": resampled_means}
