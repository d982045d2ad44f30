"""Scaling forms of overoptimisation: a proxy's gain as a function of d = √KL.

Gao, Schulman and Hilton 2022, "Scaling Laws for Reward Model Overoptimization", arXiv 2210.10760,
with d the square root of the KL divergence from the initial policy,

    best-of-n:  R(d) = d (α − β d),        RL:  R(d) = d (α − β ln d),        R(0) = 0.

R is the *gain* over the initial policy. Both forms are linear in α and β: least squares.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import ArrayLike, NDArray

from proxylab.statistics.resampling import REPLICATES, Interval, bootstrap_columns

BEST_OF_N, RL = "best-of-n", "rl"
Array = NDArray[np.float64]


def _log(d: Array) -> Array:
    """The logarithm, and 0 at d = 0, where it is multiplied by 0."""
    return np.log(np.where(d > 0, d, 1.0))


SLOPES: MappingProxyType[str, Callable[[Array], Array]] = MappingProxyType(
    {BEST_OF_N: lambda d: d, RL: _log}
)
"""{form: g} with R(d) = d (α − β g(d))."""


@dataclass(frozen=True)
class ScalingFit:
    """A form fitted to gains.

    Attributes:
        form: ``best-of-n`` or ``rl``.
        alpha: α with its 95 % bootstrap interval over seeds.
        beta: β with its interval.
        peak: d at which the form turns, with its interval; infinite where β ≤ 0.
        rms: root mean square of the residuals, in the unit of the gain.
        r_squared: 1 − residual over total sum of squares; 0 or less: no better than the mean.
        seeds: number of seeds.
        points: number of points of all seeds.
    """

    form: str
    alpha: Interval
    beta: Interval
    peak: Interval
    rms: float
    r_squared: float
    seeds: int
    points: int

    def gain(self, distance: ArrayLike) -> NDArray[np.float64]:
        """R at the distances d (float[D]): float64[D]."""
        d = np.asarray(distance, np.float64)
        return d * (self.alpha.estimate - self.beta.estimate * SLOPES[self.form](d))


def fit_scaling(
    distances: ArrayLike,
    gains: ArrayLike,
    form: str,
    rng: np.random.Generator,
    replicates: int = REPLICATES,
) -> ScalingFit:
    """α and β by least squares over the points of all seeds, intervals by resampling seeds.

    Args:
        distances: float[S, D], d = √KL of each point of each seed; NaN where a point is missing.
        gains: float[S, D], the proxy's gain over the initial policy there.
        form: ``best-of-n`` or ``rl``.
        rng: numpy Generator, of the bootstrap.
        replicates: number of resamples.

    Raises:
        ValueError: an unknown form, shapes that differ, a negative distance, or a seed with
            fewer than two different positive distances.
    """
    d, gain, known = _checked(distances, gains, form)
    first = np.where(known, d, 0)
    second = np.where(known, -d * SLOPES[form](d), 0)
    products = ((first, first), (first, second), (second, second), (first, gain), (second, gain))
    sums = np.array([(a * b).sum(axis=1) for a, b in products])
    alpha, beta = _solve(sums.mean(axis=1))
    alphas, betas = _solve(bootstrap_columns(sums, rng, replicates).T)
    residuals = (gain - first * alpha - second * beta)[known]
    total = np.sum((gain[known] - gain[known].mean()) ** 2)
    unexplained = float(np.sum(residuals**2))
    return ScalingFit(
        form=form,
        alpha=_interval(alpha, alphas),
        beta=_interval(beta, betas),
        peak=_interval(_peak(form, alpha, beta), _peak(form, alphas, betas)),
        rms=math.sqrt(unexplained / known.sum()),
        r_squared=1 - unexplained / float(total) if total > 0 else math.nan,
        seeds=len(d),
        points=int(known.sum()),
    )


def _checked(
    distances: ArrayLike, gains: ArrayLike, form: str
) -> tuple[Array, Array, NDArray[np.bool_]]:
    """(d float64[S, D], gain float64[S, D], known bool[S, D]); 0 where a point is missing."""
    if form not in SLOPES:
        raise ValueError(f"unknown form {form!r}: choose {', '.join(SLOPES)}")
    d, gain = np.asarray(distances, np.float64), np.asarray(gains, np.float64)
    if d.ndim != 2 or d.shape != gain.shape:
        raise ValueError(f"distances {d.shape} and gains {gain.shape} must be of one [S, D]")
    known = np.isfinite(d) & np.isfinite(gain)
    d, gain = np.where(known, d, 0.0), np.where(known, gain, 0.0)
    if (d < 0).any():
        raise ValueError("a distance is negative: d is the square root of a KL divergence")
    if not len(d) or min(len(set(row[row > 0].tolist())) for row in d) < 2:
        raise ValueError("each seed needs two different positive distances to fit α and β")
    return d, gain, known


def _solve(sums: Array) -> tuple[Array, Array]:
    """(α, β) of normal equations; rows of ``sums``: xx, xy, yy, xR, yR, each float64[...]."""
    xx, xy, yy, xr, yr = sums
    determinant = xx * yy - xy**2
    return (yy * xr - xy * yr) / determinant, (xx * yr - xy * xr) / determinant


def _peak(form: str, alpha: Array, beta: Array) -> Array:
    """The d of the maximum: α/(2β) for best-of-n, exp(α/β − 1) for RL; infinite where β ≤ 0."""
    alpha, beta = np.asarray(alpha), np.asarray(beta)
    ratio = np.divide(alpha, beta, out=np.full(beta.shape, np.inf), where=beta > 0)
    with np.errstate(over="ignore"):
        place = np.maximum(ratio / 2, 0) if form == BEST_OF_N else np.exp(ratio - 1)
    return np.where(beta > 0, place, np.inf)


def _interval(estimate: Array | float, replicated: Array) -> Interval:
    """95 % percentiles; without interpolation, since values may be infinite."""
    low, high = np.quantile(replicated, [0.025, 0.975], method="nearest")
    return Interval(float(estimate), float(low), float(high))
