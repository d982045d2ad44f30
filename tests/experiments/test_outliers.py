"""seeds: outliers, and how far the preferences of the agents repeat on other levels."""

from pathlib import Path

import numpy as np
import pytest

from proxylab.reproduce.experiment import load_experiment

module = load_experiment(Path(__file__).parents[2] / "experiments" / "seeds.py").module


def made_up_rows(own, other):
    pairs = enumerate(zip(own, other, strict=True))
    facts = {"capability": 0.99, "true_return": 0.3, "proxy_return": 0.7}
    return [{"seed": k, "preference": p, "other_preference": q, **facts} for k, (p, q) in pairs]


@pytest.fixture
def draws():
    return np.random.default_rng(3)


def test_a_spread_of_the_agents_repeats_and_one_of_the_evaluation_does_not(draws):
    agents, first, second = draws.normal(0, 0.02, (3, 100))
    steady = module.repeat(made_up_rows(0.7 + agents, 0.7 + agents))
    assert steady["correlation"] == pytest.approx(1)
    assert steady["agents"] == pytest.approx(steady["deviation"])
    noise = module.repeat(made_up_rows(0.7 + first, 0.7 + second))
    assert abs(noise["correlation"]) < 0.3
    assert noise["low"] < noise["deviation"] / 2
    both = module.repeat(made_up_rows(0.7 + agents + first, 0.7 + agents + second))
    assert both["low"] < 0.02 < both["high"]
    assert both["agents"] < both["deviation"]


def test_an_outlier_is_repeated_where_both_samples_have_it(draws):
    own, other = 0.7 + draws.uniform(-0.01, 0.01, (2, 50))
    own[[3, 8]] = 0.5
    other[8] = 0.5
    rows = made_up_rows(own, other)
    tables = module.analyse(rows)
    assert [row["seed"] for row in tables["outliers"]] == [3, 8]
    (found,) = tables["repeat"]
    assert (found["outliers"], found["repeated"]) == (2, 1)
    figure = module.draw({"runs": rows, **tables})[""]
    assert len(figure.axes[0].texts) == 2


def test_agents_without_a_goal_are_left_out():
    rows = made_up_rows([0.7, 0.6], [0.7, None])
    assert module.analyse(rows)["summary"][0]["runs"] == 1
