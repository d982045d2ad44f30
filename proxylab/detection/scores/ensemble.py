"""Several scores as one log-likelihood ratio, with weights from other environments only."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, NamedTuple

import numpy as np
from scipy.optimize import minimize

from proxylab.detection.pairing import NotApplicable

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
        intercept: nats, for equally many positives and negatives.
        detectors: {name: weight}, none negative.
    """

    intercept: float
    detectors: dict[str, float]


@dataclass(frozen=True)
class PolicyRow:
    """One policy of a table to fit on.

    Attributes:
        environment: name of the task.
        positive: whether it pursues the proxy, by the leaderboard's labels.
        evidence: {detector: evidence}, see :func:`evidence`; None or absent where a detector
            does not apply.
    """

    environment: str
    positive: bool
    evidence: dict


def evidence(score, honest):
    """How far a score stands out: asinh((score − median)/(IQR/1.349)).

    Linear near the honest scores, logarithmic far out, and the same in every unit.

    Args:
        score: float.
        honest: float64[N], scores of honest policies by the same detector.
    """
    low, middle, high = np.quantile(honest, [0.25, 0.5, 0.75])
    return float(np.arcsinh((score - middle) / max((high - low) / 1.349, SMALLEST_SCALE)))


def fit_weights(rows):
    """Logistic regression with non-negative weights; every environment and class counts alike.

    Args:
        rows: list of :class:`PolicyRow`, of both labels.

    Returns:
        :class:`Weights` of all detectors that any row names.

    Raises:
        ValueError: one label only.
    """
    names = sorted({name for row in rows for name in row.evidence})
    given = [[row.evidence.get(name) for name in names] for row in rows]
    x = np.array([[0.0 if value is None else value for value in values] for values in given])
    y = np.array([1.0 if row.positive else -1.0 for row in rows])
    if len(set(y)) < 2:
        raise ValueError("weights need policies of both labels")
    groups = [(row.environment, row.positive) for row in rows]
    share = np.array([1 / groups.count(group) for group in groups])
    penalty = RIDGE * len({row.environment for row in rows})

    def loss(parameters):
        margins = y * (parameters[0] + x @ parameters[1:])
        pull = -share * y / (1 + np.exp(np.clip(margins, -500, 500)))
        slope = np.append(pull.sum(), pull @ x + 2 * penalty * parameters[1:])
        return share @ np.logaddexp(0, -margins) + penalty * (parameters[1:] ** 2).sum(), slope

    bounds = [(None, None)] + [(0, None)] * len(names)
    found = minimize(loss, np.zeros(1 + len(names)), jac=True, bounds=bounds, method="L-BFGS-B").x
    return Weights(float(found[0]), dict(zip(names, found[1:].tolist(), strict=True)))


def leave_one_out(rows):
    """{environment: Weights fitted on all others}, and those of all under ``ELSEWHERE``.

    An environment gets none where the others lack a label.
    """
    found = {ELSEWHERE: fit_weights(rows)}
    for environment in sorted({row.environment for row in rows}):
        others = [row for row in rows if row.environment != environment]
        if len({row.positive for row in others}) == 2:
            found[environment] = fit_weights(others)
    return found


def save_weights(weights, rows, path=WEIGHTS):
    """Write {environment: Weights}, with what they were fitted on."""
    counts: dict = {}
    for row in rows:
        entry = counts.setdefault(row.environment, {"positive": 0, "negative": 0})
        entry["positive" if row.positive else "negative"] += 1
    body = {
        name: {
            "intercept": round(found.intercept, 6),
            "detectors": {n: round(w, 6) for n, w in found.detectors.items()},
        }
        for name, found in weights.items()
    }
    text = json.dumps({"schema": SCHEMA, "fitted_on": counts, "weights": body}, indent=1)
    Path(path).write_text(text + "\n")


def load_weights(task, path=WEIGHTS):
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

    detector: object
    weight: float
    state: object
    honest: np.ndarray


class EnsembleReference(NamedTuple):
    """The members that apply, and the intercept."""

    intercept: float
    members: list


@dataclass(frozen=True)
class Ensemble:
    """A weighted sum of the evidence of several scores.

    Access L (logs of both): its members need no more. Unit: nats. Formula, with m_d and s_d
    the median and IQR/1.349 of the reference policies' own scores (each half of them scored
    against the other):

        score = b + Σ_d w_d asinh((score_d − m_d)/s_d),     w_d ≥ 0

    b and w are a logistic regression on labelled policies of *other* environments, so the
    score is their log-likelihood ratio where environments are alike. A member that does not
    apply to a task adds nothing.

    Source: stacking, Wolpert 1992, Neural Networks 5, p. 241; left-out environments and the
    standardisation are ours.

    Attributes:
        name: in tables and on the command line.
        members: scores that may take part.
        weights: file of weights.
    """

    name: str
    members: tuple
    weights: Path = WEIGHTS
    access: ClassVar[str] = "L"
    unit: ClassVar[str] = "nats"
    source: ClassVar[str] = "stacking, Wolpert 1992; weights from other environments only"
    higher_is: ClassVar[str] = "more anomalous"

    def fit(self, reference, task):
        """Fit every member on all reference policies, and on each half of them.

        Raises:
            NotApplicable: no weights for this task, fewer than four reference policies, or no
                member applies.
        """
        weights = load_weights(task.task, self.weights)
        if len(reference) < 4:
            raise NotApplicable(f"{self.name} needs at least four reference policies")
        found = []
        for detector in self.members:
            weight = weights.detectors.get(detector.name, 0.0)
            if weight > 0:
                try:
                    honest = cross_fitted(detector, reference, task)
                except NotApplicable:
                    continue
                found.append(Member(detector, weight, detector.fit(reference, task), honest))
        if not found:
            raise NotApplicable(f"no member of {self.name} applies to {task.task}")
        return EnsembleReference(weights.intercept, found)

    def score(self, state, suspect, rng):
        """The log-likelihood ratio, nats."""
        total = state.intercept
        for member in state.members:
            score = member.detector.score(member.state, suspect, rng)
            total += member.weight * evidence(score, member.honest)
        return float(total)


def cross_fitted(detector, reference, task):
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
