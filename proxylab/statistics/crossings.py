"""Where a curve first crosses a level, with an interval over the averaged units."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from proxylab.statistics.resampling import REPLICATES, Interval, bootstrap_columns


def first_crossing(
    x: Sequence[float] | NDArray[Any], y: Sequence[float] | NDArray[Any], level: float
) -> float:
    """Where the polygon through the points first reaches ``level``, coming from below.

    Args:
        x: float[P], ascending.
        y: float[P].
        level: in the unit of ``y``.

    Returns:
        float: ``x[0]`` where the curve begins at the level or above, infinity where it never
        reaches it.
    """
    above = np.flatnonzero(np.asarray(y) >= level)
    if not len(above):
        return np.inf
    k = above[0]
    if k == 0:
        return float(x[0])
    share = (level - y[k - 1]) / (y[k] - y[k - 1])
    return float(x[k - 1] + share * (x[k] - x[k - 1]))


def crossings(
    x: Sequence[float] | NDArray[Any],
    values: Sequence[Sequence[float]] | NDArray[Any],
    level: float,
    rng: np.random.Generator,
    replicates: int = REPLICATES,
) -> NDArray[np.float64]:
    """:func:`first_crossing` of the mean curves of resamples: float64[replicates].

    Generators in equal states draw the same units, so the results of two calls are paired.

    Args:
        x: float[P], ascending.
        values: float[N, P], one curve per unit (a seed); whole units are resampled.
        level: in the unit of ``values``.
        rng: numpy Generator.
        replicates: number of resamples.

    Raises:
        ValueError: no units, NaN, or another number of points than ``x`` has.
    """
    values = np.asarray(values, np.float64)
    if values.ndim != 2 or values.shape[1] != len(x):
        raise ValueError(f"values must be float[N, {len(x)}], not {list(values.shape)}")
    means = bootstrap_columns(values.T, rng, replicates)
    return np.array([first_crossing(x, mean, level) for mean in means])


def crossing_interval(
    x: Sequence[float] | NDArray[Any],
    values: Sequence[Sequence[float]] | NDArray[Any],
    level: float,
    rng: np.random.Generator,
    coverage: float = 0.95,
    replicates: int = REPLICATES,
) -> Interval:
    """:func:`first_crossing` of the mean curve, with its percentile bootstrap interval.

    Args:
        x: float[P], ascending.
        values: float[N, P], one curve per unit.
        level: in the unit of ``values``.
        rng: numpy Generator.
        coverage: nominal coverage, in (0, 1).
        replicates: number of resamples.

    Returns:
        :class:`~proxylab.statistics.resampling.Interval`; a bound is infinite where more than
        the tail share of resamples never crosses.
    """
    positions = crossings(x, values, level, rng, replicates)
    tail = (1 - coverage) / 2
    low, high = np.quantile(positions, [tail, 1 - tail], method="nearest")
    estimate = first_crossing(x, np.mean(values, axis=0), level)
    return Interval(estimate, float(low), float(high))
