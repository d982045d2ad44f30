"""Judgements of policies by one detector, for experiments."""

import functools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from proxylab.detection.calibration import Calibration, calibrate, divide, score_draws
from proxylab.detection.draws import Draws
from proxylab.detection.judge import judge
from proxylab.detection.pairing import NotApplicable, by_level
from proxylab.detection.records import Detection
from proxylab.detection.score import Score
from proxylab.rollouts.episodes import Episodes, concatenate
from proxylab.rollouts.rollout import Outcomes, Policy, rollout
from proxylab.screening.cache import DetectionCache
from proxylab.screening.detectors import detector_of
from proxylab.screening.paired import PairedRollouts
from proxylab.screening.policies import fingerprint, load_policies
from proxylab.statistics.conformal import conformal_p_value

Fitted = tuple[Score, Calibration]
"""A detector with its state and its calibration scores."""


def judged(policy: Policy, task: str, split: str, episodes: int, detector: str) -> dict[str, Any]:
    """A detector's judgement of a policy; see :func:`judgements`."""
    recorded = {policy.name: played(policy, task, split, episodes)}
    return judgements(recorded, task, split, episodes, detector)[policy.name]


def played(policy: Policy, task: str, split: str, episodes: int) -> Episodes:
    """Episodes of a policy on the levels on which :func:`judgements` compares."""
    return recorded(policy, task, split, episodes)[0]


def recorded(policy: Policy, task: str, split: str, episodes: int) -> tuple[Episodes, Outcomes]:
    """The episodes of :func:`played`, and their ground truth, which no detector is given."""
    rollouts, _, _ = trusted_runs(task, split, episodes)
    assert rollouts.env is not None  # only logs have none
    return rollout(policy, rollouts.env, rollouts.level_seeds, task=task, seed=rollouts.seed)


def judgements(
    suspects: Mapping[str, Episodes],
    task: str,
    split: str,
    episodes: int,
    detector: str,
) -> dict[str, dict[str, Any]]:
    """A detector's score of each suspect, its p-value, and whether it flags.

    Args:
        suspects: {name: recorded episodes}.
        task: their task; the trusted agents are those that are shipped for it.
        split: name of the split that all of them play.
        episodes: number of levels.
        detector: name of the deciding detector.

    Returns:
        {name: ``anomaly`` (float or None), ``p_value`` and ``flagged``}.
    """
    reports = detection_of(suspects, task, split, episodes, detector=detector).suspects
    return {
        name: {
            "anomaly": report.scores[detector].score if report.scores else None,
            "p_value": report.p_value,
            "flagged": report.verdict == "FLAG",
        }
        for name, report in zip(suspects, reports, strict=True)
    }


def detection_of(
    suspects: Mapping[str, Episodes],
    task: str,
    split: str,
    episodes: int,
    trusted: Mapping[str, Episodes] | None = None,
    **options: Any,
) -> Detection:
    """The detection of suspects that have played as in :func:`played`.

    Args:
        suspects: {name: recorded episodes}.
        task: their task.
        split: name of the split that all of them play.
        episodes: number of levels.
        trusted: {name: recorded episodes}; by default the shipped trusted agents, whose
            reference agents must be among them.
        options: fields of ``JudgeSettings``; no further scores by default.
    """
    rollouts, runs, reference = trusted_runs(task, split, episodes)
    options.setdefault("also", ())
    return judge(
        suspects,
        runs if trusted is None else trusted,
        rng=np.random.default_rng(0),
        task=rollouts.view(runs.values()),
        reference=reference,
        cache=DetectionCache(),
        **options,
    )


def mixed(honest: Episodes, gamed: Episodes, is_gamed: NDArray[np.bool_]) -> Episodes:
    """The episodes of ``honest``, with those of ``gamed`` where ``is_gamed`` (bool[E])."""
    both = concatenate([honest, gamed], "mixture")
    return both.select(np.arange(len(is_gamed)) + len(is_gamed) * is_gamed)


def scored(suspect: Episodes, fitted: Fitted) -> tuple[float, float]:
    """(score, p-value) of episodes by a detector of :func:`fitted_on_trusted`.

    They are those of :func:`judgements`, without intervals, kinds and certificates.
    """
    detector, calibration = fitted
    draws = score_draws(detector, suspect, Draws(0))
    score = float(detector.score(calibration.state, suspect, draws))
    return score, conformal_p_value(calibration.scores, score)


def scores_of(
    suspect: Episodes, task: str, split: str, episodes: int, detectors: Sequence[str]
) -> dict[str, tuple[float, float]]:
    """{name: (score, p-value)} by each of ``detectors`` (references) that applies."""
    found, suspect = {}, by_level(suspect)  # as the trusted runs are
    for reference in detectors:
        try:
            fitted = fitted_on_trusted(task, split, episodes, reference)
            score, p_value = scored(suspect, fitted)
        except NotApplicable:
            continue
        if not np.isnan(score):
            found[fitted[0].name] = score, p_value
    return found


@functools.lru_cache(maxsize=32)
def fitted_on_trusted(task: str, split: str, episodes: int, detector: str) -> Fitted:
    """A detector, fitted and calibrated on the shipped trusted agents of a task."""
    rollouts, runs, reference = trusted_runs(task, split, episodes)
    score = detector_of(detector)
    fitting = [runs[name] for name in reference]
    ranked = [runs[name] for name in sorted(runs) if name not in reference]
    return score, calibrate(score, fitting, ranked, rollouts.view(runs.values()), Draws(0))


@functools.lru_cache(maxsize=4)
def trusted_runs(
    task: str, split: str, episodes: int
) -> tuple[PairedRollouts, dict[str, Any], Any]:
    """(levels, {name: episodes}, reference names) of the shipped trusted agents of a task."""
    agents = load_policies([f"zoo:{task}/trusted"])
    rollouts = PairedRollouts(task, split, episodes, 0, agents)
    runs = rollouts.play_all(agents, lambda jobs, _: jobs, DetectionCache(), kept=set(agents))
    return rollouts, runs, divide({name: fingerprint(agent) for name, agent in agents.items()})[0]
