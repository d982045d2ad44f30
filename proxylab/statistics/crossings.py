"""Where a curve first crosses a level, with its interval over the units that were averaged."""

import numpy as np

from proxylab.statistics.resampling import REPLICATES, Interval, bootstrap_columns


def first_crossing(x, y, level):
    """Where the polygon through the points first reaches ``level``, coming from below.

    Args:
        x: float[P], ascending.
        y: float[P].
        level: in the unit of ``y``.

    Returns:
        float: ``x[0]`` where the curve begins at the level or above, infinity where it never
        gets there.
    """
    above = np.flatnonzero(np.asarray(y) >= level)
    if not len(above):
        return np.inf
    k = above[0]
    if k == 0:
        return float(x[0])
    share = (level - y[k - 1]) / (y[k] - y[k - 1])
    return float(x[k - 1] + share * (x[k] - x[k - 1]))


def crossings(x, values, level, rng, replicates=REPLICATES):
    """:func:`first_crossing` of the mean curves of resamples: float64[replicates].

    Equal generators resample the same units, so two calls give pairs.

    Args:
        x: float[P], ascending.
        values: float[N, P], a curve a unit (a seed); units are resampled whole.
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


def crossing_interval(x, values, level, rng, coverage=0.95, replicates=REPLICATES):
    """:func:`first_crossing` of the mean curve, with its percentile bootstrap interval.

    Args:
        x: float[P], ascending.
        values: float[N, P], a curve a unit.
        level: in the unit of ``values``.
        rng: numpy Generator.
        coverage: wanted, in (0, 1).
        replicates: number of resamples.

    Returns:
        :class:`~proxylab.statistics.resampling.Interval`; a bound is infinite where so many
        resamples never cross.
    """
    found = crossings(x, values, level, rng, replicates)
    tail = (1 - coverage) / 2
    low, high = np.quantile(found, [tail, 1 - tail], method="nearest")
    estimate = first_crossing(x, np.mean(values, axis=0), level)
    return Interval(estimate, float(low), float(high))
