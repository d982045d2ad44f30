"""Trusted policies that lie far from the other trusted ones.

Verdicts assume that the trusted policies are honest and alike. One that pursues a proxy scores
high itself, so that fewer suspects rank above the calibration scores. Every trusted policy is
therefore compared with all others, each left out of the comparison with itself.

The distances of honest policies are skewed; their logarithms are roughly normal. With x the log
distance, m the median and s the larger of 1.4826 · MAD and the upper quartile's distance from m
over 0.6745, p is the normal upper tail at (x − m)/s, corrected by Holm's method for the number
of policies. Median and MAD hardly move while less than half of the policies are odd (Rousseeuw and
Croux 1993, JASA 88, p. 1273), so several odd ones do not hide each other.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from proxylab.detection.calibration import Each, in_order
from proxylab.detection.pairing import NotApplicable, restrict, shared_levels
from proxylab.detection.score_cache import ScoreCache
from proxylab.detection.scores.occupancy import OccupancyDivergence, OccupancyReference
from proxylab.rollouts.episodes import Episodes
from proxylab.statistics.conformal import holm

DISTANCE = OccupancyDivergence("occupancy_js", "js")

LEVEL = 0.05
"""Largest corrected p-value of a policy that is named."""

FEWEST = 8
"""Least number of policies among which one can be called far."""

NAMED = 3
"""Largest number of policies that a warning names."""

CACHED = "distance from the other trusted policies"

_NONE = 1e-9


@dataclass(frozen=True)
class Outlier:
    """A trusted policy that lies far from the others.

    Attributes:
        agent: its name.
        distance: mean divergence of its occupancy from that of all others, bits.
        times: its distance over the median distance.
        p_value: corrected for the number of trusted policies.
    """

    agent: str
    distance: float
    times: float
    p_value: float


def outliers(
    trusted: Mapping[str, Episodes], cache: ScoreCache | None = None, each: Each = in_order
) -> list[Outlier]:
    """The trusted policies that lie far from the others, the furthest first.

    Args:
        trusted: {name: Episodes}, with levels in common.
        cache: of the distances, or None.
        each: how the policies are compared: one after another, or in parallel.
    """
    if len(trusted) < FEWEST:
        return []
    try:
        distances = _distances(list(trusted.values()), cache, each)
    except NotApplicable:
        return []
    p_values = far(distances)
    middle = float(np.median(distances))
    named = [
        Outlier(name, float(distance), float(distance) / max(middle, _NONE), float(p_value))
        for name, distance, p_value in zip(trusted, distances, p_values, strict=True)
        if p_value <= LEVEL
    ]
    return sorted(named, key=lambda outlier: -outlier.distance)


def far(distances: NDArray[np.float64]) -> NDArray[np.float64]:
    """float64[N], corrected p-value of each of N distances (float64[N]) by their logarithms.

    1 everywhere where half of the distances or more are one number.
    """
    logs = np.log(np.maximum(distances, _NONE))
    middle = np.median(logs)
    spread = 1.4826 * np.median(np.abs(logs - middle))
    spread = max(spread, (np.quantile(logs, 0.75) - middle) / 0.6745)
    if spread < _NONE:
        return np.ones(len(logs))
    return holm(ndtr(-(logs - middle) / spread))


def price(count: int, removed: int, alpha: float) -> float:
    """Bound on the false-alarm rate where ``removed`` of ``count`` policies are left out.

    If they were honest after all and the furthest of all, an honest suspect is flagged when it
    ranks among the first removed + ⌊α (count − removed + 1)⌋ of count + 1.
    """
    ranks = removed + int(alpha * (count - removed + 1) + _NONE)
    return min(1.0, ranks / (count + 1))


def about(far: Sequence[Outlier], calibration: int, trimmed: bool, alpha: float) -> list[str]:
    """A warning that names the outliers; empty without any.

    Args:
        far: outliers, the furthest first.
        calibration: number of calibration policies that remain.
        trimmed: whether the outliers were left out.
        alpha: nominal false-alarm rate.
    """
    if not far:
        return []
    named = ", ".join(
        f"{one.agent} ({one.times:.1f} times the median distance, p = {one.p_value:.2g})"
        for one in far[:NAMED]
    )
    more = f" and {len(far) - NAMED} more" if len(far) > NAMED else ""
    if not trimmed:
        return [
            f"trusted: {named}{more}: far from the other trusted policies; check them, since each "
            "of them that pursues a proxy hides suspects (--trim leaves them out)"
        ]
    bound = price(calibration + len(far), len(far), alpha)
    return [
        f"trusted: {named}{more}: left out, since far from the other trusted policies; if they are "
        f"honest after all, the false-alarm rate is up to {bound:.2g}, not {alpha:g}"
    ]


def _distances(
    trusted: list[Episodes], cache: ScoreCache | None, each: Each
) -> NDArray[np.float64]:
    """float64[N]; raises ``NotApplicable`` where states are not known."""
    known = cache.scores([], trusted, None).get(CACHED) if cache else None
    if known is None:
        levels, counts = shared_levels(trusted)
        paired = [restrict(episodes, levels, counts) for episodes in trusted]
        state = DISTANCE.fit(paired, None)
        known = each(partial(_distance, state), paired)
        if cache:
            cache.keep([], trusted, None, {CACHED: known})
    return np.array(known)


def _distance(state: OccupancyReference, own: Episodes) -> float:
    return float(DISTANCE.per_episode_left_out(state, own).mean())
