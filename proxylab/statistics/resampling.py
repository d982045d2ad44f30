"""Bootstrap and Wilson intervals.

Every draw comes from the caller's Generator: it yields one seed, and each replicate has its
own stream (``streams.py``), so the result does not depend on the number of threads.
"""

from typing import NamedTuple

import numba
import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri

from proxylab.statistics.streams import draw_below, fill_below, in_parts, seed_from, stream_of

REPLICATES = 2000
"""Default number of bootstrap replicates."""


class Interval(NamedTuple):
    """An estimate with its interval, all in the unit of the values."""

    estimate: float
    lower: float
    upper: float


def bootstrap_interval(
    values: ArrayLike,
    rng: np.random.Generator,
    statistic: str = "mean",
    level: float = 0.95,
    replicates: int = REPLICATES,
) -> Interval:
    """Percentile bootstrap interval (Efron 1979) of a statistic of independent values.

    Args:
        values: float[N], one per resampled unit (an episode or a policy).
        rng: numpy Generator.
        statistic: ``mean``, ``iqm`` (mean of the middle half) or ``share`` (of non-zero values).
        level: nominal coverage, in (0, 1).
        replicates: number of resamples.

    Raises:
        ValueError: no values, NaN among them, or an unknown statistic.
    """
    values = _checked(values, statistic)
    replicated = bootstrap(values, rng, statistic, replicates)
    return percentile_interval(estimate_of(values, statistic), replicated, level)


def bootstrap(
    values: ArrayLike,
    rng: np.random.Generator,
    statistic: str = "mean",
    replicates: int = REPLICATES,
    threads: int = 1,
) -> NDArray[np.float64]:
    """The statistic of ``replicates`` resamples of ``values`` (float[N]): float64[replicates].

    The result does not depend on the number of threads.
    """
    values = _checked(values, statistic)
    if statistic == "iqm":
        values = np.sort(values)
    kernel, seed, out = _KERNELS[statistic], seed_from(rng), np.empty(replicates)
    in_parts(lambda first, last: kernel(values, seed, first, last, out), replicates, threads)
    return out


def estimate_of(values: ArrayLike, statistic: str = "mean") -> float:
    """``mean``, ``iqm`` or ``share`` of the values themselves (float[N])."""
    values = _checked(values, statistic)
    if statistic != "iqm":
        return float(values.mean())
    return float(_middle_mean(np.sort(values), np.ones(len(values), np.int32)))


def bootstrap_columns(
    columns: ArrayLike, rng: np.random.Generator, replicates: int = REPLICATES, threads: int = 1
) -> NDArray[np.float64]:
    """Means of several columns over the same resamples: float64[replicates, K].

    For statistics that are a function of means, such as a ratio or the certificate's κ.

    Args:
        columns: float[K, N], column k of unit n.
        rng: numpy Generator.
        replicates: number of resamples of the units.
        threads: number of threads; the result does not depend on it.

    Raises:
        ValueError: nothing to resample, or NaN.
    """
    columns = np.ascontiguousarray(columns, np.float64)
    if columns.ndim != 2 or not columns.shape[1]:
        raise ValueError("nothing to resample: columns must be lists of at least one number")
    if np.isnan(columns).any():
        raise ValueError("cannot resample NaN")
    seed, out = seed_from(rng), np.empty((replicates, len(columns)))
    in_parts(lambda first, last: _joint_means(columns, seed, first, last, out), replicates, threads)
    return out


def ratio_interval(
    numerator: ArrayLike,
    denominator: ArrayLike,
    rng: np.random.Generator,
    level: float = 0.95,
    replicates: int = REPLICATES,
) -> Interval:
    """Percentile interval of Σ numerator / Σ denominator over units resampled in pairs.

    Args:
        numerator: float[N], one per unit.
        denominator: float[N], of the same units.
        rng: numpy Generator.
        level: nominal coverage, in (0, 1).
        replicates: number of resamples.

    Raises:
        ValueError: nothing to resample, NaN, or a denominator that sums to 0.
    """
    columns = np.asarray([numerator, denominator], np.float64)
    means = bootstrap_columns(columns, rng, replicates)
    totals = columns.sum(axis=1)
    if totals[1] == 0 or (means[:, 1] == 0).any():
        raise ValueError("the denominator of a ratio sums to 0 in a resample")
    return percentile_interval(totals[0] / totals[1], means[:, 0] / means[:, 1], level)


def auroc(positive: ArrayLike, negative: ArrayLike) -> float:
    """Probability that a positive scores above a negative, ties counted half.

    The area under the ROC curve; Mann and Whitney's U over the number of pairs (Hanley
    and McNeil 1982, Radiology 143, p. 29).

    Args:
        positive: float[P], scores.
        negative: float[N], scores.

    Raises:
        ValueError: an empty side, or NaN.
    """
    codes = _codes(positive, negative)
    every = (np.bincount(code, minlength=codes[2]).astype(np.int32) for code in codes[:2])
    return float(_area(*every))


def bootstrap_auroc(
    positive: ArrayLike,
    negative: ArrayLike,
    rng: np.random.Generator,
    replicates: int = REPLICATES,
    threads: int = 1,
) -> NDArray[np.float64]:
    """AUROC of resamples of both sides, each to its own size: float64[replicates].

    Args:
        positive: float[P], one score per policy.
        negative: float[N].
        rng: numpy Generator.
        replicates: number of resamples.
        threads: number of threads; the result does not depend on it.
    """
    above, under, count = _codes(positive, negative)
    seed, out = seed_from(rng), np.empty(replicates)

    def part(first: int, last: int) -> None:
        _resampled_areas(above, under, count, seed, first, last, out)

    in_parts(part, replicates, threads)
    return out


def auroc_interval(
    positive: ArrayLike,
    negative: ArrayLike,
    rng: np.random.Generator,
    level: float = 0.95,
    replicates: int = REPLICATES,
) -> Interval:
    """:func:`auroc` with its percentile bootstrap interval over policies."""
    replicated = bootstrap_auroc(positive, negative, rng, replicates)
    return percentile_interval(auroc(positive, negative), replicated, level)


def percentile_interval(
    estimate: float, replicated: NDArray[np.float64], level: float = 0.95
) -> Interval:
    """An estimate with the percentile interval of its replicates (float64[R])."""
    tail = (1 - level) / 2
    lower, upper = np.quantile(replicated, [tail, 1 - tail])
    return Interval(float(estimate), float(lower), float(upper))


def _codes(
    positive: ArrayLike, negative: ArrayLike
) -> tuple[NDArray[np.int32], NDArray[np.int32], int]:
    """(int32[P], int32[N], G): ranks of the scores among the G different ones."""
    sides = [np.asarray(side, np.float64).ravel() for side in (positive, negative)]
    if not all(map(len, sides)):
        raise ValueError("an AUROC needs scores on both sides")
    if any(np.isnan(side).any() for side in sides):
        raise ValueError("an AUROC needs scores, not NaN")
    different, codes = np.unique(np.concatenate(sides), return_inverse=True)
    codes = codes.astype(np.int32)
    return codes[: len(sides[0])], codes[len(sides[0]) :], len(different)


def wilson_interval(successes: int, trials: int, level: float = 0.95) -> Interval:
    """Wilson's score interval of a share (Wilson 1927, JASA 22, p. 209).

    Args:
        successes: int, 0 to ``trials``.
        trials: int, at least 1.
        level: nominal coverage, in (0, 1).
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


def _checked(values: ArrayLike, statistic: str) -> NDArray[np.float64]:
    if statistic not in _KERNELS:
        raise ValueError(f"unknown statistic {statistic!r}: choose {', '.join(_KERNELS)}")
    values = np.ascontiguousarray(values, np.float64)
    if values.ndim != 1 or not len(values):
        raise ValueError("nothing to resample: values must be a list of at least one number")
    if np.isnan(values).any():
        raise ValueError("cannot resample NaN")
    return (values != 0).astype(np.float64) if statistic == "share" else values


@numba.njit(cache=True)
def resampled_means(
    values: NDArray[np.float64], indices: NDArray[np.integer]
) -> NDArray[np.float64]:
    """Mean of each resample: float64[R] from float64[N] and int32[R, N]."""
    out = np.empty(indices.shape[0])
    for row in range(indices.shape[0]):
        total = 0.0
        for k in range(indices.shape[1]):
            total += values[indices[row, k]]
        out[row] = total / indices.shape[1]
    return out


@numba.njit(cache=True, nogil=True)
def mean_replicates(
    values: NDArray[np.float64], seed: np.uint64, first: int, last: int, out: NDArray[np.float64]
) -> None:
    """Means of resamples ``first`` to ``last`` − 1 of float64[N], into ``out``."""
    drawn = np.empty(values.shape[0], np.uint32)  # unsigned: no check for negative indices
    for r in range(first, last):
        fill_below(stream_of(seed, r), values.shape[0], drawn)
        out[r] = _sum_drawn(values, drawn) / drawn.shape[0]


@numba.njit(cache=True, nogil=True)
def _sum_drawn(values: NDArray[np.float64], drawn: NDArray[np.uint32]) -> float:
    """Σ values[drawn], in four independent partial sums."""
    a = b = c = d = 0.0
    fours = drawn.shape[0] // 4
    for k in range(fours):
        a += values[drawn[4 * k]]
        b += values[drawn[4 * k + 1]]
        c += values[drawn[4 * k + 2]]
        d += values[drawn[4 * k + 3]]
    for k in range(4 * fours, drawn.shape[0]):
        a += values[drawn[k]]
    return (a + b) + (c + d)


@numba.njit(cache=True, nogil=True)
def iqm_replicates(
    ranked: NDArray[np.float64], seed: np.uint64, first: int, last: int, out: NDArray[np.float64]
) -> None:
    """Interquartile means of resamples of *ascending* values (float64[N]), into ``out``.

    A quarter of the weight is trimmed at either end; values at the edges count in part.
    """
    counts, drawn = np.empty(ranked.shape[0], np.int32), np.empty(ranked.shape[0], np.uint32)
    for r in range(first, last):
        fill_below(stream_of(seed, r), ranked.shape[0], drawn)
        counts[:] = 0
        for k in range(drawn.shape[0]):
            counts[drawn[k]] += 1
        out[r] = _middle_mean(ranked, counts)


@numba.njit(cache=True, nogil=True)
def _middle_mean(ranked: NDArray[np.float64], counts: NDArray[np.int32]) -> float:
    """Mean of the middle half of ascending values that occur ``counts`` times, N in all."""
    size = ranked.shape[0]
    low, high = 0.25 * size, 0.75 * size
    first, below = 0, 0
    while below + counts[first] <= low:
        below += counts[first]
        first += 1
    last, upto = first, below + counts[first]
    while upto < high:
        last += 1
        upto += counts[last]
    even, odd = 0.0, 0.0
    for k in range(first, last, 2):
        even += ranked[k] * counts[k]
        odd += ranked[k + 1] * counts[k + 1]
    if (last - first) % 2 == 0:
        even += ranked[last] * counts[last]
    cut = ranked[first] * (low - below) + ranked[last] * (upto - high)
    return (even + odd - cut) / (high - low)


@numba.njit(cache=True, nogil=True)
def _joint_means(
    columns: NDArray[np.float64], seed: np.uint64, first: int, last: int, out: NDArray[np.float64]
) -> None:
    drawn = np.empty(columns.shape[1], np.uint32)
    for r in range(first, last):
        fill_below(stream_of(seed, r), drawn.shape[0], drawn)
        for column in range(columns.shape[0]):
            out[r, column] = _sum_drawn(columns[column], drawn) / drawn.shape[0]


@numba.njit(cache=True, nogil=True)
def _resampled_areas(
    above: NDArray[np.int32],
    under: NDArray[np.int32],
    count: int,
    seed: np.uint64,
    first: int,
    last: int,
    out: NDArray[np.float64],
) -> None:
    counts = np.empty((2, count), np.int32)
    for r in range(first, last):
        counts[:] = 0
        _add_draws(stream_of(seed, 2 * r), above, counts[0])
        _add_draws(stream_of(seed, 2 * r + 1), under, counts[1])
        out[r] = _area(counts[0], counts[1])


@numba.njit(cache=True, nogil=True)
def _add_draws(key: np.uint64, codes: NDArray[np.int32], counts: NDArray[np.int32]) -> None:
    """Draw N of ``codes`` (int32[N]) with replacement, and count them in ``counts``."""
    for k in range(codes.shape[0]):
        counts[codes[draw_below(key, k, codes.shape[0])]] += 1


@numba.njit(cache=True, nogil=True)
def _area(above: NDArray[np.int32], under: NDArray[np.int32]) -> float:
    """AUROC from how often each different score, ascending, occurs on the two sides."""
    wins, below, num_above = 0.0, 0.0, 0.0
    for k in range(above.shape[0]):
        wins += above[k] * (below + 0.5 * under[k])
        below += under[k]
        num_above += above[k]
    return wins / (below * num_above)


_KERNELS = {"mean": mean_replicates, "iqm": iqm_replicates, "share": mean_replicates}
