"""The SB3 shell: what it stores is what was seen, and what it says at the end of an episode."""

import numpy as np
import pytest

from proxylab.tasks import TASKS
from proxylab.training.train import make_config, make_model
from proxylab.training.vec_env import BatchedVecEnv
from proxylab_envs.levels import Levels
from proxylab_envs.registry import make_batched


@pytest.fixture
def env():
    batched = make_batched("proxylab/MazeCorner-v1", 8, time_limit=5)
    return BatchedVecEnv(batched, Levels("train"), "true", 0, scale=2.0)


def test_stored_observations_are_the_ones_acted_on(env):
    first = env.reset()
    kept = first.copy()
    second, *_ = env.step(np.arange(8) % 4)
    np.testing.assert_array_equal(first, kept)
    assert not np.shares_memory(first, second)
    assert not np.shares_memory(second, env.batched.core.observations)


def test_rollouts_store_the_observation_before_the_action():
    model = make_model(make_config("maze-corner", num_envs=4, total_timesteps=256))
    seen = []
    step = model.env.step_wait

    def spy():
        seen.append(model.env.batched.core.observations.copy())
        return step()

    model.env.step_wait = spy
    model.learn(128)
    stored = model.rollout_buffer.observations  # [n_steps · n_envs, ...], swapped and flattened
    expected = np.stack(seen[:32]).swapaxes(0, 1).reshape(stored.shape)
    np.testing.assert_array_equal(stored, expected)


def test_ends_carry_the_last_observation_and_the_next_level(env):
    env.reset()
    for _ in range(5):
        before = env.batched.core.level_seeds.copy()
        observations, _, dones, infos = env.step(np.zeros(8, int))
    assert dones.any()
    for i in np.flatnonzero(dones):
        last = infos[i]["terminal_observation"]
        assert last[2].sum() == 1
        assert not np.array_equal(last, observations[i]) or before[i] == infos[i]["level_seed"]
        assert infos[i]["level_seed"] == before[i]
        reached = infos[i]["return/true"] == 1
        assert infos[i]["TimeLimit.truncated"] is not bool(reached)
        assert infos[i]["episode"]["l"] == 5 or reached
    assert len(env.take_finished()) >= 8
    assert env.take_finished() == []


def test_rewards_are_scaled_for_training_only(env):
    env.reset()
    rng = np.random.default_rng(0)
    paid = told = 0.0
    for _ in range(50):
        _, rewards, _, infos = env.step(rng.integers(0, 4, 8))
        paid += rewards.sum()
        told += sum(info["reward/true"] for info in infos)
    assert told > 0
    assert paid == pytest.approx(2 * told)


SLOW = ("procgen-pixels",)  # test_real_procgen trains its network


@pytest.mark.parametrize(
    "task", [pytest.param(t, marks=[pytest.mark.slow] * (t in SLOW)) for t in sorted(TASKS)]
)
def test_models_of_every_task_can_be_made_and_step(task):
    model = make_model(make_config(task, num_envs=4, total_timesteps=16))
    model.learn(16)
    assert model.num_timesteps >= 16
