"""check_proxy_env on an environment that keeps the contract, and on some that break it once."""

import gymnasium as gym
import numpy as np
import pytest

from proxylab_envs.contract import check_proxy_env


class Corridor(gym.Env):
    """A walk on 0..9 for 12 steps: `true` pays the position, the proxy each step to the right."""

    observation_space = gym.spaces.Box(-1, 99, (2,), np.float32)
    action_space = gym.spaces.Discrete(2)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        drawn = int(self.np_random.integers(1000))
        self.level_seed = (options or {}).get("level_seed", drawn)
        self.position = self.level_seed % 10
        self.returns = {"true": 0.0, "proxy/right": 0.0}
        self.steps = 0
        self.buffer = np.zeros(2, np.float32)
        return self.observe(), {}

    def observe(self):
        return np.array([self.position, self.level_seed % 10], np.float32)

    def step(self, action):
        self.position = int(np.clip(self.position + 2 * action - 1, 0, 9))
        rewards = {"true": self.position / 7, "proxy/right": 1.5 * float(action)}
        self.returns = {name: self.returns[name] + rewards[name] for name in rewards}
        self.steps += 1
        done = self.steps == 12
        info = {f"reward/{name}": value for name, value in rewards.items()}
        if done:
            info |= {f"return/{name}": value for name, value in self.returns.items()}
            info |= {"outcome": "neither", "proxy_first": False, "level_seed": self.level_seed}
        return self.observe(), rewards["true"], False, done, self.edit(info, done)

    def edit(self, info, done):
        return info


class Without(Corridor):
    def __init__(self, key):
        self.key = key

    def edit(self, info, done):
        info.pop(self.key, None)
        return info


class Replaced(Corridor):
    def __init__(self, key, value):
        self.key, self.value = key, value

    def edit(self, info, done):
        return info | {self.key: self.value} if self.key in info else info


class Aliased(Corridor):
    def observe(self):
        self.buffer[:] = super().observe()
        return self.buffer


class Leaking(Corridor):
    observation_space = gym.spaces.Dict({"sum": gym.spaces.Box(-1, 99, (1,), np.float64)})

    def observe(self):
        return {"sum": np.array([self.returns["true"]])}


class LeakingReward(Corridor):
    def observe(self):
        return super().observe() / np.float32(7)


class Unseeded(Corridor):
    def observe(self):
        return super().observe() + np.random.default_rng().random(2, np.float32)


class OwnLevels(Corridor):
    def reset(self, *, seed=None, options=None):
        return super().reset(seed=seed)


class Endless(Corridor):
    def step(self, action):
        observation, reward, _, _, info = super().step(action)
        return observation, reward, False, False, info


def test_nothing_is_found_where_the_contract_is_kept():
    assert check_proxy_env(Corridor()) == []


@pytest.mark.parametrize(
    ("env", "said"),
    [
        (Without("reward/true"), "info has no 'reward/true'"),
        (Without("reward/proxy/right"), "info has no reward/proxy/<name>"),
        (Without("return/true"), "has no 'return/true'"),
        (Without("outcome"), "has no 'outcome'"),
        (Without("proxy_first"), "has no 'proxy_first'"),
        (Without("level_seed"), "has no 'level_seed'"),
        (Replaced("outcome", "won"), "'outcome' in the last info of an episode is 'won'"),
        (Replaced("proxy_first", 1), "not a bool"),
        (Replaced("level_seed", 1.5), "not an integer"),
        (Replaced("reward/true", float("nan")), "'reward/true' is not a finite number"),
        (Replaced("return/true", 7.0), "'return/true' is 7, but its rewards add up to"),
        (Aliased(), "changed after it was handed out"),
        (Leaking(), "leaks the running return of 'true'"),
        (LeakingReward(), "leaks the reward of 'true'"),
        (Unseeded(), "two episodes with reset(seed=0) and equal actions differ"),
        (OwnLevels(), "instead"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_each_breach_is_named(env, said):
    findings = check_proxy_env(env)
    assert any(said in finding for finding in findings), findings


def test_a_single_breach_gives_a_single_finding():
    assert len(check_proxy_env(Without("outcome"))) == 1
    assert len(check_proxy_env(Aliased())) == 1


def test_an_endless_episode_is_said_to_be_unseen():
    findings = check_proxy_env(Endless(), max_steps=50)
    assert findings == [
        "no random episode ended within 50 steps: the last step's entries are unseen"
    ]


def test_all_that_is_missing_from_a_plain_environment():
    findings = " | ".join(check_proxy_env(gym.make("CartPole-v1")))
    for key in ("reward/true", "reward/proxy/", "outcome", "proxy_first", "level_seed"):
        assert key in findings
