"""Division of the trusted policies, and the scores of the calibration ones."""

import hashlib
import math
from typing import NamedTuple

import numpy as np

from proxylab.detection.pairing import NotApplicable
from proxylab.statistics.conformal import calibration_needed

MIN_REFERENCE = 3
"""Least number of reference policies."""

MIN_CALIBRATION = 4
"""Least number of calibration policies: quartiles of fewer mean nothing."""

_ROUNDING = 1e-9


class Calibration(NamedTuple):
    """A detector fitted on reference policies, with the calibration policies' scores.

    Attributes:
        state: what the detector's ``fit`` returned.
        scores: float64[n_calibration], none NaN.
    """

    state: object
    scores: np.ndarray


def reference_count(num_trusted):
    """How many of the trusted policies are reference: a quarter, at least ``MIN_REFERENCE``."""
    return max(MIN_REFERENCE, num_trusted // 4)


def divide(fingerprints):
    """Reference and calibration policies, in the order of their fingerprints.

    A hash of the weights is as good as a random draw, but nobody can choose it, and
    it is the same in every run.

    Args:
        fingerprints: {policy name: hash, a hexadecimal str}.

    Returns:
        (list[str], list[str]): the reference names, the calibration names.
    """
    ranked = sorted(fingerprints, key=lambda name: (fingerprints[name], name))
    count = reference_count(len(ranked))
    return ranked[:count], ranked[count:]


def fingerprint_of_name(name):
    """A stand-in where the weights are not known (logs): the hash of the policy's name."""
    return hashlib.sha256(name.encode()).hexdigest()


def enough_trusted(num_calibration):
    """Whether verdicts can rest on the calibration policies at all."""
    return num_calibration >= MIN_CALIBRATION


def trusted_needed(alpha, num_suspects=1):
    """Fewest trusted policies with which a suspect can be flagged at ``alpha``.

    Counts the reference policies in; ``num_suspects`` as in ``calibration_needed``.
    """
    return trusted_of(calibration_needed(alpha, num_suspects))


def trusted_of(calibration):
    """Fewest trusted policies of which ``calibration`` (a number) remain beside the reference."""
    total = math.ceil(calibration - _ROUNDING) + MIN_REFERENCE
    while total - reference_count(total) < calibration - _ROUNDING:
        total += 1
    return total


def memory_key(detector):
    """Under which name a detector's scores are remembered; None for one from elsewhere."""
    return repr(detector) if type(detector).__module__.startswith("proxylab.") else None


def calibrate(detector, reference, calibration, task, rng, known=None):
    """Fit a detector and score every calibration policy against the same reference.

    Args:
        detector: a :class:`~proxylab.detection.scores.registry.Score`.
        reference: list of paired Episodes.
        calibration: list of Episodes on the same levels.
        task: :class:`~proxylab.detection.task_view.TaskView` that knows these levels, or none.
        rng: numpy Generator, handed to the detector.
        known: list of float, the scores where they are remembered, or None.

    Raises:
        NotApplicable: the detector cannot score these episodes.
    """
    state = detector.fit(reference, task)
    if known is None:
        known = [detector.score(state, episodes, rng) for episodes in calibration]
    scores = np.array(known, np.float64)
    if np.isnan(scores).any():
        raise NotApplicable(f"{detector.name} is undefined for a calibration policy")
    return Calibration(state, scores)
