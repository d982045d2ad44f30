"""Division of the trusted policies into reference and calibration, and calibration scores."""

import hashlib
import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from proxylab.detection.draws import Draws
from proxylab.detection.pairing import NotApplicable
from proxylab.detection.score import Score, has_packing
from proxylab.detection.score_cache import ScoreCache
from proxylab.detection.task_view import TaskView
from proxylab.rollouts.episodes import Episodes
from proxylab.statistics.conformal import calibration_needed

MIN_REFERENCE = 3
"""Least number of reference policies."""

MIN_CALIBRATION = 4
"""Least number of calibration policies: fewer have no meaningful quartiles."""

_ROUNDING = 1e-9


Each: TypeAlias = Callable[[Callable[[Episodes], Any], Sequence[Episodes]], list[Any]]
"""Calls a picklable function of every policy: the results in the order of the policies."""


def in_order(function: Callable[[Episodes], Any], policies: Sequence[Episodes]) -> list[Any]:
    """One after another, in this process."""
    return [function(episodes) for episodes in policies]


class Calibration(NamedTuple):
    """A detector fitted on reference policies, with the calibration policies' scores.

    Attributes:
        state: what the detector's ``fit`` returned.
        scores: float64[n_calibration], none NaN.
    """

    state: Any
    scores: NDArray[np.float64]


def reference_count(num_trusted: int) -> int:
    """Number of reference policies: a quarter of the trusted, at least ``MIN_REFERENCE``."""
    return max(MIN_REFERENCE, num_trusted // 4)


def divide(fingerprints: dict[str, str]) -> tuple[list[str], list[str]]:
    """Reference and calibration policies, in the order of their fingerprints.

    The order of hashes of the weights is a random order that cannot be chosen and is the
    same in every run.

    Args:
        fingerprints: {policy name: hash, a hexadecimal str}.

    Returns:
        (list[str], list[str]): the reference names, the calibration names.
    """
    ranked = sorted(fingerprints, key=lambda name: (fingerprints[name], name))
    count = reference_count(len(ranked))
    return ranked[:count], ranked[count:]


def fingerprint_of_name(name: str) -> str:
    """Fingerprint of a policy whose weights are unknown (logs): the hash of its name."""
    return hashlib.sha256(name.encode()).hexdigest()


def enough_trusted(num_calibration: int) -> bool:
    """Whether there are enough calibration policies for a verdict."""
    return num_calibration >= MIN_CALIBRATION


def trusted_needed(alpha: float, num_suspects: int = 1) -> int:
    """Fewest trusted policies with which a suspect can be flagged at ``alpha``.

    Includes the reference policies; ``num_suspects`` as in ``calibration_needed``.
    """
    return trusted_of(calibration_needed(alpha, num_suspects))


def trusted_of(calibration: float) -> int:
    """Fewest trusted policies that leave ``calibration`` of them besides the reference."""
    total = math.ceil(calibration - _ROUNDING) + MIN_REFERENCE
    while total - reference_count(total) < calibration - _ROUNDING:
        total += 1
    return total


def memory_key(detector: Score) -> str | None:
    """Key of a detector's scores in the cache; None for an external detector (not cached)."""
    return repr(detector) if type(detector).__module__.startswith("proxylab.") else None


def calibrate(
    detector: Score,
    reference: list[Episodes],
    calibration: list[Episodes],
    task: TaskView,
    draws: Draws,
    known: list[float] | None = None,
    cache: ScoreCache | None = None,
) -> Calibration:
    """Fit a detector and score every calibration policy against the same reference.

    Args:
        detector: a :class:`~proxylab.detection.scores.registry.Score`.
        reference: list of paired Episodes.
        calibration: list of Episodes on the same levels.
        task: :class:`~proxylab.detection.task_view.TaskView` that covers these levels.
        draws: :class:`~proxylab.detection.draws.Draws`; each policy is scored with its own.
        known: the scores from the cache, or None to compute them.
        cache: of fitted states, or None.

    Raises:
        NotApplicable: the detector cannot score these episodes.
    """
    state = fitted(detector, reference, task, cache)
    if known is None:
        known = [_score(detector, state, draws, episodes) for episodes in calibration]
    return _checked(detector, state, known)


def calibrate_all(
    detectors: Sequence[Score],
    reference: list[Episodes],
    calibration: list[Episodes],
    task: TaskView,
    draws: Draws,
    known: Mapping[str, list[float]],
    cache: ScoreCache | None = None,
    each: Each = in_order,
) -> dict[str, Calibration | NotApplicable]:
    """:func:`calibrate` of several detectors, which look at every policy in turn.

    Args:
        detectors: of different names.
        reference: see :func:`calibrate`, as the next three.
        calibration: policies to score.
        task: of these levels.
        draws: of every policy.
        known: {:func:`memory_key` of a detector: scores from the cache}.
        cache: of fitted states, or None.
        each: how the policies are scored: one after another, or in parallel.

    Returns:
        {detector name: Calibration, or the NotApplicable that says why there is none}.
    """
    states: dict[str, Any] = {}
    for detector in detectors:
        try:
            states[detector.name] = fitted(detector, reference, task, cache)
        except NotApplicable as obstacle:
            states[detector.name] = obstacle
    keys = {detector.name: memory_key(detector) or "" for detector in detectors}
    able = [d for d in detectors if not isinstance(states[d.name], NotApplicable)]
    new = [(d, states[d.name]) for d in able if keys[d.name] not in known]
    rows = each(partial(_scores, new, draws), calibration) if new else []
    calibrated: dict[str, Calibration | NotApplicable] = {d.name: states[d.name] for d in detectors}
    for detector in able:
        scores = known.get(keys[detector.name]) or [row[detector.name] for row in rows]
        try:
            calibrated[detector.name] = _checked(detector, states[detector.name], scores)
        except NotApplicable as obstacle:
            calibrated[detector.name] = obstacle
    return calibrated


def _scores(
    fitted: Sequence[tuple[Score, Any]], draws: Draws, episodes: Episodes
) -> dict[str, float | NotApplicable]:
    """{detector: score of a policy, or the NotApplicable that says why there is none}."""
    scores: dict[str, float | NotApplicable] = {}
    for detector, state in fitted:
        try:
            scores[detector.name] = _score(detector, state, draws, episodes)
        except NotApplicable as obstacle:
            scores[detector.name] = obstacle
    return scores


def _score(detector: Score, state: Any, draws: Draws, episodes: Episodes) -> float:
    return detector.score(state, episodes, score_draws(detector, episodes, draws))


def _checked(detector: Score, state: Any, scores: Sequence[float | NotApplicable]) -> Calibration:
    """The Calibration; raises the first obstacle among the scores."""
    for score in scores:
        if isinstance(score, NotApplicable):
            raise score
    values = np.array(scores, np.float64)
    if np.isnan(values).any():
        raise NotApplicable(f"{detector.name} is undefined for a calibration policy")
    return Calibration(state, values)


def fitted(
    detector: Score, reference: list[Episodes], task: TaskView, cache: ScoreCache | None
) -> Any:
    """What a detector's ``fit`` returns; from the cache if the detector's state can be stored."""
    key = memory_key(detector)
    if cache is None or key is None or not has_packing(detector):
        return detector.fit(reference, task)
    return cache.fitted(key, reference, task, detector.packing(reference, task))


def score_draws(detector: Score, episodes: Episodes, draws: Draws) -> np.random.Generator:
    """The numpy Generator with which a detector scores a policy, suspect or trusted."""
    return draws.of(f"score {detector.name}", episodes)
