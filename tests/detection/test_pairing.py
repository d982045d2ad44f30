"""Pairing of episodes by level."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from toy_population import episodes_from

from proxylab.detection.pairing import NotApplicable, level_rows, restrict, shared_levels

LEVELS = st.lists(st.integers(0, 5), max_size=8)


def on_levels(levels, policy="p"):
    return episodes_from([[k % 6] for k in range(len(levels))], policy=policy, levels=levels)


@given(st.lists(LEVELS, min_size=1, max_size=4))
def test_shared_levels_are_the_smallest_counts(plays):
    levels, counts = shared_levels([on_levels(np.array(p, int)) for p in plays])
    least = {level: min(play.count(level) for play in plays) for level in range(6)}
    expected = {level: count for level, count in least.items() if count}
    assert dict(zip(levels.tolist(), counts.tolist(), strict=True)) == expected


@given(st.lists(LEVELS, min_size=2, max_size=3))
def test_restricted_policies_are_paired(plays):
    population = [on_levels(np.array(play, int)) for play in plays]
    levels, counts = shared_levels(population)
    restricted = [restrict(episodes, levels, counts) for episodes in population]
    expected = np.repeat(levels, counts).tolist()
    assert all(episodes.level_seed.tolist() == expected for episodes in restricted)


def test_the_first_episodes_of_a_level_are_kept():
    episodes = on_levels(np.array([7, 5, 7, 5, 9]))
    kept = restrict(episodes, np.array([5, 7]), np.array([2, 1]))
    assert kept.state_id.tolist() == [1, 3, 0]


def test_unknown_levels_have_no_row():
    assert level_rows(np.array([3, 8]), on_levels(np.array([8, 3]))).tolist() == [1, 0]
    with pytest.raises(NotApplicable, match="never played level 9"):
        level_rows(np.array([3, 8]), on_levels(np.array([8, 9])))
