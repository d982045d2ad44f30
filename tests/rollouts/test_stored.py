"""Episodes in files stand for those in memory, array by array and batch by batch."""

import gc
import pickle

import numpy as np
import pytest

from proxylab.rollouts import episodes as module
from proxylab.rollouts.episodes import ARRAYS, Episodes, batches_of, concatenate
from proxylab.rollouts.stored import Scratch, Writer, stored

STATES, ACTIONS = 40, 4


def walks(rng, lengths, policy="a", **changes):
    count = int(np.sum(lengths))
    columns = {
        "task": "somewhere",
        "policy": policy,
        "num_states": STATES,
        "num_actions": ACTIONS,
        "episode_offsets": np.concatenate(([0], np.cumsum(lengths))),
        "state_id": rng.integers(-1, STATES, count),
        "features": rng.normal(size=(count, 2)).astype(np.float32),
        "action": rng.integers(0, ACTIONS, count),
        "probabilities": rng.dirichlet(np.ones(ACTIONS), count).astype(np.float32),
        "proxy_reward": rng.normal(size=count).astype(np.float32),
        "level_seed": rng.integers(0, 1 << 40, len(lengths)),
        "terminated": rng.random(len(lengths)) < 0.5,
        "truncated": rng.random(len(lengths)) < 0.5,
    }
    return Episodes(**columns | changes)


def same(one, other):
    assert (one.policy, one.num_states, one.num_actions) == (
        other.policy,
        other.num_states,
        other.num_actions,
    )
    assert (one.num_episodes, one.num_steps) == (other.num_episodes, other.num_steps)
    for name in ARRAYS:
        a, b = getattr(one, name), getattr(other, name)
        assert (a is None) == (b is None)
        if a is not None:
            assert a.dtype == b.dtype, name
            assert np.array_equal(a, b), name
    return True


@pytest.fixture
def pair(tmp_path):
    rng = np.random.default_rng(0)
    parts = [walks(rng, rng.integers(1, 9, 30)) for _ in range(3)]
    return concatenate(parts), stored(Scratch(tmp_path), parts)


def test_every_array_is_the_same(pair):
    assert same(*pair)
    assert same(pair[0], pair[1].loaded())


def test_chosen_episodes_are_the_same_also_of_chosen_ones(pair):
    memory, files = pair
    rng = np.random.default_rng(1)
    for _ in range(3):
        chosen = rng.integers(0, memory.num_episodes, 20)
        memory, files = memory.select(chosen), files.select(chosen)
        assert same(memory, files)
    assert same(memory.select([]), files.select([]))


def test_batches_are_the_same_and_make_up_the_whole(pair, monkeypatch):
    monkeypatch.setattr(module, "BATCH_STEPS", 25)
    whole = [list(episodes.batches()) for episodes in pair]
    assert len(whole[0]) == len(whole[1]) > 5
    assert all(same(a, b) for a, b in zip(*whole, strict=True))
    assert same(concatenate(whole[1]), pair[0])
    assert max(batch.num_steps for batch in whole[0]) <= 25 + 8
    assert sum(batch.num_episodes for batch in batches_of(pair)) == 2 * pair[0].num_episodes


def test_a_batch_can_be_chosen_from(pair, monkeypatch):
    monkeypatch.setattr(module, "BATCH_STEPS", 25)
    one, other = (next(iter(episodes.batches())) for episodes in pair)
    assert same(one.select([1, 0]), other.select([1, 0]))


def test_absent_columns_are_absent(tmp_path):
    rng = np.random.default_rng(2)
    bare = {"probabilities": None, "proxy_reward": None, "features": np.zeros((6, 0), np.float32)}
    episodes = walks(rng, [4, 2], **bare)
    assert same(episodes, stored(Scratch(tmp_path), [episodes]))


def test_states_are_renumbered_and_dropped(pair):
    memory, files = pair
    known = np.unique(memory.state_id[memory.state_id >= 0])[::2]
    kept = files.renumbered(np.unique(memory.state_id[memory.state_id >= 0]))
    assert np.array_equal(kept.state_id, memory.state_id)  # all of 0..39 occur
    assert kept.num_states == STATES
    assert files.renumbered(known).num_states == len(known)
    assert (files.renumbered(known[:0]).state_id == -1).all()


def test_large_indices_are_not_cut(tmp_path):
    rng = np.random.default_rng(3)
    most = 1 << 40
    huge = walks(rng, [3], num_states=most, state_id=np.array([most - 1, -1, 0]))
    assert same(huge, stored(Scratch(tmp_path), [huge]))


def test_parts_must_agree(tmp_path):
    rng = np.random.default_rng(4)
    writer = Writer(Scratch(tmp_path))
    writer.add(walks(rng, [3]))
    with pytest.raises(ValueError, match="differ in num_states"):
        writer.add(walks(rng, [3], num_states=STATES + 1))
    with pytest.raises(ValueError, match="differ in proxy_reward"):
        writer.add(walks(rng, [3], proxy_reward=None))


def test_another_process_gets_the_places_only_and_does_not_remove_the_files(pair):
    memory, files = pair
    packed = pickle.dumps(files.select(np.arange(10)))
    assert len(packed) < 3000
    other = pickle.loads(packed)
    assert same(memory.select(np.arange(10)), other)
    del other
    gc.collect()
    assert same(memory, files)


def test_files_are_removed_with_the_last_reference(tmp_path):
    files = stored(Scratch(tmp_path), [walks(np.random.default_rng(5), [3])])
    some = files.select([0])
    del files
    gc.collect()
    assert some.num_steps == 3
    assert list(tmp_path.iterdir())
    del some
    gc.collect()
    assert not list(tmp_path.iterdir())
