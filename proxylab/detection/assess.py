"""Scoring: every suspect against the trusted policies on the levels that all of them have."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from proxylab.detection.calibration import (
    Calibration,
    Each,
    calibrate_all,
    enough_trusted,
    fitted,
    in_order,
    memory_key,
    score_draws,
    trusted_needed,
)
from proxylab.detection.draws import Draws
from proxylab.detection.pairing import NotApplicable, restrict, shared_levels
from proxylab.detection.permutation import compare_paired
from proxylab.detection.records import ScoreReport
from proxylab.detection.score import Score, has_episodes, has_values
from proxylab.detection.score_cache import ScoreCache
from proxylab.detection.scores.first_divergence import divergence_from_all
from proxylab.detection.scores.rare_episodes import RareEpisodes, RareReference
from proxylab.detection.shift import TrustedVisits, trusted_visits, visits_packing
from proxylab.detection.task_view import TaskView
from proxylab.detection.verdict import DEGENERATE, INCONCLUSIVE, Verdict
from proxylab.rollouts.episodes import Episodes, batches_of
from proxylab.statistics.conformal import conformal_p_value
from proxylab.statistics.resampling import Interval, bootstrap_interval
from proxylab.statistics.sequences import NEVER

RESCORED = 200
"""Bootstrap replicates of a deciding score that is not a mean over episodes."""

COMPARED = 16
"""Number of calibration policies whose own divergence is measured."""

FEW_TRUSTED = (
    "{count} trusted policies cannot show how far honest policies lie apart (7 at least, {needed} "
    "to flag at {alpha:g}); episode by episode it differs from {differs} of them, which tells "
    "policies apart and says nothing about gaming"
)


@dataclass(frozen=True)
class Setting:
    """How suspects are judged.

    Attributes:
        detectors: tuple of scores; the first decides.
        alpha: nominal false-alarm rate.
        fdr: decide by the q-value.
        correlation: lower bound that the certificate may assume, or None.
        draws: random streams, one per use and policy.
        cache: :class:`ScoreCache` of calibration scores, or None.
        trim: leave out trusted policies that lie far from the others.
        each: how many policies are scored: one after another, or in parallel.
    """

    detectors: tuple[Score, ...]
    alpha: float
    fdr: bool
    correlation: float | None
    draws: Draws
    cache: ScoreCache | None = None
    trim: bool = False
    each: Each = in_order


@dataclass(frozen=True)
class ScoringContext:
    """Trusted policies on the levels shared with a suspect, and detectors calibrated there.

    Attributes:
        reference: list of paired Episodes.
        calibration: list of paired Episodes.
        calibrated: {detector name: Calibration, or the NotApplicable that says why there is none}.
        task: :class:`TaskView` of the levels.
        cache: :class:`ScoreCache` of what depends on them alone, or None.
    """

    reference: list[Episodes]
    calibration: list[Episodes]
    calibrated: dict[str, Calibration | NotApplicable]
    task: TaskView
    cache: ScoreCache | None = None

    @cached_property
    def rare(self) -> RareReference:
        """What single episodes are compared with; raises ``NotApplicable`` if that is unknown."""
        rare = RareEpisodes()
        known = self.calibrated.get(rare.name)
        if isinstance(known, Calibration) and isinstance(known.state, RareReference):
            return known.state
        return fitted(rare, self.reference, self.task, self.cache)

    def calibration_of(self, detector: str) -> Calibration:
        """Of the detector of that name; raises its ``NotApplicable`` where it has none."""
        calibration = self.calibrated[detector]
        if isinstance(calibration, NotApplicable):
            raise calibration
        return calibration

    @cached_property
    def trusted_divergence(self) -> float | None:
        """Median share of levels on which a calibration policy leaves all reference paths."""
        some = self.calibration[:COMPARED]
        shares = [np.mean(divergence_from_all(self.reference, e) != NEVER) for e in some]
        return float(np.median(shares)) if shares else None

    @cached_property
    def visits(self) -> TrustedVisits:
        """Occupancy of all of them, for the certificate; raises ``NotApplicable`` if unknown."""
        trusted = [*self.reference, *self.calibration]
        if self.cache is None:
            return trusted_visits(trusted)
        return self.cache.fitted("trusted visits", trusted, None, visits_packing(trusted))


@dataclass(frozen=True)
class SuspectCase:
    """One suspect on its context.

    Attributes:
        name: of the suspect.
        suspect: Episodes on the shared levels, or None where there are none.
        context: :class:`ScoringContext`, or None.
        verdict: :class:`Verdict` reached without calibration, or None.
        scores: {detector: ScoreReport}.
        interval: the deciding score with its interval, or None.
        q_value: over all cases with a p-value.
    """

    name: str
    suspect: Episodes | None = None
    context: ScoringContext | None = None
    verdict: Verdict | None = None
    scores: dict[str, ScoreReport] | None = None
    interval: Interval | None = None
    q_value: float | None = None

    @property
    def episodes(self) -> int:
        """Number of episodes scored."""
        return self.suspect.num_episodes if self.suspect else 0

    def p_value(self, detector: str) -> float | None:
        """Of the deciding detector; None where there is none."""
        row = (self.scores or {}).get(detector)
        return row.p_value if row else None


def assess(
    suspects: dict[str, Episodes],
    trusted: dict[str, Episodes],
    parts: tuple[list[str], list[str]],
    setting: Setting,
    task: TaskView,
) -> list[SuspectCase]:
    """Score every suspect; those on the same levels share one context."""
    contexts, cases = {}, []
    for name, suspect in suspects.items():
        levels, counts = shared_levels([suspect, *trusted.values()])
        if not len(levels):
            cases.append(SuspectCase(name, verdict=Verdict(DEGENERATE, _nothing_shared(suspect))))
            continue
        key = (levels.tobytes(), counts.tobytes())
        if key not in contexts:
            paired = {n: restrict(e, levels, counts) for n, e in trusted.items()}
            contexts[key] = _context(paired, parts, setting, task)
        cases.append(_case(name, restrict(suspect, levels, counts), contexts[key], setting))
    return cases


def _nothing_shared(suspect: Episodes) -> str:
    if not suspect.num_episodes:
        return "no episodes"
    return "shares no level with the trusted policies: run both on the same level seeds"


def _context(
    paired: dict[str, Episodes],
    parts: tuple[list[str], list[str]],
    setting: Setting,
    task: TaskView,
) -> ScoringContext:
    reference, calibration = ([paired[name] for name in part] for part in parts)
    calibrated = {}
    if enough_trusted(len(calibration)):
        calibrated = _calibrated(reference, calibration, setting, task)
    return ScoringContext(reference, calibration, calibrated, task, setting.cache)


def _calibrated(
    reference: list[Episodes], calibration: list[Episodes], setting: Setting, task: TaskView
) -> dict[str, Calibration | NotApplicable]:
    """{detector: Calibration or NotApplicable}, with scores from the cache where there is one."""
    cache = setting.cache
    known = dict(cache.scores(reference, calibration, task)) if cache else {}
    given = (setting.detectors, reference, calibration, task, setting.draws)
    calibrated = calibrate_all(*given, known, cache, setting.each)
    rows = {memory_key(detector): calibrated[detector.name] for detector in setting.detectors}
    new = {k: row.scores.tolist() for k, row in rows.items() if k and isinstance(row, Calibration)}
    if cache and new.keys() - known.keys():
        cache.keep(reference, calibration, task, known | new)
    return calibrated


def _case(name: str, suspect: Episodes, context: ScoringContext, setting: Setting) -> SuspectCase:
    if _all_act_alike([suspect, *context.reference, *context.calibration]):
        reason = "every policy takes the same action at every step"
        return SuspectCase(name, suspect, context, Verdict(DEGENERATE, reason))
    if not enough_trusted(len(context.calibration)):
        return _case_by_permutation(name, suspect, context, setting)
    (decisive, *others), draws = setting.detectors, setting.draws
    try:
        calibration = context.calibration_of(decisive.name)
        interval = _interval(decisive, calibration, suspect, draws)
    except NotApplicable as obstacle:
        return SuspectCase(name, suspect, context, Verdict(DEGENERATE, str(obstacle)))
    scores = {decisive.name: _row(decisive, interval, calibration)}
    for detector in others:
        scores |= _score(detector, context, suspect, draws)
    return SuspectCase(name, suspect, context, scores=scores, interval=interval)


def _all_act_alike(population: list[Episodes]) -> bool:
    actions: set[int] = set()
    for part in batches_of(population):
        actions.update(np.unique(part.action).tolist())
        if len(actions) > 1:
            return False
    return len(actions) == 1


def _score(
    detector: Score, context: ScoringContext, suspect: Episodes, draws: Draws
) -> dict[str, ScoreReport]:
    """{name: ScoreReport} of a further detector; empty where it does not apply."""
    try:
        calibration = context.calibration_of(detector.name)
        if has_episodes(detector) or has_values(detector):
            interval = _interval(detector, calibration, suspect, draws)
            return {detector.name: _row(detector, interval, calibration)}
        estimate = _estimate(detector, calibration, suspect, draws)
    except NotApplicable:
        return {}
    p_value = conformal_p_value(calibration.scores, estimate)
    return {detector.name: ScoreReport(estimate, None, p_value, detector.access)}


def _row(detector: Score, interval: Interval, calibration: Calibration) -> ScoreReport:
    p_value = conformal_p_value(calibration.scores, interval.estimate)
    bounds = interval.lower, interval.upper
    return ScoreReport(interval.estimate, bounds, p_value, detector.access)


def _estimate(detector: Score, calibration: Calibration, suspect: Episodes, draws: Draws) -> float:
    """The score, a number; ``NotApplicable`` where it is undefined."""
    rng = score_draws(detector, suspect, draws)
    estimate = detector.score(calibration.state, suspect, rng)
    if np.isnan(estimate):
        raise NotApplicable(f"{detector.name} is undefined: no state in common with the trusted")
    return float(estimate)


def _interval(
    detector: Score, calibration: Calibration, suspect: Episodes, draws: Draws
) -> Interval:
    """The score with its bootstrap interval over episodes."""
    estimate = _estimate(detector, calibration, suspect, draws)
    state, rng = calibration.state, draws.of(f"bootstrap {detector.name}", suspect)
    if has_episodes(detector):
        values = detector.per_episode(state, suspect)
        spread = bootstrap_interval(values[~np.isnan(values)], rng)
        return Interval(estimate, spread.lower, spread.upper)
    count = suspect.num_episodes
    if has_values(detector):
        values = detector.values(state, suspect)
        rows = (rng.integers(0, count, count) for _ in range(RESCORED))
        scores = [detector.reduce(values[row]) for row in rows]
    else:
        rows = rng.integers(0, count, (RESCORED, count))
        scores = [detector.score(state, suspect.select(row), rng) for row in rows]
    lower, upper = np.nanquantile(scores, [0.025, 0.975])
    return Interval(estimate, float(lower), float(upper))


def _case_by_permutation(
    name: str, suspect: Episodes, context: ScoringContext, setting: Setting
) -> SuspectCase:
    trusted = [*context.reference, *context.calibration]
    compared = {
        e.policy: compare_paired(suspect, e, setting.draws.of("permutation", suspect, e))
        for e in trusted
    }
    rows = {
        f"permutation:{n}": ScoreReport(c.distance, None, c.p_value, "L")
        for n, c in compared.items()
    }
    reason = FEW_TRUSTED.format(
        count=len(trusted),
        needed=trusted_needed(setting.alpha),
        alpha=setting.alpha,
        differs=sum(c.p_value <= setting.alpha for c in compared.values()),
    )
    return SuspectCase(name, suspect, context, Verdict(INCONCLUSIVE, reason), rows)
