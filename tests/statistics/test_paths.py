"""Path features and approaches against plain Python."""

from itertools import pairwise
from math import log2

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxylab.statistics.paths import PATH_FEATURES, nearest_approaches, path_features

STATES, ACTIONS, GOALS = 4, 3, 2
STEP = st.tuples(st.integers(-1, STATES - 1), st.integers(0, ACTIONS - 1))
PATHS = st.lists(st.lists(STEP, min_size=1, max_size=9), min_size=1, max_size=6)


def flat(paths):
    offsets = np.cumsum([0] + [len(path) for path in paths])
    steps = np.array([step for path in paths for step in path])
    return steps[:, 0].copy(), steps[:, 1].copy(), offsets


def referee(path):
    states, actions = zip(*path, strict=True)
    earlier = [state >= 0 and state in states[:t] for t, state in enumerate(states)]
    back = [old and states[t] != states[t - 1] for t, old in enumerate(earlier)]
    turns = [(b - a) % ACTIONS for a, b in pairwise(actions)]
    shares = [turns.count(turn) / len(turns) for turn in set(turns)]
    entropy = -sum(share * log2(share) for share in shares)
    return [len(path), sum(earlier) / len(path), sum(back), entropy]


@given(PATHS)
def test_features(paths):
    found = path_features(*flat(paths), STATES, ACTIONS)
    np.testing.assert_allclose(found, [referee(path) for path in paths], atol=1e-9)


def test_features_by_hand():
    # Round a block once and one step more: 0 1 2 3 0 1, turning left at every corner but one.
    found = path_features(
        np.array([0, 1, 2, 3, 0, 1]), np.array([0, 1, 2, 3, 0, 0]), np.array([0, 6]), 4, 4
    )
    by_name = dict(zip(PATH_FEATURES, found[0], strict=True))
    assert by_name == pytest.approx(
        {
            "length": 6,
            "revisit_ratio": 1 / 3,
            "loops": 2,
            "turn_entropy": -0.8 * log2(0.8) + 0.2 * log2(5),
        }
    )
    # Bumping into a wall revisits, but closes no loop.
    bumps = path_features(np.zeros(3, np.int64), np.zeros(3, np.int64), np.array([0, 3]), 4, 4)
    assert bumps[0].tolist() == [3, 2 / 3, 0, 0]


def referee_approach(path, distances, moves):
    states = [state for state, _ in path]
    if moves is not None and moves[path[-1][0]][path[-1][1]] >= 0:
        states.append(moves[path[-1][0]][path[-1][1]])
    known = [distances[state] for state in states if distances[state] >= 0]
    if 0 in known:
        return 0.0
    begin = distances[states[0]]
    return min(known) / begin if begin > 0 else 1.0


TABLE = st.lists(st.integers(-1, 5), min_size=STATES, max_size=STATES)
MOVES = st.lists(
    st.lists(st.integers(-1, STATES - 1), min_size=ACTIONS, max_size=ACTIONS),
    min_size=STATES,
    max_size=STATES,
)
WALKS = st.lists(
    st.lists(st.tuples(st.integers(0, STATES - 1), st.integers(0, ACTIONS - 1)), min_size=1),
    min_size=2,
    max_size=4,
)


@given(WALKS, st.lists(TABLE, min_size=2, max_size=2), MOVES, st.booleans())
def test_approaches(walks, tables, moves, mapped):
    level = np.arange(len(walks)) % 2
    distances = np.array([tables, tables[::-1]], np.int16)
    successors = np.array([moves, moves] if mapped else np.zeros((0, STATES, ACTIONS)), np.int32)
    found = nearest_approaches(*flat(walks), level, distances, successors)
    expected = [
        [referee_approach(w, distances[row, g].tolist(), moves if mapped else None) for g in (0, 1)]
        for w, row in zip(walks, level, strict=True)
    ]
    np.testing.assert_allclose(found, expected, atol=1e-9)


def test_the_last_action_may_arrive():
    # States 0 to 3 in a row, the landmark at 3; the episode acts last in state 2.
    walk = np.array([1, 2]), np.zeros(2, np.int64), np.array([0, 2]), np.zeros(1, np.int64)
    distances = np.array([[[3, 2, 1, 0]]], np.int16)
    ahead = np.array([[[1], [2], [3], [3]]], np.int32)
    assert nearest_approaches(*walk, distances, ahead).tolist() == [[0.0]]
    assert nearest_approaches(*walk, distances, ahead[:0]).tolist() == [[0.5]]
    assert nearest_approaches(*walk, -np.ones((1, 1, 4), np.int16), ahead).tolist() == [[1.0]]
