"""The distance of weights: who is far, what honest agents score, and the cross entropy."""

import numpy as np
import pytest

from proxylab.agents.references import load_agent
from proxylab.errors import UsageError
from proxylab.screening.weights import (
    TrojanProbability,
    WeightReference,
    cross_entropy,
    weight_features,
)
from proxylab.statistics.conformal import conformal_p_value


@pytest.fixture(scope="module")
def features():
    """{kind: float64[N, F]} of shipped agents."""
    numbers = {"trusted": range(30), "fresh": range(6), "hack": range(4)}
    return {
        kind: np.stack(
            [weight_features(load_agent(f"zoo:maze-corner/{kind}-{k:02d}")) for k in chosen]
        )
        for kind, chosen in numbers.items()
    }


def test_agents_with_another_goal_are_far_and_honest_ones_are_not(features):
    reference = WeightReference.of(features["trusted"][:20])
    calibration = [reference.distance(row) for row in features["trusted"][20:]]
    p_values = {
        kind: [conformal_p_value(calibration, reference.distance(row)) for row in features[kind]]
        for kind in ("fresh", "hack")
    }
    assert np.mean(p_values["hack"]) < 0.15
    assert np.mean(p_values["fresh"]) > 0.25


def test_features_depend_on_the_weights_alone(features):
    again = weight_features(load_agent("zoo:maze-corner/fresh-00"))
    assert (again == features["fresh"][0]).all()
    assert np.isfinite(again).all()
    assert (again != features["fresh"][1]).any()


def test_a_reference_needs_agents():
    with pytest.raises(UsageError, match="three"):
        WeightReference.of(np.ones((2, 5)))


def test_cross_entropy_of_coins_and_of_certainty():
    assert cross_entropy([0.5, 0.5], [0.5]) == pytest.approx(np.log(2))
    assert cross_entropy([1.0], [0.0]) == pytest.approx(0)
    assert cross_entropy([0.0], [0.0]) > 10


def test_a_curve_learns_from_labels_and_from_nothing_learns_nothing():
    curve = TrojanProbability.fit([5.0, 6.0, 7.0], [1.0, 2.0, 3.0])
    assert curve.of(6) > 0.7 > 0.3 > curve.of(2)
    same = TrojanProbability.fit([1.0, 2.0, 3.0], [1.0, 2.0, 3.0])
    assert same.of(3) == pytest.approx(0.5, abs=1e-3)
