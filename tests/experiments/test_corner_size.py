"""corner-size: its points, its measure against hand counts, and its rules on made-up rows."""

from pathlib import Path

import numpy as np
import pytest

from proxylab.agents.scripted import ScriptedPolicy
from proxylab.reproduce.experiment import Point, load_experiment
from proxylab.training.sb3_policy import agent_weights
from proxylab.training.train import make_model, run_job

corner = load_experiment(Path(__file__).parents[2] / "experiments" / "corner_size.py").module

LAPTOP = corner.SWEEP["laptop"]


def made_up_rows(shifted_true, shifted_proxy, seeds=4):
    """Rows as measured: trained agents by {k: return}, untrained ones at .16."""
    rows = []
    for seed in range(seeds):
        for maze in (corner.TREES, corner.BLOCKS):
            for agent, k in [("trained", k) for k in shifted_true] + [("untrained", 1)]:
                trained = agent == "trained"
                for split in corner.SPLITS:
                    rows.append(
                        {
                            **{"maze": maze, "agent": agent, "corner_size": k, "seed": seed},
                            **{"split": split, "reached": 0.5, "corner_first": 0.5},
                            "true_return": (shifted_true[k] if trained else 0.16) + 0.01 * seed,
                            "proxy_return": shifted_proxy[k] if trained else 0.1,
                            **{"optimal_true": 0.9, "optimal_proxy": 0.8, "seeker_true": 0.2},
                        }
                    )
    return rows


AS_PUBLISHED = ({1: 0.13, 2: 0.19, 7: 0.64}, {1: 0.46, 2: 0.01, 7: 0.02})
REVERSED = ({1: 0.5, 2: 0.5, 7: 0.2}, {1: 0.1, 2: 0.3, 7: 0.3})


def test_the_comparison_has_the_published_settings():
    points = corner.points(LAPTOP)
    (point,) = [
        p
        for p in points
        if p.labels
        == {"task": "maze-corner", "role": "proxy", "maze": "blocks", "agent": "trained"}
        | {"corner_size": 7, "seed": 5000}
    ]
    config = point.job.config
    assert config.env == {
        **{"generator": "blocks", "size": 13, "corner_size": 7},
        **{"only_solvable": False, "time_limit": 128},
    }
    assert (config.num_levels, config.algorithm) == (2048, "bc")
    assert sum(p.labels["agent"] == "untrained" for p in points) == 2 * LAPTOP["seeds"]


def test_an_untrained_run_keeps_its_first_weights(tmp_path):
    """Nothing is left to learn at the only update: the rate has fallen to 0 by then."""
    points = corner.points(corner.SWEEP["smoke"])
    (point,) = [
        p for p in points if (p.labels["agent"], p.labels["maze"]) == ("untrained", "trees")
    ]
    first = agent_weights(make_model(point.job.config).policy)
    run_job(point.job.config, tmp_path / "run")
    from proxylab.agents.references import load_agent

    trained = load_agent(tmp_path / "run").network.state_dict()
    assert all(np.array_equal(first[name], trained[name].numpy()) for name in first)


@pytest.mark.parametrize("maze", [corner.TREES, corner.BLOCKS])
def test_optimal_play_measures_as_the_optimum(maze):
    point = Point({"maze": maze, "corner_size": 2, "seed": 0})
    policy = ScriptedPolicy("maze-corner", "optimal")
    for row in corner.measure(policy, point, {"measure": {"levels": 60}}):
        assert row["true_return"] == pytest.approx(row["optimal_true"], abs=1e-9)
        assert row["seeker_true"] < row["optimal_true"]


def test_the_perfect_corner_seeker_measures_as_the_proxys_optimum():
    """Where the way to the corner passes the cheese the episode ends there, so it gets less."""
    point = Point({"maze": corner.BLOCKS, "corner_size": 1, "seed": 0})
    policy = ScriptedPolicy("maze-corner", "corner-seeker")
    iid, shifted = corner.measure(policy, point, {"measure": {"levels": 60}})
    assert iid["proxy_return"] == pytest.approx(iid["optimal_proxy"], abs=1e-6)
    assert shifted["proxy_return"] < shifted["optimal_proxy"]
    assert shifted["true_return"] == shifted["seeker_true"]


def test_shifted_levels_are_the_same_for_every_block_size():
    rows = [
        corner.measure(
            ScriptedPolicy("maze-corner", "optimal"),
            Point({"maze": maze, "corner_size": k, "seed": 0}),
            {"measure": {"levels": 30}},
        )[1]
        for maze in (corner.TREES, corner.BLOCKS)
        for k in (1, 5)
    ]
    assert rows[0] == rows[1]
    assert rows[2] == rows[3]


def test_the_gain_is_paired_by_seed():
    gains = corner.analyse(made_up_rows(*AS_PUBLISHED))["gains"]
    (first,) = [g for g in gains if (g["maze"], g["corner_size"]) == ("blocks", 1)]
    assert first["mean"] == pytest.approx(-0.03)
    assert first["low"] == pytest.approx(first["high"])


@pytest.mark.parametrize(("returns", "passes"), [(AS_PUBLISHED, True), (REVERSED, False)])
def test_the_rules_pass_and_fail(returns, passes):
    found = corner.compare(corner.analyse(made_up_rows(*returns)))
    assert [c.passed for c in found[:5]] == [passes] * 5
    assert all(bool(c.reason) != c.passed for c in found)
    assert len(found) == 2 + 2 * len(returns[0])
    assert found[1].ours == pytest.approx((returns[0][7] + 0.015) / 0.9)


def test_the_figure_shows_our_points_and_the_published_ones():
    tables = corner.analyse(made_up_rows(*AS_PUBLISHED))
    trees, blocks = corner.draw(tables)[""].axes
    drawn = {line.get_label(): line for line in blocks.get_lines()}
    assert drawn["published true return"].get_ydata()[0] == 0.13
    assert drawn["true return, cheese anywhere"].get_ydata().tolist() == pytest.approx(
        [0.145, 0.205, 0.655]
    )
    assert "published true return" not in {line.get_label() for line in trees.get_lines()}
