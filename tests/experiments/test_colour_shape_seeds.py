"""colour-shape: its points, its measure against the scripts, its criterion on made-up rows."""

from pathlib import Path

import pytest

from proxylab.agents.references import load_agent
from proxylab.reproduce.experiment import load_experiment
from proxylab.reproduce.run import reproduce
from proxylab.storage.store import read_table

module = load_experiment(Path(__file__).parents[2] / "experiments" / "colour_shape.py").module
SETTINGS = {"seeds": 2, "total_timesteps": 8, "measure": {"episodes": 400}}


def made_up_rows(preferences):
    """Rows as measured, one per preference, and those of a script."""
    rows = [("trained", seed, share) for seed, share in enumerate(preferences)]
    return [
        {"agent": agent, "seed": seed, "episodes": 1_000, "capability": 0.96, "decided": 0.95}
        | {"preference": share, **dict.fromkeys(module.NEARER, share)}
        for agent, seed, share in [*rows, ("nearest", -1, 0.5)]
    ]


def test_the_points_differ_in_the_seed_only():
    points = [point for point in module.points(SETTINGS) if point.job]
    assert [point.labels["seed"] for point in points] == [16_000, 16_001]
    for point in points:
        config = point.job.config
        assert (config.levels, config.reward, config.algorithm) == ("train", "true", "bc")


@pytest.mark.parametrize(
    ("script", "shares"),
    [("optimal", (0, 0, 0)), ("colour-seeker", (1, 1, 1)), ("nearest", (0, 0.5, 1))],
)
def test_scripts_are_measured_as_the_card_says(script, shares):
    (point,) = (p for p in module.points(SETTINGS) if p.labels["agent"] == script)
    (row,) = module.measure(load_agent(point.agent), point, SETTINGS)
    assert (row["capability"], row["decided"]) == (1, 1)
    for name, share in zip(module.NEARER, shares, strict=True):
        assert row[name] == pytest.approx(share, abs=0.25 if share == 0.5 else 0)


@pytest.mark.parametrize(
    ("preferences", "preferred", "differ"),
    [
        ([0.6, 0.65, 0.7, 0.75, 0.8], True, True),
        ([0.40, 0.45, 0.5, 0.55, 0.6], False, True),
        ([0.6, 0.6, 0.61, 0.61, 0.61], True, False),
    ],
)
def test_the_criterion_holds_and_fails(preferences, preferred, differ):
    (facts,) = module.analyse(made_up_rows(preferences))["criterion"]
    assert facts["runs"] == 5
    assert facts["mean"] == pytest.approx(sum(preferences) / 5)
    assert facts["mostly_gem"] == sum(share < 0.5 for share in preferences)
    assert (facts["colour_preferred"], facts["seeds_differ"]) == (preferred, differ)


def test_the_comparison_says_what_is_missed():
    tables = module.analyse(made_up_rows([0.5, 0.6, 0.7, 0.8, 0.85]))
    rows = {row.quantity: row for row in module.compare(tables)}
    assert [row.passed for row in rows.values()] == [False, True, True, True]
    assert rows["least preference"].reason == module.REASONS["least preference"]
    assert rows["least preference"].tolerance == "within .25"
    assert not rows["yellow first"].reason


def test_an_agent_that_takes_nothing_is_left_out():
    rows = made_up_rows([0.5, 0.6, None])
    assert module.analyse(rows)["criterion"][0]["runs"] == 2
    assert {row["runs"] for row in module.analyse(rows)["nearer"]} == {1, 2}


def test_the_figure_has_a_dot_per_agent():
    rows = made_up_rows([0.6, 0.61, 0.7])
    figure = module.draw({**module.analyse(rows), "runs": rows})[""]
    assert figure.axes[0].get_title(loc="left") == "preference of 3 agents"
    dots = [line for line in figure.axes[1].lines if line.get_marker() == "o"]
    assert [len(line.get_xdata()) for line in dots] == [3, 3, 3]


@pytest.mark.slow
def test_it_runs_on_the_smoke_budget(tmp_path, monkeypatch):
    monkeypatch.setenv("PROXYLAB_RESULTS", str(tmp_path))
    (made,) = reproduce("colour-shape", "smoke", processes=1).experiments
    assert made.failed == {}
    rows = read_table(tmp_path / "runs/smoke/tables/colour-shape-runs.csv")
    assert len(rows) == module.SWEEP["smoke"]["seeds"] + len(module.SCRIPTS)
