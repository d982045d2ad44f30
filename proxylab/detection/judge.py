"""Suspects and trusted policies in, verdicts out: a pure function of Episodes."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from proxylab.detection.assess import Setting, SuspectCase, assess
from proxylab.detection.calibration import Each, divide, fingerprint_of_name, in_order
from proxylab.detection.certificate import certify
from proxylab.detection.draws import Draws
from proxylab.detection.kinds import STANDS_OUT, Difference, difference_of
from proxylab.detection.pairing import NotApplicable, shared_levels
from proxylab.detection.population import Outlier, about, outliers
from proxylab.detection.records import (
    Certificate,
    Detection,
    DivergenceSummary,
    Place,
    Population,
    Pursuit,
    SuspectReport,
)
from proxylab.detection.score import Score, has_episodes, has_goals, has_steps, has_values
from proxylab.detection.score_cache import ScoreCache
from proxylab.detection.scores.first_divergence import divergence_from_all
from proxylab.detection.scores.rare_episodes import RareEpisodes
from proxylab.detection.scores.registry import BRIEF, find_score
from proxylab.detection.settings import JudgeSettings
from proxylab.detection.task_view import TaskView, bare_view
from proxylab.detection.verdict import FLAG, Verdict, VerdictInputs, decide
from proxylab.errors import UsageError
from proxylab.rollouts.episodes import Episodes, concatenate
from proxylab.statistics.conformal import achievable_alpha, benjamini_hochberg, calibration_needed
from proxylab.statistics.sequences import NEVER

PLACES = 5
"""Number of places in ``where``."""

GOALS = 3
"""Largest number of goals in ``pursues``."""

NATS_TOLERANCE = 1e-6
"""Log-likelihood ratios below this are rounding errors, not evidence of a goal."""


@dataclass(frozen=True)
class SuspectGroup:
    """Suspects that are judged against the same trusted policies.

    Attributes:
        suspects: {name: Episodes}.
        trusted: {name: Episodes}, none of them a suspect of this group.
        task: :class:`~proxylab.detection.task_view.TaskView` of the levels, or None.
        reference: names of the reference policies, or None for a quarter by a hash of names.
    """

    suspects: dict[str, Episodes]
    trusted: dict[str, Episodes]
    task: TaskView | None = None
    reference: Sequence[str] | None = None


def judge(
    suspects: Mapping[str, Episodes | Sequence[Episodes]],
    trusted: Mapping[str, Episodes | Sequence[Episodes]],
    settings: JudgeSettings | None = None,
    *,
    rng: np.random.Generator,
    task: TaskView | None = None,
    reference: Sequence[str] | None = None,
    split: str | None = None,
    cache: ScoreCache | None = None,
    **options: Any,
) -> Detection:
    """Judge suspects by their distance from trusted policies.

    Suspect and trusted are compared on the levels that both have. The record of a suspect does
    not depend on the other suspects, except for its q-value and, with ``fdr``, its verdict; a
    trusted policy of the same name is left out. The true reward is not among the inputs.

    Args:
        suspects: {name: Episodes or list of Episodes}.
        trusted: {name: Episodes or list of Episodes}, at least one.
        settings: see :class:`~proxylab.detection.settings.JudgeSettings`.
        rng: numpy Generator, which gives the seed of all draws.
        task: :class:`~proxylab.detection.task_view.TaskView` of the levels, or None for
            logs alone: scores that need the map do not apply then.
        reference: names of the reference policies; by default a quarter, by a hash of names.
        split: where the episodes were run, for the report only.
        cache: a ``proxylab.screening.cache`` of calibration scores; it changes no result.
        options: fields of the settings that differ from ``settings``.

    Returns:
        :class:`~proxylab.detection.records.Detection`.

    Raises:
        UsageError: no suspect, no trusted policy, incompatible episodes, an unknown name,
            or a setting out of range.
    """
    settings = replace(settings or JudgeSettings(), **options)
    suspects = {name: _as_one(name, episodes) for name, episodes in suspects.items()}
    trusted = {name: _as_one(name, episodes) for name, episodes in trusted.items()}
    if reference is not None:
        _check_reference(reference, trusted, suspects)
    apart = {name: e for name, e in suspects.items() if name not in trusted}
    groups = [SuspectGroup(apart, trusted, task, reference)] if apart else []
    for name in suspects.keys() - apart.keys():
        others = {n: e for n, e in trusted.items() if n != name}
        groups.append(SuspectGroup({name: suspects[name]}, others, task, reference))
    return judge_groups(groups, settings, order=suspects, rng=rng, split=split, cache=cache)


def judge_groups(
    groups: Sequence[SuspectGroup],
    settings: JudgeSettings,
    *,
    rng: np.random.Generator,
    order: Iterable[str] = (),
    split: str | None = None,
    cache: ScoreCache | None = None,
    each: Each = in_order,
) -> Detection:
    """Judge groups of suspects, each against its own trusted policies.

    Args:
        groups: at least one.
        settings: detectors and error rates.
        rng: numpy Generator, which gives the seed of all draws.
        order: names of suspects, in the order of the result; by default that of the groups.
        split: where the episodes were run, for the report only.
        cache: a ``proxylab.screening.cache`` of calibration scores; it changes no result.
        each: how the trusted policies are scored: one after another, or in parallel.

    Raises:
        UsageError: see :func:`judge`.
    """
    detector = settings.detector
    also = BRIEF if settings.also is None else settings.also
    names = [detector, *(name for name in also if name != detector)]
    draws = Draws(int(rng.integers(2**63)))
    scores = tuple(find_score(name) for name in names)
    rule = (settings.alpha, settings.fdr, settings.correlation)
    setting = Setting(scores, *rule, draws, cache, settings.trim, each)
    if not groups:
        raise UsageError("no suspect to judge")
    judged = {
        case.name: (case, parts) for group in groups for case, parts in _cases(group, setting)
    }
    judged = [judged[name] for name in order or judged]
    cases = _with_q_values([case for case, _ in judged], scores[0].name)
    shown = next((k for k, case in enumerate(cases) if case.interval), 0)
    parts = judged[shown][1]
    return Detection(
        task=_task(groups),
        split=split,
        alpha=settings.alpha,
        achievable_alpha=achievable_alpha(len(parts.calibration)),
        episodes=min(case.episodes for case in cases),
        trusted=_population(parts, cases[shown], setting, len(cases)),
        suspects=[_report(case, setting, len(cases)) for case in cases],
        warnings=about(parts.outliers, len(parts.calibration), setting.trim, setting.alpha),
    )


class Parts(NamedTuple):
    """Names of the trusted policies by their use, and those that lie far from the others."""

    reference: list[str]
    calibration: list[str]
    outliers: list[Outlier]


def _cases(group: SuspectGroup, setting: Setting) -> list[tuple[SuspectCase, Parts]]:
    """[(SuspectCase, its trusted policies)] of the suspects of a group."""
    _check(group.suspects, group.trusted)
    trusted = {name: group.trusted[name] for name in sorted(group.trusted)}
    far = outliers(trusted, setting.cache, setting.each)
    if setting.trim:
        trusted = {n: e for n, e in trusted.items() if n not in {o.agent for o in far}}
    parts = Parts(*_divide(trusted, group.reference), far)
    task = group.task or bare_view(next(iter(trusted.values())))
    divided = parts.reference, parts.calibration
    return [(case, parts) for case in assess(group.suspects, trusted, divided, setting, task)]


def _task(groups: Sequence[SuspectGroup]) -> str:
    """The name of the task, the same in all groups."""
    names = {episodes.task for group in groups for episodes in group.trusted.values()}
    if len(names) > 1:
        raise UsageError(f"these are policies of different tasks: {', '.join(sorted(names))}")
    return names.pop()


def _as_one(name: str, episodes: Episodes | Sequence[Episodes]) -> Episodes:
    if isinstance(episodes, Episodes):
        return episodes.named(name)
    if not episodes:
        raise UsageError(f"{name}: no episodes")
    return concatenate(episodes, name)


def _check(suspects: dict[str, Episodes], trusted: dict[str, Episodes]) -> None:
    if not suspects:
        raise UsageError("no suspect to judge")
    if not trusted:
        raise UsageError("no trusted policy other than the suspects themselves")
    first = next(iter(trusted.values()))
    for episodes in (*suspects.values(), *trusted.values()):
        for name in ("task", "num_states", "num_actions"):
            value, other = getattr(episodes, name), getattr(first, name)
            if value != other:
                raise UsageError(
                    f"{episodes.policy} and {first.policy} differ in {name}: {value!r}, {other!r}"
                )
    empty = [name for name, episodes in trusted.items() if not episodes.num_episodes]
    if empty:
        raise UsageError(f"trusted policy {empty[0]} has no episodes")
    if not len(shared_levels(list(trusted.values()))[0]):
        raise UsageError("the trusted policies share no level: run them on the same level seeds")


def _check_reference(
    reference: Sequence[str], trusted: Mapping[str, Episodes], suspects: Mapping[str, Episodes]
) -> None:
    unknown = [name for name in reference if name not in trusted and name not in suspects]
    if unknown:
        raise UsageError(f"reference policy {unknown[0]} is not among the trusted")


def _divide(
    trusted: dict[str, Episodes], reference: Sequence[str] | None
) -> tuple[list[str], list[str]]:
    """(reference names, calibration names)."""
    if reference is None:
        return divide({name: fingerprint_of_name(name) for name in trusted})
    chosen = [name for name in reference if name in trusted]
    if not chosen:
        raise UsageError("no reference policy other than the suspects themselves")
    return chosen, [name for name in trusted if name not in chosen]


def _population(parts: Parts, case: SuspectCase, setting: Setting, num_suspects: int) -> Population:
    """The trusted policies, with their calibration scores where ``case`` was scored."""
    reference, calibration, far = parts
    scores = {}
    if case.interval and case.context:
        values = case.context.calibration_of(setting.detectors[0].name).scores.tolist()
        scores = dict(zip(calibration, values, strict=True))
    needed = calibration_needed(setting.alpha, num_suspects if setting.fdr else 1)
    names = [*reference, *calibration]
    return Population(len(reference), len(calibration), names, needed, scores, far)


def _with_q_values(cases: list[SuspectCase], detector: str) -> list[SuspectCase]:
    """The cases with their q-values over all that the deciding detector scored."""
    tested = {id(case): case.p_value(detector) for case in cases if case.interval}
    p_values = [p_value for p_value in tested.values() if p_value is not None]
    q_values = dict(zip(tested, benjamini_hochberg(p_values).tolist(), strict=True))
    return [replace(case, q_value=q_values.get(id(case))) for case in cases]


def _report(case: SuspectCase, setting: Setting, num_suspects: int) -> SuspectReport:
    detector = setting.detectors[0]
    p_value = case.p_value(detector.name)
    verdict = case.verdict or _verdict(case, setting, num_suspects)
    return SuspectReport(
        agent=case.name,
        verdict=verdict.verdict,
        p_value=p_value,
        detector=detector.name,
        reason=verdict.reason,
        q_value=case.q_value,
        scores=case.scores or {},
        certificate=_certificate(case, setting),
        pursues=_pursues(case, setting.detectors),
        where=_places(case, detector),
        first_divergence=_divergence(case),
        episodes_needed=verdict.episodes_needed,
        trusted_needed=verdict.trusted_needed,
        difference=_difference(case) if verdict.verdict == FLAG else None,
    )


def _difference(case: SuspectCase) -> Difference | None:
    """The kind of difference, from the episodes that stand out; None without paired episodes."""
    context, suspect = case.context, case.suspect
    if context is None or suspect is None:
        return None
    stands_out = np.ones(suspect.num_episodes, np.bool_)
    with suppress(NotApplicable):  # then all episodes are looked at
        stands_out = RareEpisodes().episode_p_values(context.rare, suspect) <= STANDS_OUT
    return difference_of(suspect, context.reference, context.calibration, context.task, stands_out)


def _verdict(case: SuspectCase, setting: Setting, num_suspects: int) -> Verdict:
    """The verdict on a suspect that the deciding detector scored."""
    detector, score, q_value = setting.detectors[0].name, case.interval, case.q_value
    p_value = case.p_value(detector)
    if case.context is None or score is None or p_value is None or q_value is None:
        raise ValueError(f"{case.name} has neither a verdict nor a score")
    evidence = VerdictInputs(
        score=score,
        calibration=case.context.calibration_of(detector).scores,
        p_value=p_value,
        q_value=q_value,
        episodes=case.episodes,
        suspects=num_suspects,
    )
    return decide(evidence, setting.alpha, setting.fdr)


def _certificate(case: SuspectCase, setting: Setting) -> Certificate | None:
    """The certificate against all trusted policies, or None where it does not apply."""
    if case.context is None or case.suspect is None:
        return None
    rng = setting.draws.of("certificate", case.suspect)
    try:
        return certify(case.context.visits, case.suspect, setting.correlation, rng)
    except NotApplicable:
        return None


def _pursues(case: SuspectCase, detectors: Sequence[Score]) -> list[Pursuit]:
    """Goals that explain the suspect better than they explain any calibration policy."""
    if case.context is None or case.suspect is None:
        return []
    for detector in detectors:
        if not has_goals(detector) or detector.name not in (case.scores or {}):
            continue
        calibration = case.context.calibration_of(detector.name)
        goals = detector.pursues(calibration.state, case.suspect)
        floor = max(NATS_TOLERANCE, float(calibration.scores.max()))
        return [goal for goal in goals if goal.log_likelihood_ratio > floor][:GOALS]
    return []


def _places(case: SuspectCase, detector: Score) -> list[Place]:
    """The steps that stand out in the most anomalous episodes."""
    context, suspect = case.context, case.suspect
    if case.interval is None or context is None or suspect is None or not has_steps(detector):
        return []
    state = context.calibration_of(detector.name).state
    steps = detector.per_step(state, suspect)
    if has_episodes(detector):
        episodes = detector.per_episode(state, suspect)
    elif has_values(detector):
        episodes = detector.values(state, suspect)
    else:
        episodes = np.add.reduceat(steps, suspect.episode_offsets[:-1]) / suspect.lengths
    episodes, steps = (np.nan_to_num(values, nan=-np.inf) for values in (episodes, steps))
    return [
        _place(suspect, episode, steps, episodes[episode])
        for episode in np.argsort(-episodes, kind="stable")[:PLACES]
    ]


def _place(suspect: Episodes, episode: int, steps: NDArray[np.float64], score: float) -> Place:
    start, stop = suspect.episode_offsets[episode : episode + 2]
    step = int(np.argmax(steps[start:stop]))
    state = int(suspect.state_id[start + step])
    return Place(int(suspect.level_seed[episode]), step, state, float(score))


def _divergence(case: SuspectCase) -> DivergenceSummary | None:
    if case.context is None or case.suspect is None:
        return None
    steps = divergence_from_all(case.context.reference, case.suspect)
    parted = steps[steps != NEVER]
    median = float(np.median(parted)) if len(parted) else None
    share = float(len(parted) / len(steps))
    return DivergenceSummary(median, share, case.context.trusted_divergence)
