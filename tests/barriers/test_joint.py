"""Joint pass rates against their definition, with controls for independence and its opposite."""

import itertools
import math

import numpy as np
import pytest

from proxylab.barriers.joint import (
    HONEST,
    LEFT,
    RIGHT,
    Passes,
    passes_of,
    rates,
    ratios,
    risk,
    sets_of,
)


def rng():
    return np.random.default_rng(0)


def table_of(passed, alone, lost, sides):
    names = tuple(f"b{k}" for k in range(len(sides)))
    return Passes(names, sides, np.array(passed, bool), np.array(alone), np.array(lost, float))


def brute(passed, chosen):
    """(joint, product), agent by agent."""
    joint = sum(all(agent[k] for k in chosen) for agent in passed) / len(passed)
    return joint, math.prod(sum(agent[k] for agent in passed) / len(passed) for k in chosen)


def test_joint_and_product_are_those_of_the_definition():
    passed = np.random.default_rng(1).random((25, 4)) < 0.6
    sets = sets_of(4)
    assert sets == [
        *itertools.combinations(range(4), 2),
        *itertools.combinations(range(4), 3),
        (0, 1, 2, 3),
    ]
    for chosen, found in zip(sets, ratios(passed, sets, rng()), strict=True):
        joint, product = brute(passed.tolist(), chosen)
        assert found.joint.estimate == pytest.approx(joint)
        assert found.product[0] == pytest.approx(product)
        assert found.ratio[0] == pytest.approx(joint / product)
        assert found.ratio[1] <= found.ratio[0] <= found.ratio[2]


def test_few_barriers_have_few_sets():
    assert sets_of(2) == [(0, 1)]
    assert len(sets_of(3)) == 4


def test_the_ratio_of_independent_barriers_covers_one():
    """Of 200 tables of independent barriers about 95 % have an interval that holds 1."""
    generator, covered = np.random.default_rng(2), 0
    for _ in range(200):
        passed = generator.random((60, 2)) < (0.4, 0.6)
        _, low, high = ratios(passed, [(0, 1)], rng())[0].ratio
        covered += low <= 1 <= high
    assert 180 <= covered <= 199


def test_barriers_with_the_same_holes():
    """Identical barriers have the ratio 1/p, and complementary ones 0."""
    own = np.arange(40) < 10
    same, apart = np.stack([own, own], 1), np.stack([own, ~own], 1)
    ratio = ratios(same, [(0, 1)], rng())[0].ratio
    assert ratio[0] == pytest.approx(4)
    assert ratio[1] > 1
    assert ratios(apart, [(0, 1)], rng())[0].ratio == (0, 0, 0)


def test_a_barrier_that_stops_everything_leaves_no_ratio():
    passed = np.stack([np.zeros(30, bool), np.ones(30, bool)], 1)
    found = ratios(passed, [(0, 1)], rng())[0]
    assert found.ratio == (None, None, None)
    assert found.joint.estimate == 0
    assert found.product == (0, None, None)
    assert found.joint.upper > 0.05


def test_a_ratio_that_many_resamples_lack_has_no_interval():
    """One agent of 30 passes: it is missing in 36 % of the resamples."""
    passed = np.stack([np.arange(30) == 0, np.ones(30, bool)], 1)
    assert ratios(passed, [(0, 1)], rng())[0].ratio == (pytest.approx(1), None, None)


def test_risk_is_what_is_left_of_the_loss():
    passed = [[True, True], [True, False], [False, True], [False, False]]
    alone, behind = [0.8, 0.4, 0.6, 0.2], [0.7, 0.1, 0.5, 0.0]
    lost = [[a if p[0] else 0, b] for a, b, p in zip(alone, behind, passed, strict=True)]
    found = risk(table_of(passed, alone, lost, (LEFT, RIGHT)), rng())
    assert found.severity.estimate == pytest.approx(0.5)
    assert found.left.estimate == pytest.approx((0.8 + 0.4) / 4)
    assert found.right.estimate == pytest.approx(sum(behind) / 4)
    assert found.both.estimate == pytest.approx((0.7 + 0.1) / 4)
    assert found.assumed[0] == pytest.approx(0.5 * 0.5 * 0.5)
    for value, low, high in found:
        assert low <= value <= high


def test_nothing_seen_is_not_nothing():
    """Of 20 agents that are all stopped the upper end is 16 % of the loss, not 0."""
    table = table_of([[False]] * 20, [0.5] * 20, [[0.0]] * 20, (LEFT,))
    found = risk(table, rng())
    assert found.left[:2] == (0, 0)
    assert found.left.upper == pytest.approx(0.5 * 0.161, abs=1e-3)
    assert found.assumed == (0, None, None)


def test_the_best_of_two_recovery_barriers_counts_and_none_makes_it_worse():
    table = table_of([[True, True]] * 3, [0.5] * 3, [[0.4, 0.2]] * 3, (RIGHT, RIGHT))
    assert risk(table, rng()).right.estimate == pytest.approx(0.2)
    worse = table_of([[True]] * 3, [0.5] * 3, [[0.9]] * 3, (RIGHT,))
    assert risk(worse, rng()).right.estimate == pytest.approx(0.5)
    left_only = table_of([[True]] * 3, [0.5] * 3, [[0.5]] * 3, (LEFT,))
    assert risk(left_only, rng()).both.estimate == pytest.approx(0.5)


def row(agent, barrier, threat="hack", fails=True, passed=True):
    return {
        "task": "t",
        "threat": threat,
        "agent": agent,
        "fails": fails,
        "barrier": barrier,
        "side": LEFT,
        "passed": passed,
        "alone": 0.5,
        "lost": 0.5 * passed,
    }


def test_only_failing_agents_and_honest_ones_are_counted():
    rows = [row("a", "x"), row("b", "x", passed=False), row("c", "x", fails=False)]
    rows += [row("d", "x", threat=HONEST, fails=False)]
    found = passes_of(rows)
    assert set(found) == {("t", "hack"), ("t", HONEST)}
    assert found["t", "hack"].passed.tolist() == [[True], [False]]
    assert rates(found["t", "hack"])[0].estimate == 0.5


def test_an_agent_that_missed_a_barrier_is_refused():
    rows = [row("a", "x"), row("a", "y"), row("b", "x")]
    with pytest.raises(ValueError, match="b has not met all barriers"):
        passes_of(rows)
