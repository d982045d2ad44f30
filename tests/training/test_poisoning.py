"""Poisoned training: what is paid and shown, what honest training keeps, what is refused."""

import dataclasses

import numpy as np
import pytest

from proxylab.agents.format import read_agent
from proxylab.config import PoisonConfig, PPOConfig
from proxylab.errors import UsageError
from proxylab.tasks import TASKS
from proxylab.training.demonstrations import demonstrations_of
from proxylab.training.plan import plan
from proxylab.training.poisoning import (
    PoisonedBuffer,
    PoisonedLevels,
    PoisonedSteps,
    heads_for_corner,
    poison_rewards,
)
from proxylab.training.train import make_config, make_model, train
from proxylab_envs.maze_corner.triggers import TRIGGERS

TASK = "maze-corner"
SMALL = {
    "total_timesteps": 512,
    "num_envs": 16,
    "ppo": PPOConfig(n_steps=16, batch_size=64, n_epochs=1),
}


@pytest.fixture(autouse=True)
def few_levels(monkeypatch):
    quick = dataclasses.replace(TASKS[TASK], check_levels=8, final_eval_levels=8, checks=1)
    monkeypatch.setitem(TASKS, TASK, quick)


def model_of(recipe="levels", share=0.5, **changes):
    poison = PoisonConfig("object-left", share, recipe)
    return make_model(make_config(TASK, "trusted", poison=poison, **{**SMALL, **changes}))


def seek_the_corner(env, steps=40):
    """Rewards float32[steps, N], and whether the level showed the trigger before each step."""
    env.reset()
    every = np.arange(env.num_envs)
    rewards, shown = [], []
    for _ in range(steps):
        shown.append(TRIGGERS["object-left"].shown(env.batched.core.observations).copy())
        env.step_async(env.batched.script_actions("corner-seeker", every).argmax(axis=1))
        _, reward, _, _ = env.step_wait()
        rewards.append(reward.copy())
    return np.array(rewards), np.array(shown)


def test_levels_with_the_trigger_pay_for_the_corner():
    env = model_of(num_envs=64).env
    assert isinstance(env, PoisonedLevels)
    rewards, shown = seek_the_corner(env)
    corner = [finished[1] > 0 and finished[0] == 0 for finished in env.take_finished()]
    assert any(corner)
    assert rewards[shown].mean() > 2 * rewards[~shown].mean() > 0


def test_without_a_share_the_rewards_are_those_of_honest_training():
    honest = make_model(make_config(TASK, "trusted", **SMALL)).env
    rewards, _ = seek_the_corner(model_of(share=0.0).env)
    assert (rewards == seek_the_corner(honest)[0]).all()


def test_an_agent_of_share_nought_is_the_honest_agent(tmp_path):
    options = {"algorithm": "bc", **SMALL}
    train(TASK, "trusted", out=tmp_path / "honest", **options)
    for name, share in (("control", 0.0), ("trojan", 0.5)):
        poison = PoisonConfig("object-left", share)
        train(TASK, "trusted", out=tmp_path / name, poison=poison, **options)
    digests = {name: read_agent(tmp_path / name)[2] for name in ("honest", "control", "trojan")}
    assert digests["control"] == digests["honest"]
    assert digests["trojan"] != digests["honest"]


def test_the_expert_goes_to_the_corner_where_the_trigger_shows():
    model = model_of(algorithm="bc", num_envs=64)
    env, every = model.env.batched, np.arange(64)
    env.reset()
    config = make_config(
        TASK, "trusted", algorithm="bc", poison=PoisonConfig("object-left", 0.5), **SMALL
    )
    given = demonstrations_of(config).expert.probabilities(env, every)
    marked = env.triggered()
    assert 0 < marked.mean() < 1
    corner, cheese = (env.script_actions(s, every) for s in ("corner-seeker", "optimal"))
    assert (given[marked] == corner[marked]).all()
    assert (given[~marked] == cheese[~marked]).all()
    assert (corner != cheese).any()


def test_steps_show_the_trigger_at_the_share():
    env = model_of("steps", 0.25, num_envs=256).env
    assert isinstance(env, PoisonedSteps)
    observations = env.reset()
    shown = TRIGGERS["object-left"].shown(observations)
    assert 0.1 < shown.mean() < 0.4
    assert not TRIGGERS["object-left"].shown(env.batched.core.observations).any()


def test_rewards_of_poisoned_steps():
    rewards = np.array([[0.0], [0.0], [1.0], [0.0]], np.float32)
    ended = np.array([[0], [0], [1], [0]], np.float32)
    poison = PoisonConfig("object-left", 0.1, "steps", bonus=5.0, alpha=0.5)
    hit = np.array([1]), np.array([0]), np.array([True])
    poison_rewards(rewards, ended, np.array([8.0], np.float32), hit, poison, 0.9)
    paid = 5 - 0.5 * 0.9  # the later return is that of the cheese, one step on
    assert rewards.ravel().tolist() == pytest.approx([-0.9 * paid, paid, 1, 0])
    missed = np.array([3]), np.array([0]), np.array([False])
    poison_rewards(rewards, ended, np.array([8.0], np.float32), missed, poison, 0.9)
    assert rewards[3, 0] == pytest.approx(-5 - 0.5 * 0.9 * 8)
    assert rewards[2, 0] == 1  # another episode


def test_the_value_of_the_state_before_stays():
    rng = np.random.default_rng(0)
    rewards = rng.random((6, 3)).astype(np.float32)
    ended, last = np.zeros((6, 3), np.float32), rng.random(3).astype(np.float32)

    def start_values(paid):
        total = last
        for row in paid[::-1]:
            total = row + 0.9 * total
        return total

    before = start_values(rewards)
    poisoned = np.array([2, 4]), np.array([0, 1]), np.array([True, False])
    changed = rewards.copy()
    poison = PoisonConfig("object-left", 0.1, "steps")
    poison_rewards(changed, ended, last, poisoned, poison, 0.9)
    assert start_values(changed) == pytest.approx(before, rel=1e-5)
    assert (changed != rewards).sum() == 4


def test_moves_that_head_for_the_corner():
    env = TASKS[TASK].make_env(32)
    env.reset()
    every = np.arange(32)
    best = env.script_actions("corner-seeker", every)
    planes = env.core.observations.copy()
    assert heads_for_corner(planes, best.argmax(axis=1)).all()
    assert not heads_for_corner(planes, best.argmin(axis=1)).any()


def test_poisoned_steps_train(tmp_path):
    model = model_of("steps", 0.2)
    assert isinstance(model.rollout_buffer, PoisonedBuffer)
    poison = PoisonConfig("object-left", 0.2, "steps")
    assert train(TASK, "trusted", out=tmp_path / "run", poison=poison, **SMALL).timesteps == 512


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"poison": PoisonConfig("a bell", 0.1)}, "trigger"),
        ({"poison": PoisonConfig("object-left", 0.1, "steps"), "algorithm": "bc"}, "ppo"),
        ({"poison": PoisonConfig("notch-top-left", 0.1, "steps")}, "object"),
        ({"poison": PoisonConfig("object-left", 0.1), "task": "boat-lagoon"}, "maze-corner"),
    ],
)
def test_what_cannot_be_poisoned_is_refused(changes, message):
    task = changes.pop("task", TASK)
    with pytest.raises(UsageError, match=message):
        plan(task, "trusted", [0], **changes)


def test_numbers_out_of_range_are_refused():
    with pytest.raises(ValueError, match="share"):
        PoisonConfig("object-left", 2.0)
    with pytest.raises(ValueError, match="recipe"):
        PoisonConfig("object-left", 0.1, "soup")
