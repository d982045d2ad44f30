"""Division of the trusted policies into reference and calibration, and calibration scores."""

import hashlib
import math
from typing import Any, NamedTuple

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
        known = [
            detector.score(state, episodes, score_draws(detector, episodes, draws))
            for episodes in calibration
        ]
    scores = np.array(known, np.float64)
    if np.isnan(scores).any():
        raise NotApplicable(f"{detector.name} is undefined for a calibration policy")
    return Calibration(state, scores)


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
