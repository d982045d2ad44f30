"""The Gymnasium shells where no environment differs: seeds, rewards, refusals, the window."""

import os

os.environ.setdefault("SDL_VIDEODRIVER", "dummy")

import sys

import gymnasium as gym
import numpy as np
import pytest

from proxylab_envs.levels import Levels, LevelStream
from proxylab_envs.window import Window

MAZE, RACE = "proxylab/MazeCorner-v1", "proxylab/BoatRace-v0"


@pytest.mark.parametrize(
    ("reward", "weights"),
    [("true", (1, 0)), ("proxy", (0, 1)), ("proxy/visible", (0, 1)), ("mix:0.25", (0.75, 0.25))],
)
def test_reward_setting_mixes_the_channels(reward, weights):
    single, many = gym.make(RACE, reward=reward), gym.make_vec(RACE, num_envs=2, reward=reward)
    single.reset(seed=0)
    many.reset(seed=0)
    for action in (3, 2, 0, 3, 3):
        _, one, _, _, info = single.step(action)
        expected = weights[0] * info["reward/true"] + weights[1] * info["reward/proxy/visible"]
        assert one == pytest.approx(expected)
        assert many.step(np.full(2, action))[1] == pytest.approx([expected] * 2)


@pytest.mark.parametrize("reward", ["mix:2", "mix:x", "proxy/none"])
def test_rewards_that_do_not_exist(reward):
    with pytest.raises(ValueError, match=reward):
        gym.make(RACE, reward=reward)


def test_seed_restarts_the_stream_and_no_seed_goes_on():
    env = gym.make(MAZE)
    first = [env.reset(seed=3)[1], env.reset()[1], env.reset()[1]]
    again = [env.reset(seed=3)[1], env.reset()[1], env.reset()[1]]
    assert first == again
    assert len({info["level_seed"] for info in first}) == 3


def test_unseeded_environments_differ():
    seeds = {gym.make(MAZE).reset()[1]["level_seed"] for _ in range(3)}
    assert len(seeds) == 3


def test_chosen_level_does_not_move_the_stream():
    env = gym.make(MAZE)
    env.reset(seed=3)
    expected = env.reset()[1]
    env.reset(seed=3)
    assert env.reset(options={"level_seed": 12})[1] == {"level_seed": 12}
    assert env.reset()[1] == expected


def test_wrong_level_seeds_are_refused():
    with pytest.raises(ValueError, match="between 0 and"):
        gym.make(MAZE).reset(options={"level_seed": -1})
    many = gym.make_vec(MAZE, num_envs=3)
    with pytest.raises(ValueError, match="must be 3 integers"):
        many.reset(options={"level_seed": [1, 2]})


@pytest.mark.parametrize("actions", [[0, 4], [-1, 0], [0], [0, 0, 0]])
def test_wrong_actions_are_refused(actions):
    env = gym.make_vec(MAZE, num_envs=2)
    env.reset(seed=0)
    with pytest.raises(ValueError, match="actions must"):
        env.step(np.array(actions))


def test_stepping_without_a_running_episode_is_refused():
    with pytest.raises(gym.error.ResetNeeded):
        gym.make_vec(RACE, num_envs=2).step([0, 0])
    env = gym.make(RACE, time_limit=2)
    env.reset(seed=0)
    env.step(3)
    assert env.step(2)[3]
    with pytest.raises(gym.error.ResetNeeded):
        env.step(0)


def test_end_of_episode_info():
    env = gym.make(RACE, time_limit=2)
    env.reset(seed=0)
    assert env.step(3)[4] == {"reward/true": 1.0, "reward/proxy/visible": 2.0}
    info = env.step(2)[4]
    level_seed = info.pop("level_seed")
    assert isinstance(level_seed, int)
    assert info == {
        "reward/true": -1.0,
        "reward/proxy/visible": -1.0,
        "return/true": 0.0,
        "return/proxy/visible": 1.0,
        "outcome": "proxy",
        "proxy_first": False,
    }


@pytest.mark.parametrize("env_id", [MAZE, RACE])
def test_time_limit_is_a_knob_and_the_last_step_has_an_outcome(env_id):
    env = gym.make(env_id, time_limit=3)
    env.reset(seed=0)
    ends = [env.step(0) for _ in range(3)]
    assert [truncated for _, _, _, truncated, _ in ends] == [False, False, True]
    assert ends[2][4]["outcome"] in ("proxy", "neither")


def test_render_modes():
    single = gym.make(RACE, render_mode="ansi")
    single.reset(seed=0)
    assert single.render().startswith("#####\n#B>.#")
    many = gym.make_vec(RACE, num_envs=2, render_mode="rgb_array")
    many.reset(seed=0)
    assert [picture.shape for picture in many.render()] == [(160, 160, 3)] * 2
    assert gym.make_vec(RACE, num_envs=2).render() is None


def test_human_mode_draws_every_step_and_closes_twice():
    env = gym.make(RACE, render_mode="human").unwrapped
    env.metadata["render_fps"] = 10_000
    env.reset(seed=0)
    shown = []
    env._window.show = shown.append
    env.step(3)
    assert np.array_equal(shown[0], env.batched.render_rgb(0))
    env.close()
    env.close()
    assert env._window is None


def test_window_shows_the_picture_and_obeys_its_close_button():
    pygame = pytest.importorskip("pygame")
    window = Window(fps=10_000)
    picture = np.random.default_rng(0).integers(0, 256, (20, 30, 3)).astype(np.uint8)
    window.show(picture)
    shown = np.swapaxes(pygame.surfarray.array3d(window._screen), 0, 1)
    assert np.array_equal(shown, picture)
    pygame.event.post(pygame.event.Event(pygame.QUIT))
    window.show(picture)
    assert window.closed
    window.show(picture)


def test_window_without_pygame_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "pygame", None)
    with pytest.raises(ImportError, match=r"pip install 'proxylab\[human\]'"):
        Window(10)


def test_level_stream_is_a_function_of_seed_environment_and_count():
    def identity(split, ranks):
        return (ranks >> np.uint64(20)).astype(np.int64)

    wide = LevelStream(Levels(), 5, 4, identity)
    narrow = LevelStream(Levels(), 5, 2, identity)
    drawn = np.stack([wide.draw(np.arange(4)) for _ in range(3)])
    assert len(set(drawn.ravel().tolist())) == 12
    for k in range(3):
        assert narrow.draw(np.array([1, 0])).tolist() == drawn[k, [1, 0]].tolist()
    wide.episodes[:] = 1
    assert wide.draw(np.array([2])).tolist() == [drawn[1, 2]]
