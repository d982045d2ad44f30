"""Plans on maps: the kernels against plain Python."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from proxylab.statistics.planning import (
    distances_to_states,
    plan_probabilities,
    pursuit_likelihoods,
)

STATES, ACTIONS = 6, 3
MAPS = st.lists(
    st.lists(st.integers(-1, STATES - 1), min_size=ACTIONS, max_size=ACTIONS),
    min_size=STATES,
    max_size=STATES,
)
LAPSES = np.array([0.05, 0.5, 1.0])


def referee_distance(moves, start, goal):
    """Fewest steps by trying all states of 0, 1, 2, … steps; -1 if there is no way."""
    if max(moves[goal]) < 0:
        return -1
    reached = {start}
    for steps in range(STATES + 1):
        if goal in reached:
            return steps
        reached = reached | {there for state in reached for there in moves[state] if there >= 0}
    return -1


@given(st.lists(MAPS, min_size=1, max_size=3))
def test_distances(maps):
    found = distances_to_states(np.array(maps, np.int32))
    for level, moves in enumerate(maps):
        for goal in range(STATES):
            expected = [referee_distance(moves, start, goal) for start in range(STATES)]
            assert found[level, goal].tolist() == expected


def referee_plan(distances, moves, action, sharpness):
    weights = [
        np.exp(-sharpness * distances[there]) if there >= 0 and distances[there] >= 0 else 0.0
        for there in moves
    ]
    return weights[action] / sum(weights) if sum(weights) else 0.0


@settings(max_examples=25)
@given(st.lists(MAPS, min_size=1, max_size=2), st.integers(0, 2**31))
def test_likelihoods_until_the_arrival(maps, seed):
    rng = np.random.default_rng(seed)
    successors = np.array(maps, np.int32)
    distances = distances_to_states(successors)
    lengths = rng.integers(1, 5, 4)
    offsets, steps = np.concatenate([[0], np.cumsum(lengths)]), int(lengths.sum())
    level = rng.integers(0, len(maps), 4)
    states, actions = rng.integers(0, STATES, steps), rng.integers(0, ACTIONS, steps)
    rivals = rng.random((2, steps))
    expected = np.zeros((STATES, 3, len(LAPSES)))
    plans = np.full((STATES, steps), np.nan)
    for goal in range(STATES):
        for episode in range(4):
            to_goal, moves = distances[level[episode], goal], maps[level[episode]]
            for t in range(offsets[episode], offsets[episode + 1]):
                if to_goal[states[t]] <= 0:
                    break
                plans[goal, t] = referee_plan(to_goal, moves[states[t]], actions[t], 2.0)
                for model, chance in enumerate((plans[goal, t], *rivals[:, t])):
                    expected[goal, model] += np.log((1 - LAPSES) * chance + LAPSES / ACTIONS)
    walked = (successors, level, offsets, states, actions)
    found = pursuit_likelihoods(distances, *walked, rivals, LAPSES, 2.0)
    np.testing.assert_allclose(found, expected, atol=1e-9)
    for goal in range(STATES):
        one = np.ascontiguousarray(distances[:, goal])
        np.testing.assert_allclose(plan_probabilities(one, *walked, 2.0), plans[goal], atol=1e-12)


def test_long_ways_do_not_underflow():
    # 4,000 steps, each of chance 1/2 or less: the product itself would be 0.
    successors = np.array([[[1, 1], [0, 2], [2, 2]]], np.int32)
    states = np.array([0, 1] * 2000)
    found = pursuit_likelihoods(
        distances_to_states(successors),
        successors,
        np.zeros(1, np.int64),
        np.array([0, 4000]),
        states,
        np.zeros(4000, np.int64),
        np.full((1, 4000), 0.5),
        np.array([1.0]),
        1.0,
    )
    np.testing.assert_allclose(found[2], 4000 * np.log(0.5))
