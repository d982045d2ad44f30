"""The ensemble: its weights, where they come from, and the sum."""

import json
from dataclasses import dataclass, replace

import numpy as np
import pytest
from scipy.optimize import minimize
from toy_population import VIEW, episodes_from

from proxylab.detection.pairing import NotApplicable
from proxylab.detection.scores.ensemble import (
    ELSEWHERE,
    RIDGE,
    WEIGHTS,
    Ensemble,
    PolicyRow,
    Weights,
    evidence,
    fit_weights,
    leave_one_out,
    load_weights,
    save_weights,
)
from proxylab.detection.scores.registry import SCORES


def table(rng, counts, strengths):
    """Rows of environments; detector d of an environment gains ``strengths[d]`` on positives."""
    return [
        PolicyRow(
            f"env{k}",
            positive,
            {f"d{d}": float(rng.normal(positive * s)) for d, s in enumerate(strengths)},
        )
        for k, count in enumerate(counts)
        for positive in (False, True)
        for _ in range(count)
    ]


@pytest.fixture
def rows():
    return table(np.random.default_rng(0), (30, 20, 25), (2.0, 0.5, -1.0))


def test_weights_minimise_the_penalised_loss(rows):
    found = fit_weights(rows)
    groups = [(row.environment, row.positive) for row in rows]

    def loss(parameters):
        total = 0.0
        for row, group in zip(rows, groups, strict=True):
            ratio = parameters[0] + sum(
                w * row.evidence[f"d{d}"] for d, w in enumerate(parameters[1:])
            )
            chance = 1 / (1 + np.exp(-ratio if row.positive else ratio))
            total -= np.log(chance) / groups.count(group)
        return total + 3 * RIDGE * (parameters[1:] ** 2).sum()

    bounds = [(None, None)] + [(0, None)] * 3
    best = minimize(loss, np.zeros(4), bounds=bounds).fun
    mine = [found.intercept, *(found.detectors[f"d{d}"] for d in range(3))]
    assert loss(np.array(mine)) == pytest.approx(best, abs=1e-5)
    assert found.detectors["d0"] > found.detectors["d1"] > 0
    assert found.detectors["d2"] == 0  # points the wrong way: left out, not turned round


def test_a_large_environment_counts_no_more_than_a_small_one(rows):
    twice = [*rows, *(row for row in rows if row.environment == "env1")]
    one, two = fit_weights(rows), fit_weights(twice)
    assert two.intercept == pytest.approx(one.intercept, abs=1e-4)
    assert two.detectors == pytest.approx(one.detectors, abs=1e-4)


def test_weights_for_an_environment_never_saw_it(rows):
    changed = [
        replace(row, positive=not row.positive) if row.environment == "env1" else row
        for row in rows
    ]
    one, two = leave_one_out(rows), leave_one_out(changed)
    assert one["env1"] == two["env1"]
    assert one["env0"] != two["env0"]
    assert set(one) == {"env0", "env1", "env2", ELSEWHERE}


def test_one_environment_alone_leaves_nothing_to_fit_on(rows):
    alone = [row for row in rows if row.environment == "env0"]
    assert set(leave_one_out(alone)) == {ELSEWHERE}
    with pytest.raises(ValueError, match="both labels"):
        fit_weights([row for row in alone if row.positive])


def test_weights_are_read_as_written(rows, tmp_path):
    path = tmp_path / "weights.json"
    written = leave_one_out(rows)
    save_weights(written, rows, path)
    for task, key in (("env2", "env2"), ("moon", ELSEWHERE)):
        read = load_weights(task, path)
        assert read.intercept == pytest.approx(written[key].intercept, abs=1e-6)
        assert read.detectors == pytest.approx(written[key].detectors, abs=1e-6)
    assert json.loads(path.read_text())["fitted_on"]["env0"] == {"positive": 30, "negative": 30}
    with pytest.raises(NotApplicable, match="no weights: they are fitted"):
        load_weights("env2", tmp_path / "none.json")


def test_a_task_is_never_judged_by_weights_that_saw_it(rows, tmp_path):
    path = tmp_path / "weights.json"
    save_weights({ELSEWHERE: Weights(0.0, {"d0": 1.0})}, rows, path)
    with pytest.raises(NotApplicable, match="fitted without env1"):
        load_weights("env1", path)


@dataclass(frozen=True)
class Share:
    """How often an action is taken, against the mean of the reference."""

    name: str
    action: int

    def fit(self, reference, task):
        return np.mean([(e.action == self.action).mean() for e in reference])

    def score(self, state, suspect, rng):
        return float((suspect.action == self.action).mean() - state)


@dataclass(frozen=True)
class Never:
    name: str = "never"

    def fit(self, reference, task):
        raise NotApplicable("never")


def test_the_score_is_the_weighted_evidence(tmp_path):
    path = tmp_path / "weights.json"
    weights = {ELSEWHERE: Weights(-1.0, {"ones": 0.5, "zeros": 0.25, "never": 9.0, "unused": 0.0})}
    save_weights(weights, [], path)
    rng = np.random.default_rng(3)
    *reference, suspect = (
        episodes_from([[0] * 20], actions=(rng.random(20) < share).astype(np.int64))
        for share in (0.1, 0.2, 0.3, 0.2, 0.9)
    )
    members = (Share("ones", 1), Share("zeros", 0), Never(), Never("unused"))
    detector = Ensemble("ensemble", members, path)
    means = np.array([e.action.mean() for e in reference])
    halves = [means[[0, 2]].mean(), means[[1, 3]].mean()]
    ones = np.array([means[1] - halves[0], means[3] - halves[0], *(means[[0, 2]] - halves[1])])
    gap = suspect.action.mean() - means.mean()
    expected = -1 + 0.5 * evidence(gap, ones) + 0.25 * evidence(-gap, -ones)
    found = detector.score(detector.fit(reference, VIEW), suspect, rng)
    assert found == pytest.approx(expected)
    with pytest.raises(NotApplicable, match="no member"):
        replace(detector, members=(Never(),)).fit(reference, VIEW)
    with pytest.raises(NotApplicable, match="at least four"):
        detector.fit(reference[:3], VIEW)


def test_evidence_is_linear_near_and_logarithmic_far():
    honest = np.arange(9.0)
    assert evidence(4.0, honest) == 0
    assert evidence(4.0 + 4 / 1.349, honest) == pytest.approx(np.arcsinh(1.0))
    assert evidence(1e6, honest) < 20
    assert np.isfinite(evidence(1.0, np.zeros(5)))


def test_the_shipped_weights_fit_the_table():
    record = json.loads(WEIGHTS.read_text())
    members = {member.name for member in SCORES["ensemble"].members}
    assert set(record["weights"]) == {*record["fitted_on"], ELSEWHERE}
    for entry in record["weights"].values():
        assert set(entry["detectors"]) <= members
        assert min(entry["detectors"].values()) >= 0
        assert max(entry["detectors"].values()) > 0
