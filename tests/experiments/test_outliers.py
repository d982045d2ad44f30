"""outliers: the agents that are trained again, and when an outlier is repeated."""

from pathlib import Path

import pytest

from proxylab.reproduce.experiment import load_experiment

FOLDER = Path(__file__).parents[2] / "experiments"
module = load_experiment(FOLDER / "outliers.py").module
seeds = load_experiment(FOLDER / "seeds.py").module


def made_up_rows(outliers, others):
    rows = []
    for group, values in (("outlier", outliers), ("other", others)):
        for k, value in enumerate(values):
            rows.append({"group": group, "seed": k, "preference": 0.7 - k * k / 100})
            rows[-1]["other_preference"] = value
    return rows


def test_the_agents_are_those_of_seeds():
    known = {
        p.job.config.fingerprint: p.labels["seed"] for p in seeds.points(seeds.SWEEP["laptop"])
    }
    points = module.points(module.SWEEP["laptop"])
    assert all(known[p.job.config.fingerprint] == p.labels["seed"] for p in points)
    groups = [point.labels["group"] for point in points]
    assert groups.count("other") == 3 * groups.count("outlier") > 0
    assert len({point.labels["seed"] for point in points}) == len(points)


def test_an_outlier_is_repeated_where_it_lies_below_all_others():
    rows = made_up_rows([0.5, 0.695, 0.72], [0.69, 0.70, 0.70, 0.71])
    tables = module.analyse(rows)
    assert [row["repeated"] for row in tables["repeated"]] == [True, False, False]
    assert tables["repeated"][0]["z"] == pytest.approx(-0.2 / (2e-4 / 3) ** 0.5)
    (correlation,) = tables["correlations"]  # the made-up seeds are in no table of seeds
    assert correlation["with"] == "other levels"
    assert correlation["low"] < correlation["correlation"] < correlation["high"] <= 1
    (share,) = tables["share"]
    assert (share["outliers"], share["repeated"], share["others"]) == (3, 1, 4)
    figure = module.draw({"runs": rows, **tables})[""]
    assert [len(line.get_xdata()) for line in figure.axes[0].lines[:2]] == [4, 3]


def test_agents_that_reach_no_goal_give_no_table():
    assert module.analyse(made_up_rows([0.5], [0.7, None])) == {}
    assert module.preference({"proxy_first": 0.0, "intended": 0.0}) is None
