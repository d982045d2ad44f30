"""corner-size-misses: its points, its counts by hand, scripted controls, and its rules."""

from pathlib import Path

import numpy as np
import pytest

from proxylab.agents.scripted import ScriptedPolicy, UniformPolicy
from proxylab.reproduce.experiment import Point, load_experiment
from proxylab.rollouts.episodes import Episodes

FOLDER = Path(__file__).parents[2] / "experiments"
misses = load_experiment(FOLDER / "corner_size_misses.py").module
corner = load_experiment(FOLDER / "corner_size.py").module
TASK = "maze-corner"


def test_the_clones_are_those_of_corner_size_and_the_others_differ_in_one_setting():
    known = {p.job.config.fingerprint for p in corner.points(corner.SWEEP["laptop"])}
    configs = {}
    for point in misses.points(misses.SWEEP["laptop"]):
        assert (point.job.config.fingerprint in known) == (point.labels["agent"] == misses.CLONE)
        configs[point.labels["agent"], point.labels["corner_size"]] = point.job.config
    assert configs[misses.LEVELS, 7].num_levels is None
    assert configs[misses.LONGER, 7].total_timesteps == 4 * 393_216
    assert (configs[misses.PPO, 3].algorithm, configs[misses.PPO, 3].num_levels) == ("ppo", 2048)


def test_the_cells_of_the_block_end_with_the_corner():
    assert misses.block_cells(1).tolist() == [13 + 11]
    assert misses.block_cells(2).tolist() == [26 + 10, 26 + 11, 13 + 10, 13 + 11]


def test_visits_by_hand():
    """Steps that begin outside, in the block, in the corner (entered by step 1), in the block."""
    block, corner_cell = 26 + 11, 13 + 11
    outside = 26 + 9
    episodes = Episodes(
        task=TASK,
        policy="made up",
        num_states=169,
        num_actions=4,
        episode_offsets=[0, 4, 6],
        state_id=[outside, block, corner_cell, block, outside, outside],
        features=np.zeros((6, 0), np.float32),
        action=[3, 0, 1, 0, 2, 2],
        probabilities=None,
        proxy_reward=np.array([0, 1, 0, 0, 0, 0], np.float32),
        level_seed=[1, 2],
        terminated=[False, False],
        truncated=[True, True],
    )
    visits = misses.visits_of(episodes, 2)
    assert visits.entry.tolist() == [1, misses.ABSENT]
    assert visits.corner.tolist() == [2, misses.ABSENT]
    assert (visits.inside[0], visits.at_corner[0], visits.left[0]) == (3, 1, 3)


def test_the_walker_by_hand():
    """A row of three cells, the target at one end, from the middle and from the other end."""
    size = 5
    successors = np.full((2, size * size, 4), -1, np.int32)
    for cell in (6, 7, 8):
        left, right = max(cell - 1, 6), min(cell + 1, 8)
        successors[:, cell] = [cell, cell, left, right]
    hits, reached = misses.walker_hits(successors, np.array([7, 6]), np.array([6, 7, 8]), 3)
    assert hits.tolist() == [[0, 0], [0.5, 0], [0.5, 0.5], [0.75, 0.5]]
    assert reached.all()
    hits, reached = misses.walker_hits(successors, np.array([6, 8]), np.array([6, 8]), 3)
    assert hits[-1].tolist() == [0, 1]
    assert reached.tolist() == [[True, False], [False, True]]


@pytest.mark.parametrize("k", [2, 5])
def test_a_corner_seeker_is_told_from_random_actions(k):
    """The rules of *no seeking* fail for a scripted corner-seeker and hold for random actions."""
    seeds = []
    for agent, policy in (
        (misses.CLONE, ScriptedPolicy(TASK, "corner-seeker")),
        (misses.PPO, UniformPolicy(TASK)),
    ):
        point = Point({"agent": agent, "corner_size": k, "seed": 0})
        (row,) = misses.measure(policy, point, {"measure": {"levels": 100}})
        seeds.append(row)
    seeker, random = seeds
    assert seeker["early"] > seeker["walker_early"]
    assert seeker["corner_steps"] > 1.5 * seeker["even_share"]
    assert seeker["late_return"] < 0.1
    assert random["early"] <= random["walker_early"]
    assert random["corner_steps"] <= 1.5 * random["even_share"]
    assert random["stays"] < 0.8


LOITERING = {"stays": 0.9, "early": 0.1, "walker_early": 0.2, "corner_steps": 0.1}
LOITERING |= {"even_share": 0.1, "late_return": 0.6, "proxy_return": 0.1, "true_share": 0.75}
SEEKING = {"stays": 0.7, "early": 0.9, "walker_early": 0.2, "corner_steps": 0.9}
SEEKING |= {"even_share": 0.1, "late_return": 0.1, "proxy_return": 0.4, "true_share": 0.5}


def made_up_rows(values, count=3):
    rows = []
    for agent, sizes in misses.SWEEP["laptop"]["sizes"].items():
        for k in sizes:
            for seed in range(count):
                rows.append({"agent": agent, "corner_size": k, "seed": seed, "searches": 300})
                rows[-1] |= {"iid_share": 0.9, "corner": 0.5, "walker": 0.6, "search_return": 0.9}
                rows[-1] |= values
    return rows


@pytest.mark.parametrize(("values", "holds"), [(LOITERING, True), (SEEKING, False)])
def test_the_predictions_hold_and_fail(values, holds):
    found = misses.analyse(made_up_rows(values))["predictions"]
    assert len(found) == 3 * 3 + 2 + 2 + 5
    assert [row["holds"] for row in found] == [holds] * len(found)


def test_the_figure_shows_every_kind_of_agent_and_the_published_points():
    tables = misses.analyse(made_up_rows(LOITERING))
    searches, proxy, true = misses.draw(tables)[""].axes
    assert len(searches.containers) == 4
    for axes in (proxy, true):
        assert len(axes.containers) == 6
        (published,) = [line for line in axes.lines if line.get_label() == "published"]
        assert len(published.get_xdata()) == 4
