"""GuardWrapper: the rules of the guard in any Gymnasium environment."""

import gymnasium as gym
import pytest
from gymnasium.utils.env_checker import check_env

from proxylab.errors import UsageError
from proxylab.guard.wrapper import GuardWrapper, highest_scores


class Line(gym.Env):
    """Twelve steps; the observation is their number, the reward the action that was taken."""

    observation_space = gym.spaces.Discrete(13)
    action_space = gym.spaces.Discrete(2)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.number = 0
        return 0, {}

    def step(self, action):
        self.number += 1
        return self.number, float(action), False, self.number == 12, {"own": self.number}


SCORES = [0, 0, 1, 0, 0, 0, 1, 1, 0, 0, 0, 0]


def score(observation, action):
    assert action == 0  # the given action, not the trusted one's
    return SCORES[observation]


def played(**options):
    """(rewards, info of the last step); the trusted policy takes action 1."""
    env = GuardWrapper(Line(), score, lambda observation: 1, 0.5, **options)
    env.reset(seed=0)
    rewards, ended = [], False
    while not ended:
        _, reward, terminated, ended, info = env.step(0)
        assert not terminated
        rewards.append(int(reward))
    return rewards, info


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, [0, 0] + [1] * 10),
        ({"hand_back": 2}, [0, 0, 1, 1, 0, 0, 1, 1, 1, 0, 0, 0]),
        ({"hand_back": 3}, [0, 0, 1, 1, 1, 0, 1, 1, 1, 1, 0, 0]),
        ({"mode": "ask"}, SCORES),
        ({"mode": "stop"}, [0, 0, 0]),
    ],
)
def test_who_acts(options, expected):
    rewards, info = played(**options)
    assert rewards == expected
    assert info["guard"]["first_help"] == 2


def test_a_stopped_episode_takes_no_step():
    env = GuardWrapper(Line(), lambda observation, action: 1, lambda observation: 1, 0.5, "stop")
    env.reset()
    observation, reward, terminated, truncated, info = env.step(0)
    assert (observation, reward, terminated, truncated) == (0, 0.0, False, True)
    assert env.unwrapped.number == 0
    assert info == {"guard": {"acting": True, "score": 1.0, "first_help": 0}}


def test_a_reset_ends_the_help():
    env = GuardWrapper(Line(), score, lambda observation: 1, 0.5)
    for _ in range(2):
        env.reset()
        assert [int(env.step(0)[1]) for _ in range(4)] == [0, 0, 1, 1]


@pytest.mark.filterwarnings("error", r"ignore:[\s\S]*unwrapped version")
def test_it_passes_gymnasiums_checker():
    guarded = GuardWrapper(Line(), lambda observation, action: 0.0, lambda observation: 0, 0.5)
    check_env(guarded, skip_render_check=True)


def test_the_greatest_score_of_each_episode():
    scores = {0: 0.1, 5: 0.9, 11: 0.4}
    highest = highest_scores(
        Line(), lambda observation: 0, lambda o, action: scores.get(o, 0), episodes=3, seed=1
    )
    assert highest.tolist() == [0.9] * 3


@pytest.mark.parametrize("options", [{"mode": "help"}, {"mode": "ask", "hand_back": 2}])
def test_wrong_use(options):
    with pytest.raises(UsageError, match="fallback"):
        GuardWrapper(Line(), score, lambda observation: 1, 0.5, **options)
