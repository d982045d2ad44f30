"""Leakage reports and the counts behind them."""

from itertools import combinations

import numpy as np
import pytest

from proxylab_envs.grid.counting import DEPTH_FIRST_MAZES, depth_first_mazes, spanning_trees
from proxylab_envs.leakage import chao_estimate, leakage_report
from proxylab_envs.registry import make_batched


def spanning_trees_by_trial(side):
    """All sets of side² - 1 lattice edges without a cycle, one by one."""
    rooms = [(r, c) for r in range(side) for c in range(side)]
    edges = [(a, b) for a, b in combinations(rooms, 2) if abs(a[0] - b[0]) + abs(a[1] - b[1]) == 1]
    return sum(_joins_all(rooms, chosen) for chosen in combinations(edges, len(rooms) - 1))


def _joins_all(rooms, edges):
    group = {room: room for room in rooms}
    for a, b in edges:
        old, new = group[a], group[b]
        if old == new:
            return False
        group = {room: new if g == old else g for room, g in group.items()}
    return True


@pytest.mark.parametrize("side", [1, 2, 3])
def test_spanning_trees_against_trial(side):
    assert spanning_trees(side) == spanning_trees_by_trial(side)


def test_spanning_trees_of_four_by_four_rooms():
    assert spanning_trees(4) == 100_352


@pytest.mark.parametrize("side", [1, 2, 3, 4, pytest.param(5, marks=pytest.mark.slow)])
def test_table_of_depth_first_mazes_is_what_enumeration_finds(side):
    assert DEPTH_FIRST_MAZES[side] == depth_first_mazes(side)


@pytest.mark.parametrize(("size", "samples"), [(5, 200), (7, 5_000), (9, 150_000)])
def test_the_generator_makes_every_maze_that_was_counted(size, samples):
    env = make_batched("proxylab/MazeCorner-v0", 1, size=size)
    seeds = np.arange(samples)
    assert len(set(env.layout_hashes(seeds).tolist())) == env.num_layouts()


@pytest.mark.parametrize(("size", "samples"), [(5, 200), (7, 10_000)])
def test_the_uniform_generator_makes_every_spanning_tree(size, samples):
    env = make_batched("proxylab/MazeCorner-v1", 1, size=size)
    made = set(env.layout_hashes(np.arange(samples)).tolist())
    assert len(made) == env.num_layouts() == spanning_trees(size // 2)


def test_report_of_the_default_maze():
    report = leakage_report(make_batched("proxylab/MazeCorner-v1", 1), samples=20_000)
    assert report.layouts == 100_352
    assert set(report.shared.values()) == {0}
    assert 50_000 < report.estimate <= 100_352  # a lower bound: the splits are sampled unequally
    assert max(report.commonest.values()) < 0.001
    # 20,000 levels of the 10 % of the layouts in a split: 86 % of about 10,000
    assert 8_000 < report.distinct["iid"] < 9_300
    assert 8_000 < report.distinct["shifted"] < 9_300
    assert "can make: 100,352" in str(report)


def test_report_of_the_mazes_of_depth_first_search():
    report = leakage_report(make_batched("proxylab/MazeCorner-v0", 1), samples=20_000)
    assert report.layouts == 3_820
    assert set(report.shared.values()) == {0}
    assert report.estimate == pytest.approx(3_820, rel=0.02)
    assert sum(report.distinct.values()) <= 3_820
    assert "shared by train and iid: 0" in str(report)
    assert "can make: 3,820" in str(report)


def test_report_where_the_number_is_unknown():
    env = make_batched("proxylab/MazeCorner-v1", 1, generator="blocks")
    report = leakage_report(env, samples=500)
    assert report.layouts is None
    assert report.distinct["train"] == 500
    assert "unknown, estimated at no less than" in str(report)


def test_report_of_the_one_course_shows_that_everything_is_shared():
    report = leakage_report(make_batched("proxylab/BoatRace-v0", 1), samples=50)
    assert report.distinct == {"train": 1, "iid": 1}
    assert report.shared == {("train", "iid"): 1}
    assert report.commonest == {"train": 1.0, "iid": 1.0}


def test_chao_estimate_by_hand_and_on_a_known_population():
    assert chao_estimate(["a", "b", "b", "c"]) == 3 + 2 * 1 / (2 * 2)
    draws = np.random.default_rng(0).integers(0, 1000, 1500)
    # Equal classes: the estimate's standard deviation is about 25 here.
    assert abs(chao_estimate(draws) - 1000) < 100
