"""Clips: what they show, and what continues them after the end of an episode."""

import numpy as np
import pytest

from proxylab.agents.scripted import ScriptedPolicy, UniformPolicy
from proxylab.errors import UsageError
from proxylab.rewards.clips import PAUSE, clip_length, record_clips
from proxylab.rollouts.rollout import rollout
from proxylab.tasks import TASKS

MAZE = "maze-corner"
OPTIMAL = ScriptedPolicy(MAZE, "optimal")


@pytest.fixture(scope="module")
def recorded():
    return record_clips([OPTIMAL, UniformPolicy(MAZE)], MAZE, count=40, length=12, seed=3)


def test_every_policy_gives_as_many_clips(recorded):
    clips, rewards, _ = recorded
    assert len(clips) == 40
    assert np.bincount(clips.policy).tolist() == [20, 20]
    assert clips.observations.shape == (40, 12, 3, 9, 9)
    assert rewards.shape == (40, 12, 2)


def test_after_the_end_the_last_observation_stays_and_nothing_is_paid(recorded):
    clips, rewards, _ = recorded
    ended = clips.actions == PAUSE
    assert ended.any()
    rows, steps = np.nonzero(ended[:, 1:])
    same = clips.observations[rows, steps + 1] == clips.observations[rows, steps]
    assert same.all()
    assert not rewards[ended].any()
    assert (clips.actions[:, 0] != PAUSE).all()  # a clip begins within its episode


def test_clips_are_pieces_of_the_episodes_that_rollout_plays():
    clips, rewards, _ = record_clips([OPTIMAL], MAZE, count=8, length=100, per_episode=1, seed=5)
    env = TASKS[MAZE].make_env(8)
    episodes, _ = rollout(OPTIMAL, env, clips.level_seed, task=MAZE, seed=0)
    for k in range(8):
        played = episodes.action[episodes.episode_offsets[k] : episodes.episode_offsets[k + 1]]
        seen = clips.actions[k][clips.actions[k] != PAUSE]
        assert seen.tolist() == played[clips.first[k] :].tolist()
        assert rewards[k, len(seen) - 1, 0] == 1  # the cheese


def test_the_seed_decides_everything():
    first, again, other = (record_clips([OPTIMAL], MAZE, count=6, seed=s)[0] for s in (1, 1, 2))
    assert (first.observations == again.observations).all()
    assert first.level_seed.tolist() != other.level_seed.tolist()


def test_shifted_levels_can_be_asked_for():
    clips, *_ = record_clips([OPTIMAL], MAZE, count=20, levels="shifted", share=1.0)
    assert (clips.level_seed >= 1 << 32).all()


def test_lengths():
    assert clip_length("boat-lagoon") == 50
    assert clip_length(MAZE) == 25
    with pytest.raises(UsageError, match="clip of 100000 steps"):
        record_clips([OPTIMAL], MAZE, count=2, length=100_000)
    with pytest.raises(UsageError, match="at least one policy"):
        record_clips([], MAZE, count=2)
