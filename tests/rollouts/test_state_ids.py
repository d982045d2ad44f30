"""Hashed states are numbered; real observations are divided into bins of the reference policies."""

import numpy as np
import pytest

from proxylab.environments.state_hash import HASHED_STATES, hash_of
from proxylab.rollouts.episodes import NO_STATE, Episodes
from proxylab.rollouts.state_ids import MOST_CELLS, bins_per_feature, dense_states


def played(name, features, states=None):
    """Ten episodes of equal length with these features (float32[T, F])."""
    steps = len(features)
    hashes = [hash_of(row.tobytes()) for row in features] if states is None else states
    return Episodes(
        task="own",
        policy=name,
        num_states=HASHED_STATES,
        num_actions=2,
        level_seed=np.arange(10),
        episode_offsets=np.linspace(0, steps, 11).astype(np.int64),
        state_id=np.array(hashes, np.int64),
        features=features.astype(np.float32),
        action=np.zeros(steps, np.int64),
        probabilities=None,
        proxy_reward=None,
        terminated=np.ones(10, bool),
        truncated=np.zeros(10, bool),
    )


def gaussian(seed, shift=0.0, count=2_000):
    return np.random.default_rng(seed).normal(shift, 1, (count, 2)).astype(np.float32)


def test_bins_of_reference_policies_make_real_states_recur():
    runs = {name: played(name, gaussian(k)) for k, name in enumerate("abc")}
    dense = dense_states(runs, ["a", "b"])
    assert {e.num_states for e in dense.values()} == {
        len(np.unique([e.state_id for e in dense.values()]))
    }
    assert dense["a"].num_states <= (bins_per_feature(2) + 2) ** 2
    for episodes in dense.values():
        assert (episodes.state_id != NO_STATE).all()


def test_equal_cells_are_equal_states_of_all_policies():
    runs = {name: played(name, gaussian(0)) for name in "abc"}
    dense = dense_states(runs, ["a"])
    assert np.array_equal(dense["a"].state_id, dense["c"].state_id)


def test_a_policy_that_is_no_reference_does_not_move_the_bins():
    """A far suspect changes the numbers of states, not which steps share one."""
    near = dense_states({n: played(n, gaussian(k)) for k, n in enumerate("abc")}, ["a", "b"])
    far = {n: played(n, gaussian(k, 9.0 if n == "c" else 0)) for k, n in enumerate("abc")}
    moved = dense_states(far, ["a", "b"])
    same = near["a"].state_id[:, None] == near["a"].state_id
    assert np.array_equal(same, moved["a"].state_id[:, None] == moved["a"].state_id)
    assert not np.isin(moved["c"].state_id, moved["a"].state_id).any()


def test_bins_of_the_suspect_would_move():
    """Negative control of the last test: with the suspect as a reference the steps do change."""
    near = dense_states({n: played(n, gaussian(k)) for k, n in enumerate("abc")}, ["a", "b"])
    far = {n: played(n, gaussian(k, 9.0 if n == "c" else 0)) for k, n in enumerate("abc")}
    moved = dense_states(far, ["a", "b", "c"])
    same = near["a"].state_id[:, None] == near["a"].state_id
    assert not np.array_equal(same, moved["a"].state_id[:, None] == moved["a"].state_id)


def test_what_the_reference_never_reached_is_a_state_of_its_own():
    inside = np.linspace(0, 1, 400, dtype=np.float32)[:, None]
    beyond = np.full((400, 1), 1.001, np.float32) + np.arange(400, dtype=np.float32)[:, None]
    dense = dense_states({"a": played("a", inside), "b": played("b", beyond)}, ["a"])
    assert len(np.unique(dense["b"].state_id)) == 1
    assert not np.isin(dense["b"].state_id, dense["a"].state_id).any()
    assert len(np.unique(dense["a"].state_id)) == bins_per_feature(1)


def test_states_that_recur_stay_hashes():
    few = gaussian(0, count=20)
    runs = {name: played(name, few[np.arange(2_000) % 20]) for name in "ab"}
    assert dense_states(runs, ["a"])["a"].num_states == 20


def test_without_features_states_are_dropped():
    empty = np.empty((2_000, 0), np.float32)
    runs = {name: played(name, empty, np.arange(2_000) + 2_000 * k) for k, name in enumerate("ab")}
    assert dense_states(runs, ["a"])["a"].num_states == 0


@pytest.mark.parametrize(("features", "bins"), [(1, 32), (2, 31), (3, 10), (4, 5), (6, 3), (20, 2)])
def test_the_number_of_bins(features, bins):
    assert bins_per_feature(features) == bins
    assert bins == 2 or bins**features <= MOST_CELLS
