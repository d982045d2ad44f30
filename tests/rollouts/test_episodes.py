"""Episodes: what is refused, and that select and concatenate keep every step."""

from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxylab.rollouts.episodes import STEP_FIELDS, Episodes, column_names, concatenate

LENGTHS = st.lists(st.integers(1, 6), min_size=1, max_size=6)


def make(lengths, seed=0, **changes):
    rng = np.random.default_rng(seed)
    steps, episodes = sum(lengths), len(lengths)
    columns = {
        "task": "toy",
        "policy": "p",
        "num_states": 5,
        "num_actions": 3,
        "episode_offsets": np.concatenate(([0], np.cumsum(lengths))).astype(np.int64),
        "state_id": rng.integers(0, 5, steps),
        "features": rng.random((steps, 2), np.float32),
        "action": rng.integers(0, 3, steps),
        "probabilities": rng.dirichlet(np.ones(3), steps),
        "proxy_reward": rng.random(steps),
        "level_seed": rng.integers(0, 2**33, episodes),
        "terminated": np.ones(episodes, bool),
        "truncated": np.zeros(episodes, bool),
    }
    return Episodes(**(columns | changes))


def test_no_field_can_hold_the_true_reward():
    names = [field.name for field in fields(Episodes)]
    assert [name for name in names if "reward" in name or "return" in name] == ["proxy_reward"]
    assert not any("true" in name for name in names)


@given(LENGTHS)
def test_episode_index_follows_the_offsets(lengths):
    episodes = make(lengths)
    assert episodes.episode_index.tolist() == [e for e, n in enumerate(lengths) for _ in range(n)]
    assert episodes.lengths.tolist() == lengths
    assert (episodes.num_episodes, episodes.num_steps) == (len(lengths), sum(lengths))


@given(LENGTHS, st.data())
def test_select_takes_whole_episodes_in_order(lengths, data):
    episodes = make(lengths)
    wanted = data.draw(st.lists(st.integers(0, len(lengths) - 1), max_size=8))
    chosen = episodes.select(wanted)
    assert chosen.lengths.tolist() == [lengths[e] for e in wanted]
    for position, episode in enumerate(wanted):
        old = slice(*episodes.episode_offsets[episode : episode + 2])
        new = slice(*chosen.episode_offsets[position : position + 2])
        for name in STEP_FIELDS:
            np.testing.assert_array_equal(getattr(chosen, name)[new], getattr(episodes, name)[old])
    np.testing.assert_array_equal(chosen.level_seed, episodes.level_seed[wanted])


@given(st.lists(LENGTHS, min_size=1, max_size=4))
def test_concatenate_is_undone_by_select(groups):
    parts = [make(lengths, seed) for seed, lengths in enumerate(groups)]
    joined = concatenate(parts, "all")
    start = 0
    for part in parts:
        back = joined.select(np.arange(start, start + part.num_episodes))
        for name in column_names():
            np.testing.assert_array_equal(getattr(back, name), getattr(part, name))
        start += part.num_episodes
    assert joined.policy == "all"


def test_columns_known_to_some_parts_only_are_dropped():
    joined = concatenate([make([2]), make([3], probabilities=None)])
    assert joined.probabilities is None
    assert joined.proxy_reward.shape == (5,)


def test_parts_of_different_tasks_do_not_join():
    with pytest.raises(ValueError, match="task differs"):
        concatenate([make([2]), replace(make([2]), task="other")])
    with pytest.raises(ValueError, match="no episodes"):
        concatenate([])


def test_empty_logs_are_episodes_too():
    empty = make([3, 1]).select([])
    assert (empty.num_episodes, empty.num_steps) == (0, 0)
    assert concatenate([empty, make([2])]).num_episodes == 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"episode_offsets": [0, 2, 2, 5]}, "episode 1 has no steps"),
        ({"episode_offsets": [0, 2, 4]}, "end at 4"),
        ({"episode_offsets": [1, 2, 5]}, "starts with 0"),
        ({"state_id": [0, 1, 2, 3, 5]}, r"state_id 5 at step 4 is not in \[-1, 5\)"),
        ({"action": [0, 1, -1, 0, 0]}, "action -1 at step 2"),
        ({"action": [0.5, 1, 0, 0, 0]}, "action is not an array of int64"),
        ({"probabilities": np.full((5, 3), 0.3)}, "no distribution"),
        ({"probabilities": np.full((5, 3), np.nan)}, "probabilities holds NaN"),
        ({"probabilities": np.full((5, 2), 0.5)}, "probabilities has shape"),
        ({"proxy_reward": [0, 1, np.inf, 0, 0]}, "proxy_reward holds NaN or infinity"),
        ({"features": np.zeros(5)}, "features must have shape"),
        ({"level_seed": [1]}, "level_seed has shape"),
        ({"terminated": ["yes", "no"]}, "terminated is not an array of bool"),
        ({"features": None}, "features is not an array"),
    ],
)
def test_bad_columns_are_refused_by_name(changes, message):
    with pytest.raises(ValueError, match=message):
        make([2, 3], **changes)
