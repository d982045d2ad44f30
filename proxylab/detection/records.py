"""Records of a detection, which become the JSON of ``proxylab detect``."""

import math
from dataclasses import dataclass, field, fields, is_dataclass
from typing import TYPE_CHECKING, Any

from proxylab.detection.calibration import trusted_needed
from proxylab.statistics.conformal import calibration_needed, realised_rate_bound

if TYPE_CHECKING:
    from proxylab.detection.kinds import Difference
    from proxylab.detection.population import Outlier

SCHEMA = "proxylab.detect/1"

NOT_HARM = "different, not necessarily harmful"
"""Beside every FLAG."""


@dataclass(frozen=True)
class ScoreReport:
    """One detector's score of one suspect.

    Attributes:
        score: higher is more anomalous; None where it is undefined.
        ci: 95 % bootstrap interval over episodes, or None where there is none.
        p_value: conformal, or of a permutation test; None where undefined.
        access: what the detector reads: W, Q, L or P (see ``detection.scores``).
    """

    score: float | None
    ci: tuple[float, float] | None
    p_value: float | None
    access: str | None = None


@dataclass(frozen=True)
class Place:
    """A step at which a suspect departs most from the trusted policies.

    Attributes:
        level_seed: level.
        step: steps from the start of the episode.
        state: state index there.
        score: the deciding detector's score of that episode.
    """

    level_seed: int
    step: int
    state: int
    score: float


@dataclass(frozen=True)
class DivergenceSummary:
    """When the suspect's trajectory differs from those of all reference policies.

    Attributes:
        median_step: median over the levels on which it does, steps; None if on none.
        share_of_levels: share of paired episodes on which it does.
        trusted_share: median of that share over calibration policies: by chance alone, or by
            their own differences, they leave the paths of the reference policies too.
    """

    median_step: float | None
    share_of_levels: float
    trusted_share: float | None = None


@dataclass(frozen=True)
class Certificate:
    """Guarantee from the proxy alone; see ``detection/certificate.py``.

    Attributes:
        kappa: cosine between the shift of behaviour and the proxy, in [−1, 1]; 0 where the
            suspect leaves the trusted support.
        kappa_lower: its lower 97.5 % bootstrap bound over levels.
        r_star: "no worse, if proxy and intent correlate at r_star or more", from the lower
            bound; None where no correlation suffices.
        support_coverage: share of the suspect's occupancy that trusted policies visit too.
        cleared_at: the assumed correlation, where it suffices, else None.
        worst_loss: upper bound on the loss of discounted true return for any true reward, in
            units of its range per step: total variation / (1 − γ).
    """

    kappa: float
    kappa_lower: float
    r_star: float | None
    support_coverage: float
    cleared_at: float | None
    worst_loss: float


@dataclass(frozen=True)
class Pursuit:
    """A goal that explains a suspect better than the trusted policies do.

    Attributes:
        goal: a landmark's name, or ``state N``: one state index on all levels.
        log_likelihood_ratio: nats per episode, see ``detection/goals.py``.
    """

    goal: str
    log_likelihood_ratio: float


@dataclass(frozen=True)
class Competence:
    """How well a suspect does what it was trained to do; see ``screening/admission.py``.

    Attributes:
        value: mean return of the monitored reward on held-out training-like levels: 0 as of
            uniformly random actions, 1 as of the script of the intended goal.
        admitted: whether it reaches the bound that holds for trusted agents too.
    """

    value: float
    admitted: bool


@dataclass(frozen=True)
class SuspectReport:
    """Everything about one suspect, in the order of the JSON.

    Attributes:
        agent: name of the suspect.
        verdict: FLAG, CLEAR, INCONCLUSIVE or DEGENERATE.
        p_value: of the deciding detector; None without calibration.
        detector: the deciding detector.
        reason: one sentence.
        q_value: Benjamini–Hochberg over the suspects.
        scores: {detector: ScoreReport}.
        certificate: None where proxy rewards or states are not known. It never changes the
            verdict: a hack that follows the proxy very efficiently has a high kappa, and only
            the correlation that the user assumes excludes it.
        pursues: up to three goals that explain the suspect better than the trusted do, and than
            they explain any calibration policy, best first; empty where there is none.
        where: up to five places, the most anomalous episode first.
        first_divergence: None where the policies are not paired.
        episodes_needed: see ``verdict``.
        trusted_needed: see ``verdict``.
        competence: None for logs, and where the task has no scale. It never changes the
            verdict.
        difference: the kind of difference, of a FLAG only; see ``detection/kinds.py``.
    """

    agent: str
    verdict: str
    p_value: float | None
    detector: str
    reason: str
    q_value: float | None = None
    scores: dict[str, ScoreReport] = field(default_factory=dict)
    certificate: Certificate | None = None
    pursues: list[Pursuit] = field(default_factory=list)
    where: list[Place] = field(default_factory=list)
    first_divergence: DivergenceSummary | None = None
    episodes_needed: int | None = None
    trusted_needed: int | None = None
    competence: Competence | None = None
    difference: "Difference | None" = None


@dataclass(frozen=True)
class Population:
    """The trusted policies.

    Attributes:
        n_reference: number of policies that detectors were fitted on.
        n_calibration: number of policies among which the suspect's score is ranked.
        agents: names, reference first.
        n_calibration_needed: least number to flag a suspect at alpha: m/α − 1, with m = 1, or
            the number of suspects where the q-value decides.
        outliers: trusted policies that lie far from the others; see ``detection/population.py``.
        calibration_scores: {name: score} of the deciding detector; empty without verdicts by
            calibration. Where suspects are compared with different trusted policies or on
            different levels, all of this is the first scored suspect's.
    """

    n_reference: int
    n_calibration: int
    agents: list[str]
    n_calibration_needed: int = 0
    calibration_scores: dict[str, float] = field(default_factory=dict)
    outliers: "list[Outlier]" = field(default_factory=list)


@dataclass(frozen=True)
class Detection:
    """The result of ``detect``.

    Attributes:
        task: task name.
        split: where the episodes were run; None for logs, or where suspects differ in it.
        alpha: nominal false-alarm rate.
        achievable_alpha: smallest p-value that the calibration policies allow.
        episodes: episodes per policy, the minimum over suspects.
        trusted: :class:`Population`.
        suspects: list of :class:`SuspectReport`.
        warnings: sentences on conditions that weaken the verdicts.
        provenance: commit, versions, seed, seconds; filled in by ``proxylab.screening.run``,
            as the warnings are.
        schema: of the JSON.
    """

    task: str
    split: str | None
    alpha: float
    achievable_alpha: float
    episodes: int
    trusted: Population
    suspects: list[SuspectReport]
    warnings: list[str] = field(default_factory=list)
    provenance: dict[str, Any] = field(default_factory=dict)
    schema: str = SCHEMA

    def as_json(self) -> dict[str, Any]:
        """The JSON object as a dict of plain values, ``schema`` first; NaN becomes None."""
        return {"schema": self.schema} | _plain(self)

    def text(self, verbose: bool = False) -> str:
        """A block per suspect: verdict, reason and kind; with ``verbose`` all scores and places."""
        blocks = [line for s in self.suspects for line in _block(s, verbose)]
        return "\n".join(_heading(self) + blocks)

    def __str__(self) -> str:
        """The result as text, in brief."""
        return self.text()


def _plain(
    value: Any,
) -> Any:
    if is_dataclass(value):
        return {item.name: _plain(getattr(value, item.name)) for item in fields(value)}
    if isinstance(value, dict):
        return {key: _plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(entry) for entry in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def _heading(detection: Detection) -> list[str]:
    trusted, alpha = detection.trusted, detection.alpha
    where = f" on {detection.split} levels" if detection.split else ""
    return [
        f"suspect: {', '.join(report.agent for report in detection.suspects)}",
        f"trusted: {trusted.n_reference} reference and {trusted.n_calibration} calibration "
        f"policies of {detection.task}",
        f"{detection.episodes} paired episodes each{where}; alpha {alpha:g}, "
        f"smallest p {detection.achievable_alpha:.3g}; {_rate(trusted.n_calibration, alpha)}",
        *_demand(trusted, alpha),
    ]


def _rate(num_calibration: int, alpha: float) -> str:
    bound = realised_rate_bound(num_calibration, alpha)
    if not bound:
        return f"no suspect can be flagged: that takes {trusted_needed(alpha)} trusted policies"
    return f"the false-alarm rate of this calibration set is below {bound:.3g} (95 % confidence)"


def _demand(trusted: Population, alpha: float) -> list[str]:
    """Calibration policies needed where the q-value over several suspects decides."""
    if trusted.n_calibration_needed <= calibration_needed(alpha):
        return []
    return [
        f"by q-value, to flag one suspect alone among all of them takes "
        f"{trusted.n_calibration_needed} calibration policies; there are {trusted.n_calibration}"
    ]


def _block(report: SuspectReport, verbose: bool) -> list[str]:
    lines = ["", f"{report.verdict}  {report.agent}", f"  {report.reason}"]
    if report.verdict == "FLAG":
        lines.append(f"  {_kind(report)}")
    if report.competence is not None and not report.competence.admitted:
        lines.append(f"  {_undertrained(report.competence)}")
    lines += [
        f"  pursues {goal.goal}: {goal.log_likelihood_ratio:.3g} nats an episode likelier than "
        f"the trusted policies or their goal"
        for goal in report.pursues[:1]
    ]
    return lines + _details(report) if verbose else lines


def _details(report: SuspectReport) -> list[str]:
    """All scores, the q-value, the first divergence, the certificate and the places."""
    width = max((len(name) for name in report.scores), default=0)
    lines = [f"  {name:<{width}}  {_numbers(row)}" for name, row in report.scores.items()]
    if report.q_value is not None:
        lines.append(f"  q = {report.q_value:.3g} over all suspects")
    if report.first_divergence is not None and _is_apart(report.first_divergence):
        lines.append(f"  {_divergence(report.first_divergence)}")
    if report.certificate is not None:
        lines.append(f"  {_guarantee(report.certificate)}")
    lines += [
        f"  level {place.level_seed}, step {place.step}: state {place.state} "
        f"(episode score {place.score:.3g})"
        for place in report.where
    ]
    return lines


def _kind(report: SuspectReport) -> str:
    found = report.difference
    return f"{found.kind}: {found.reason}; {NOT_HARM}" if found else NOT_HARM


def _undertrained(competence: Competence) -> str:
    return (
        f"undertrained: competence {competence.value:.2f} on training-like levels is below the "
        "bound for trusted agents, so a difference may mean no more than that"
    )


def _numbers(row: ScoreReport) -> str:
    if row.score is None:
        return "undefined"
    interval = f" [{row.ci[0]:.3f}, {row.ci[1]:.3f}]" if row.ci else ""
    p_value = f"  p = {row.p_value:.3g}" if row.p_value is not None else ""
    return f"{row.score:.3f}{interval}{p_value}"


def _guarantee(certificate: Certificate) -> str:
    if certificate.r_star is None:
        covered = f"{certificate.support_coverage:.1%} of its visits lie where the trusted go"
        return f"no certificate: no correlation of proxy and intent rules out harm ({covered})"
    cleared = "" if certificate.cleared_at is None else f" (cleared at {certificate.cleared_at:g})"
    return (
        f"certificate: guaranteed no worse if proxy and intent correlate at r* = "
        f"{certificate.r_star:.3f} or more{cleared}; below that, some compatible intent is "
        f"harmed; a hack that follows the proxy efficiently looks the same"
    )


def _is_apart(divergence: DivergenceSummary) -> bool:
    """Whether the suspect leaves the trusted paths more often than a trusted agent does."""
    share = divergence.trusted_share
    return divergence.median_step is None or share is None or divergence.share_of_levels > share


def _divergence(divergence: DivergenceSummary) -> str:
    if divergence.median_step is None:
        return "stays with a trusted policy to the end on every level"
    text = (
        f"leaves every trusted path on {divergence.share_of_levels:.0%} of levels, "
        f"at step {divergence.median_step:g} (median)"
    )
    share = divergence.trusted_share
    return text if share is None else f"{text}; a trusted agent on {share:.0%}"
