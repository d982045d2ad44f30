"""Several scores as one log-likelihood ratio, with weights from other environments only."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from proxylab.detection.pairing import NotApplicable
from proxylab.detection.score import Score
from proxylab.detection.task_view import TaskView
from proxylab.rollouts.episodes import Episodes
from proxylab.storage.whole_files import whole_file

WEIGHTS = Path(__file__).with_name("ensemble.json")
SCHEMA = "proxylab.ensemble/1"
ELSEWHERE = "*"
"""Key of the weights for a task on which nothing was fitted."""

RIDGE = 0.05
"""Penalty on squared weights, per environment."""

SMALLEST_SCALE = 1e-6


@dataclass(frozen=True)
class Weights:
    """A log-likelihood ratio: intercept + Σ weight · evidence, nats.

    Attributes:
        intercept: nats, for a prior of ½.
        detectors: {name: weight}, none negative.
    """

    intercept: float
    detectors: dict[str, float]


@dataclass(frozen=True)
class PolicyRow:
    """One labelled policy.

    Attributes:
        environment: name of the task.
        positive: whether it pursues the proxy, by the leaderboard's labels.
        evidence: {detector: evidence}, see :func:`evidence`; None or absent where a detector
            does not apply.
    """

    environment: str
    positive: bool
    evidence: dict[str, float | None]


def evidence(score: float, honest: Sequence[float] | NDArray[np.float64]) -> float:
    """Standardised score: asinh((score − median)/(IQR/1.349)).

    Linear near the honest scores, logarithmic far from them, and independent of the unit.

    Args:
        score: float.
        honest: float64[N], scores of honest policies by the same detector.
    """
    return float(np.arcsinh((score - np.median(honest)) / spread(honest)))


def spread(honest: Sequence[float] | NDArray[np.float64]) -> float:
    """IQR/1.349 of the scores of honest policies (float64[N]), at least ``SMALLEST_SCALE``."""
    low, high = np.quantile(honest, [0.25, 0.75])
    return max(float(high - low) / 1.349, SMALLEST_SCALE)


def fit_weights(rows: Sequence[PolicyRow]) -> Weights:
    """Logistic regression with non-negative weights; every environment and class has equal weight.

    Args:
        rows: list of :class:`PolicyRow`, of both labels.

    Returns:
        :class:`Weights` of all detectors that any row names.

    Raises:
        ValueError: one label only.
    """
    names = sorted({name for row in rows for name in row.evidence})
    evidence_rows = [[row.evidence.get(name) for name in names] for row in rows]
    x = np.array([[0.0 if value is None else value for value in row] for row in evidence_rows])
    y = np.array([1.0 if row.positive else -1.0 for row in rows])
    if len(set(y)) < 2:
        raise ValueError("weights need policies of both labels")
    groups = [(row.environment, row.positive) for row in rows]
    share = np.array([1 / groups.count(group) for group in groups])
    penalty = RIDGE * len({row.environment for row in rows})

    def loss(parameters: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        margins = y * (parameters[0] + x @ parameters[1:])
        pull = -share * y / (1 + np.exp(np.clip(margins, -500, 500)))
        slope = np.append(pull.sum(), pull @ x + 2 * penalty * parameters[1:])
        return share @ np.logaddexp(0, -margins) + penalty * (parameters[1:] ** 2).sum(), slope

    bounds = [(None, None)] + [(0, None)] * len(names)
    from scipy.optimize import minimize  # takes half a second to load

    fitted = minimize(loss, np.zeros(1 + len(names)), jac=True, bounds=bounds, method="L-BFGS-B").x
    return Weights(float(fitted[0]), dict(zip(names, fitted[1:].tolist(), strict=True)))


def leave_one_out(rows: Sequence[PolicyRow]) -> dict[str, Weights]:
    """{environment: Weights fitted on all others}; those fitted on all under ``ELSEWHERE``.

    An environment has no entry where the others lack a label.
    """
    weights = {ELSEWHERE: fit_weights(rows)}
    for environment in sorted({row.environment for row in rows}):
        others = [row for row in rows if row.environment != environment]
        if len({row.positive for row in others}) == 2:
            weights[environment] = fit_weights(others)
    return weights


def save_weights(
    weights: Mapping[str, Weights], rows: Sequence[PolicyRow], path: Path = WEIGHTS
) -> None:
    """Write {environment: Weights}, with the counts of the policies they were fitted on."""
    counts: dict[str, dict[str, int]] = {}
    for row in rows:
        entry = counts.setdefault(row.environment, {"positive": 0, "negative": 0})
        entry["positive" if row.positive else "negative"] += 1
    body = {
        name: {
            "intercept": round(ratio.intercept, 6),
            "detectors": {n: round(w, 6) for n, w in ratio.detectors.items()},
        }
        for name, ratio in weights.items()
    }
    text = json.dumps({"schema": SCHEMA, "fitted_on": counts, "weights": body}, indent=1)
    with whole_file(path) as temporary:
        temporary.write_text(text + "\n")


def load_weights(task: str, path: Path = WEIGHTS) -> Weights:
    """:class:`Weights` fitted on other tasks than ``task``.

    Raises:
        NotApplicable: there are none.
    """
    if not Path(path).is_file():
        raise NotApplicable("the ensemble has no weights: they are fitted on a leaderboard")
    record = json.loads(Path(path).read_text())
    if record.get("schema") != SCHEMA:
        raise NotApplicable(f"{Path(path).name} is not a file of {SCHEMA}")
    known = record["weights"]
    key = ELSEWHERE if task not in record["fitted_on"] else task
    if key not in known:
        raise NotApplicable(f"the ensemble has no weights that were fitted without {task}")
    return Weights(known[key]["intercept"], known[key]["detectors"])


class Member(NamedTuple):
    """A detector of the ensemble.

    Attributes:
        detector: the score.
        weight: nats per unit of evidence.
        state: fitted on all reference policies.
        honest: float64[N], cross-fitted scores of the reference policies.
    """

    detector: Score
    weight: float
    state: Any
    honest: NDArray[np.float64]


class EnsembleReference(NamedTuple):
    """The members that apply, and the intercept."""

    intercept: float
    members: list[Member]


@dataclass(frozen=True)
class Ensemble:
    """A weighted sum of the evidence of several scores.

    Access L (logs of both): so do its members. Unit: nats. Formula, with m_d and s_d
    the median and IQR/1.349 of the reference policies' own scores (each half of them scored
    against the other):

        score = b + Σ_d w_d asinh((score_d − m_d)/s_d),     w_d ≥ 0

    b and w are a logistic regression on labelled policies of *other* environments, so the
    score is their log-likelihood ratio where environments are alike. A member that does not
    apply to a task contributes 0.

    Source: stacking, Wolpert 1992, Neural Networks 5, p. 241; left-out environments and the
    standardisation are ours.

    Attributes:
        name: in tables and on the command line.
        members: scores that may take part.
        weights: file of weights.
    """

    name: str
    members: tuple[Score, ...]
    weights: Path = WEIGHTS
    access: ClassVar[str] = "L"
    unit: ClassVar[str] = "nats"
    source: ClassVar[str] = "stacking, Wolpert 1992; weights from other environments only"
    higher_is: ClassVar[str] = "more anomalous"

    def fit(self, reference: list[Episodes], task: TaskView) -> EnsembleReference:
        """Fit every member on all reference policies, and on each half of them.

        Raises:
            NotApplicable: no weights for this task, fewer than four reference policies, or no
                applicable member.
        """
        weights = load_weights(task.task, self.weights)
        if len(reference) < 4:
            raise NotApplicable(f"{self.name} needs at least four reference policies")
        members = []
        for detector in self.members:
            weight = weights.detectors.get(detector.name, 0.0)
            if weight > 0:
                try:
                    honest = cross_fitted(detector, reference, task)
                except NotApplicable:
                    continue
                members.append(Member(detector, weight, detector.fit(reference, task), honest))
        if not members:
            raise NotApplicable(f"no member of {self.name} applies to {task.task}")
        return EnsembleReference(weights.intercept, members)

    def score(self, state: EnsembleReference, suspect: Episodes, rng: np.random.Generator) -> float:
        """The log-likelihood ratio, nats."""
        total = state.intercept
        for member in state.members:
            score = member.detector.score(member.state, suspect, rng)
            total += member.weight * evidence(score, member.honest)
        return float(total)


def cross_fitted(detector: Score, reference: list[Episodes], task: TaskView) -> NDArray[np.float64]:
    """Scores of the reference policies, each against the half that it is not in: float64[N]."""
    rng = np.random.default_rng(0)
    halves = reference[::2], reference[1::2]
    scores = []
    for judges, judged in (halves, halves[::-1]):
        state = detector.fit(judges, task)
        scores += [detector.score(state, episodes, rng) for episodes in judged]
    if np.isnan(scores).any():
        raise NotApplicable(f"{detector.name} is undefined for a reference policy")
    return np.array(scores)
