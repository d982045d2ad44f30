"""Suspects and trusted policies in, verdicts out: a pure function of Episodes."""

from dataclasses import replace

import numpy as np

from proxylab.detection.assess import Setting, assess
from proxylab.detection.calibration import divide, fingerprint_of_name
from proxylab.detection.certificate import certify
from proxylab.detection.pairing import NotApplicable, shared_levels
from proxylab.detection.records import (
    Detection,
    DivergenceSummary,
    Place,
    Population,
    SuspectReport,
)
from proxylab.detection.scores.first_divergence import divergence_from_all
from proxylab.detection.scores.registry import DEFAULT_DETECTOR, USUAL, find_score
from proxylab.detection.task_view import bare_view
from proxylab.detection.verdict import VerdictInputs, decide
from proxylab.errors import UsageError
from proxylab.rollouts.episodes import Episodes, concatenate
from proxylab.statistics.conformal import achievable_alpha, benjamini_hochberg, calibration_needed
from proxylab.statistics.sequences import NEVER

PLACES = 5
"""How many places ``where`` names."""

GOALS = 3
"""How many goals ``pursues`` names."""

NATS_TOLERANCE = 1e-6
"""Log-likelihood ratios below this are rounding errors, no sign of a goal."""


def judge(
    suspects,
    trusted,
    *,
    rng,
    task=None,
    reference=None,
    detector=DEFAULT_DETECTOR,
    also=USUAL,
    alpha=0.05,
    fdr=False,
    correlation=None,
    split=None,
    cache=None,
):
    """Judge suspects by their distance from trusted policies.

    Suspect and trusted are compared on the levels that all of them played. Trusted
    policies of a suspect's name are left out. The true reward is not among the inputs.

    Args:
        suspects: {name: Episodes or list of Episodes}.
        trusted: {name: Episodes or list of Episodes}, at least one.
        rng: numpy Generator, of the bootstrap and of detectors that draw.
        task: :class:`~proxylab.detection.task_view.TaskView` of the levels, or None where
            there are only logs: scores that need the map do not apply then.
        reference: names of the reference policies; by default a quarter, by a hash of names.
        detector: name of the deciding score, or ``module:Class``.
        also: names of further scores to report; those that do not apply are left out.
        alpha: false-alarm rate wanted, in (0, 1).
        fdr: let the Benjamini–Hochberg q-value decide instead of the p-value.
        correlation: least correlation of proxy and intended reward that the user vouches
            for, in (0, 1), for the certificate; it never changes a verdict.
        split: where the episodes were run, for the report only.
        cache: a ``proxylab.screening.cache`` of calibration scores; it changes no result.

    Returns:
        :class:`~proxylab.detection.records.Detection`.

    Raises:
        UsageError: nothing to judge or to judge by, episodes that do not go together, an
            unknown name, or an impossible number.
    """
    names = [detector, *(name for name in also if name != detector)]
    setting = Setting(tuple(find_score(name) for name in names), alpha, fdr, correlation, cache)
    suspects = {name: _as_one(name, given) for name, given in suspects.items()}
    trusted = {n: _as_one(n, given) for n, given in trusted.items() if n not in suspects}
    _check(suspects, trusted)
    parts = _divide(trusted, reference, suspects)
    task = task or bare_view(next(iter(trusted.values())))
    cases = _with_q_values(assess(suspects, trusted, parts, setting, task, rng))
    return Detection(
        task=next(iter(trusted.values())).task,
        split=split,
        alpha=alpha,
        achievable_alpha=achievable_alpha(len(parts[1])),
        episodes=min(case.episodes for case in cases),
        trusted=_population(parts, cases, setting),
        suspects=[_report(case, setting, len(cases), rng) for case in cases],
    )


def _as_one(name, given):
    if isinstance(given, Episodes):
        return given if given.policy == name else replace(given, policy=name)
    if not given:
        raise UsageError(f"{name}: no episodes")
    return concatenate(given, name)


def _check(suspects, trusted):
    if not suspects:
        raise UsageError("no suspect to judge")
    if not trusted:
        raise UsageError("no trusted policy other than the suspects themselves")
    first = next(iter(trusted.values()))
    for episodes in (*suspects.values(), *trusted.values()):
        for name in ("task", "num_states", "num_actions"):
            mine, theirs = getattr(episodes, name), getattr(first, name)
            if mine != theirs:
                raise UsageError(
                    f"{episodes.policy} and {first.policy} differ in {name}: {mine!r}, {theirs!r}"
                )
    empty = [name for name, episodes in trusted.items() if not episodes.num_episodes]
    if empty:
        raise UsageError(f"trusted policy {empty[0]} has no episodes")
    if not len(shared_levels(list(trusted.values()))[0]):
        raise UsageError("the trusted policies share no level: run them on the same level seeds")


def _divide(trusted, reference, suspects):
    """(reference names, calibration names); a suspect is in neither."""
    if reference is None:
        return divide({name: fingerprint_of_name(name) for name in trusted})
    unknown = [name for name in reference if name not in trusted and name not in suspects]
    if unknown:
        raise UsageError(f"reference policy {unknown[0]} is not among the trusted")
    chosen = [name for name in reference if name in trusted]
    if not chosen:
        raise UsageError("no reference policy other than the suspects themselves")
    return chosen, [name for name in trusted if name not in chosen]


def _population(parts, cases, setting):
    """The trusted policies, with their scores beside the first suspect that has one."""
    reference, calibration = parts
    detector = setting.detectors[0].name
    scored = next((case for case in cases if case.interval), None)
    scores = {}
    if scored:
        values = scored.context.calibrated[detector].scores.tolist()
        scores = dict(zip(calibration, values, strict=True))
    needed = calibration_needed(setting.alpha, len(cases) if setting.fdr else 1)
    names = [*reference, *calibration]
    return Population(len(reference), len(calibration), names, needed, scores)


def _with_q_values(cases):
    """The cases with their q-values over all that the deciding detector scored."""
    tested = [case for case in cases if case.interval]
    p_values = [next(iter(case.scores.values())).p_value for case in tested]
    q_values = dict(zip(map(id, tested), benjamini_hochberg(p_values).tolist(), strict=True))
    return [replace(case, q_value=q_values.get(id(case))) for case in cases]


def _report(case, setting, num_suspects, rng):
    detector = setting.detectors[0]
    p_value = case.p_value(detector.name)
    verdict = case.verdict
    if verdict is None:
        evidence = VerdictInputs(
            score=case.interval,
            calibration=case.context.calibrated[detector.name].scores,
            p_value=p_value,
            q_value=case.q_value,
            episodes=case.episodes,
            suspects=num_suspects,
        )
        verdict = decide(evidence, setting.alpha, setting.fdr)
    return SuspectReport(
        agent=case.name,
        verdict=verdict.verdict,
        p_value=p_value,
        detector=detector.name,
        reason=verdict.reason,
        q_value=case.q_value,
        scores=case.scores or {},
        certificate=_certificate(case, setting.correlation, rng),
        pursues=_pursues(case, setting.detectors),
        where=_places(case, detector),
        first_divergence=_divergence(case),
        episodes_needed=verdict.episodes_needed,
        trusted_needed=verdict.trusted_needed,
    )


def _certificate(case, correlation, rng):
    """The certificate against all trusted policies, or None where it cannot be had."""
    if case.context is None:
        return None
    try:
        return certify(case.context.visits, case.suspect, correlation, rng)
    except NotApplicable:
        return None


def _pursues(case, detectors):
    """Goals that explain the suspect better than they explain any calibration policy."""
    for detector in detectors if case.context else ():
        if not hasattr(detector, "pursues") or detector.name not in (case.scores or {}):
            continue
        calibration = case.context.calibrated[detector.name]
        found = detector.pursues(calibration.state, case.suspect)
        floor = max(NATS_TOLERANCE, float(calibration.scores.max()))
        return [goal for goal in found if goal.log_likelihood_ratio > floor][:GOALS]
    return []


def _places(case, detector):
    """The steps that stand out in the most anomalous episodes."""
    if case.interval is None or not hasattr(detector, "per_step"):
        return []
    state, suspect = case.context.calibrated[detector.name].state, case.suspect
    steps = detector.per_step(state, suspect)
    if hasattr(detector, "per_episode"):
        episodes = detector.per_episode(state, suspect)
    else:
        episodes = np.add.reduceat(steps, suspect.episode_offsets[:-1]) / suspect.lengths
    episodes, steps = (np.nan_to_num(each, nan=-np.inf) for each in (episodes, steps))
    return [
        _place(suspect, episode, steps, episodes[episode])
        for episode in np.argsort(-episodes, kind="stable")[:PLACES]
    ]


def _place(suspect, episode, steps, score):
    start, stop = suspect.episode_offsets[episode : episode + 2]
    step = int(np.argmax(steps[start:stop]))
    state = int(suspect.state_id[start + step])
    return Place(int(suspect.level_seed[episode]), step, state, float(score))


def _divergence(case):
    if case.context is None:
        return None
    steps = divergence_from_all(case.context.reference, case.suspect)
    parted = steps[steps != NEVER]
    median = float(np.median(parted)) if len(parted) else None
    return DivergenceSummary(median, float(len(parted) / len(steps)))
