"""No observation holds a reward channel, in any environment.

The negative controls write each channel's reward, and the return so far, into the observation
of each environment, and the contract's check must name it.
"""

import gymnasium as gym
import numpy as np
import pytest

import proxylab_envs  # noqa: F401, registers the ids
from proxylab_envs import contract
from proxylab_envs.contract import check_proxy_env
from proxylab_envs.registry import ENVS, make_batched

CHANNELS = [(env_id, name) for env_id in ENVS for name in make_batched(env_id, 1).channels]
BINARY = {
    (f"proxylab/MazeCorner-v{version}", name, what)
    for version in (0, 1)
    for name in ("true", "proxy/corner")
    for what in ("reward", "running return")
} | {("proxylab/KeysChests-v0", name, "reward") for name in ("true", "proxy/keys")}
BINARY |= {
    (f"proxylab/{env_id}", name, what)
    for env_id, proxy in (("Dish-v0", "dish"), ("ColourShape-v0", "colour"))
    for name in ("true", f"proxy/{proxy}")
    for what in ("reward", "running return")
}
BINARY |= {
    ("proxylab/ColouredDigits-v0", name, what)
    for name in ("true", "proxy/colour")
    for what in ("reward", "running return")
}
"""Numbers that are only ever 0 or 1. A cell of a plane that says "the mouse is in the corner" is
the same number, and no leak: the check leaves them out, and these tests say so."""


class Scripted(gym.spaces.Discrete):
    """Actions of a script, mostly: random ones rarely come to where it pays."""

    def __init__(self, env, script):
        super().__init__(int(env.action_space.n))
        self.batched, self.script = env.unwrapped.batched, script

    def sample(self, *_, **__):
        if self.np_random.random() < 0.1:
            return super().sample()
        return int(self.batched.script_actions(self.script, np.array([0]))[0].argmax())


class Leaking(gym.Wrapper):
    """Puts a number that the agent must not see behind its observation, somewhere."""

    def __init__(self, env, channel, what):
        super().__init__(env)
        size = int(np.prod(env.observation_space.shape)) + 1
        self.observation_space = gym.spaces.Box(-np.inf, np.inf, (size,), np.float64)
        self.key, self.what = f"reward/{channel}", what
        script = env.unwrapped.batched.scripts[0 if channel == "true" else -1]
        self.action_space = Scripted(env, script)

    def reset(self, **options):
        observation, info = self.env.reset(**options)
        self.total = 0.0
        return self._with(observation, 0.0), info

    def step(self, action):
        observation, reward, terminated, truncated, info = self.env.step(action)
        self.total += info[self.key]
        leak = self.total if self.what == "running return" else info[self.key]
        return self._with(observation, leak), reward, terminated, truncated, info

    def _with(self, observation, number):
        return np.append(np.asarray(observation, np.float64).ravel(), number)


class Played(gym.Wrapper):
    """An environment in which random actions are those of a script, mostly."""

    def __init__(self, env, script):
        super().__init__(env)
        self.action_space = Scripted(env, script)


def leaks(env):
    """Findings of the contract's check that speak of a leak."""
    found = check_proxy_env(env, episodes=2, max_steps=400)
    return [finding for finding in found if "leaks" in finding]


@pytest.mark.parametrize("split", ["train", "shifted"])
@pytest.mark.parametrize("env_id", ENVS)
def test_no_environment_leaks(env_id, split):
    batched = make_batched(env_id, 1)
    for script in batched.scripts if split in batched.splits else ():
        assert leaks(Played(gym.make(env_id, split=split), script)) == []


@pytest.mark.parametrize("what", ["reward", "running return"])
@pytest.mark.parametrize(("env_id", "channel"), CHANNELS)
def test_a_channel_in_the_observation_is_caught(env_id, channel, what):
    found = leaks(Leaking(gym.make(env_id), channel, what))
    if (env_id, channel, what) in BINARY:
        assert found == []
    else:
        assert any(f"the {what} of {channel!r}" in finding for finding in found), found


def test_without_the_check_nothing_is_caught(monkeypatch):
    env_id, channel = next(pair for pair in CHANNELS if (*pair, "reward") not in BINARY)
    assert leaks(Leaking(gym.make(env_id), channel, "reward"))
    monkeypatch.setattr(contract, "_leaks", lambda played: [])
    assert not leaks(Leaking(gym.make(env_id), channel, "reward"))
