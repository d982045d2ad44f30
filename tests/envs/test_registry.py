"""One battery over every id: checkers, shells against the core, splits, premise, snapshots."""

import os
import re
import subprocess
import sys
import warnings

os.environ.setdefault("SDL_VIDEODRIVER", "dummy")  # render_mode="human" without a screen

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env as gymnasium_check
from gymnasium.vector import AutoresetMode
from stable_baselines3.common.env_checker import check_env as sb3_check

import proxylab_envs
from proxylab_envs.contract import check_proxy_env
from proxylab_envs.levels import SHIFTED, Levels
from proxylab_envs.registry import ENVS, make_batched, parameter_names

IDS = list(ENVS)
RGB_IDS = ["proxylab/MazeCorner-v1", "proxylab/BoatLagoon-v0", "proxylab/ProcgenMaze-v0"]
# Splits by layout: boat-race has one layout, and those of procgen-maze are the game's.
SPLIT_IDS = [
    "proxylab/MazeCorner-v0",
    "proxylab/MazeCorner-v1",
    "proxylab/BoatLagoon-v0",
    "proxylab/TomatoWatering-v0",
    "proxylab/KeysChests-v0",
    "proxylab/Dish-v0",
    "proxylab/ColourShape-v0",
]

FORMER = r".*The environment proxylab/MazeCorner-v0 is out of date\."
"""What Gymnasium says of an id of which there is a later version."""

SB3_CANNOT_APPLY = (
    # Small 0/1 planes are no picture: they are fed to networks that do not rescale them.
    "It seems that your observation space  is an image but the upper and lower bounds are not in "
    "[0, 255]. Because the CNN policy normalize automatically the observation you may encounter "
    "issue if the values are not in that range.",
    # Six planes of 5x5 look like a picture six pixels high; SB3 transposes 0..255 boxes only.
    "Treating image space as channels-last, while second dimension was smallest of the three.",
    # SB3's default CnnPolicy is not what is used on planes.
    "The minimal resolution for an image is 36x36 for the default `CnnPolicy`. You might need to "
    "use a custom features extractor cf. "
    "https://stable-baselines3.readthedocs.io/en/master/guide/custom_policy.html",
)


@pytest.fixture(params=IDS)
def env_id(request):
    return request.param


def started(env_id, num_envs, split="train", seed=0, **env_kwargs):
    env = make_batched(env_id, num_envs, **env_kwargs)
    env.seed_levels(Levels(split), seed)
    env.reset()
    return env


def actions_for(env, steps, seed=0):
    count = env.single_action_space.n
    return np.random.default_rng(seed).integers(0, count, (steps, env.num_envs))


# -- checkers -------------------------------------------------------------------------------


def test_gymnasium_checker_without_a_warning(env_id):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", message=FORMER)
        env = gym.make(env_id, render_mode="rgb_array")
        gymnasium_check(env.unwrapped)
        env.close()


def test_stable_baselines3_checker_without_a_warning(env_id):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", message=FORMER)
        for text in SB3_CANNOT_APPLY:
            warnings.filterwarnings("ignore", message=re.escape(text) + "$")
        sb3_check(gym.make(env_id, render_mode="rgb_array"), skip_render_check=False)


def test_contract_on_every_split(env_id):
    for split in make_batched(env_id, 1).splits:
        assert check_proxy_env(gym.make(env_id, split=split)) == []


# -- making environments --------------------------------------------------------------------


def test_make_vec_takes_the_batched_entry_point(env_id):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", message=FORMER)
        env = gym.make_vec(env_id, num_envs=3, vectorization_mode="vector_entry_point")
    assert env.metadata["autoreset_mode"] is AutoresetMode.NEXT_STEP
    observations, info = env.reset(seed=0)
    assert env.observation_space.contains(observations)
    assert info["level_seed"].shape == (3,)


def test_unknown_parameters_name_those_that_exist(env_id):
    names = ", ".join(parameter_names(env_id))
    with pytest.raises(TypeError, match=f"no parameter 'colour': its parameters are {names}"):
        gym.make(env_id, colour="red")


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"split": "test"}, "unknown split 'test'"),
        ({"reward": "proxy/fame"}, "unknown reward 'proxy/fame'"),
        ({"render_mode": "text"}, "render_mode 'text'"),
        ({"num_levels": 0}, "num_levels 0 is less than 1"),
    ],
)
def test_bad_values_are_refused_when_the_environment_is_made(env_id, wrong, said):
    for make in (gym.make, gym.make_vec):
        with pytest.raises(ValueError, match=said):
            make(env_id, **wrong)


def test_boat_race_has_no_shifted_levels_and_says_so_at_once():
    with pytest.raises(ValueError, match="has no split 'shifted': choose train, iid"):
        gym.make("proxylab/BoatRace-v0", split="shifted")
    with pytest.raises(ValueError, match="has no shifted levels"):
        gym.make("proxylab/BoatRace-v0", shifted_share=0.5)


def test_unknown_id_names_the_known_ones():
    with pytest.raises(ValueError, match="choose proxylab/MazeCorner-v1, proxylab/MazeCorner-v0"):
        make_batched("proxylab/MazeCorner-v9", 1)


def test_importing_twice_registers_once():
    before = dict(gym.registry)
    proxylab_envs.register_all()
    assert gym.registry == before


# -- the shells against the core ------------------------------------------------------------


def test_vector_shell_equals_single_shells_and_resets_in_the_next_step(env_id):
    vector = gym.make_vec(env_id, num_envs=3, split="train")
    single = [gym.make(env_id).unwrapped for _ in range(3)]
    seen, info = vector.reset(seed=5)
    expected = [
        env.reset(options={"level_seed": s})[0]
        for env, s in zip(single, info["level_seed"], strict=True)
    ]
    was_done, resets = [False] * 3, 0
    for actions in actions_for(vector, max(4, int(2.2 * vector.batched.max_episode_steps))):
        np.testing.assert_array_equal(seen, np.stack(expected))
        seen, rewards, terminated, truncated, info = vector.step(actions)
        for i, env in enumerate(single):
            if was_done[i]:
                assert info["_level_seed"][i]
                assert not info["_reward/true"][i]
                expected[i], _ = env.reset(options={"level_seed": info["level_seed"][i]})
                outcome = (0.0, False, False)
                resets += 1
            else:
                expected[i], *outcome, told = env.step(actions[i])
                assert {k: info[k][i] for k in info if k[0] != "_" and info["_" + k][i]} == told
            assert (rewards[i], terminated[i], truncated[i]) == tuple(outcome)
            was_done[i] = terminated[i] or truncated[i]
    assert resets >= 6


def test_batched_core_gives_what_the_vector_shell_gives(env_id):
    vector = gym.make_vec(env_id, num_envs=4)
    vector.reset(seed=3)
    core = make_batched(env_id, 4)
    core.reset_levels(vector.batched.core.level_seeds.copy(), np.arange(4))
    for actions in actions_for(core, core.max_episode_steps // 2):
        seen, rewards, *_ = vector.step(actions)
        core.step(actions)
        np.testing.assert_array_equal(seen, core.observe())
        np.testing.assert_array_equal(rewards, core.core.rewards @ core.weights("true"))
        if core.done.any():
            break


def test_shells_never_hand_out_a_buffer(env_id):
    vector = gym.make_vec(env_id, num_envs=2)
    handed, live = [vector.reset(seed=0)[0]], vector.batched.core
    kept = [handed[0].copy()]
    for actions in actions_for(vector, 40):
        seen, rewards, terminated, truncated, info = vector.step(actions)
        for array in (seen, rewards, terminated, truncated, *info.values()):
            assert not any(np.shares_memory(array, field) for field in live)
        handed.append(seen)
        kept.append(seen.copy())
    for array, copy in zip(handed, kept, strict=True):
        np.testing.assert_array_equal(array, copy)
    assert not np.shares_memory(handed[-1], vector.batched.observe())


def trajectory(env_id, seed):
    env = gym.make_vec(env_id, num_envs=3)
    parts = [env.reset(seed=seed)[0]]
    for actions in actions_for(env, env.batched.max_episode_steps + 20):
        observations, rewards, *_ = env.step(actions)
        parts += [observations, rewards]
    return b"".join(part.tobytes() for part in parts)


def test_same_seed_same_trajectory(env_id):
    assert trajectory(env_id, 7) == trajectory(env_id, 7)
    if env_id != "proxylab/BoatRace-v0":  # its one level is the same for every seed
        assert trajectory(env_id, 7) != trajectory(env_id, 8)


def test_level_seed_alone_fixes_the_level_whatever_the_batch(env_id):
    wide, narrow = make_batched(env_id, 5), make_batched(env_id, 1)
    for split in wide.splits:
        seeds = wide.sample_level_seeds(Levels(split), 5, seed=1)
        wide.reset_levels(seeds, np.arange(5))
        together = wide.observe().copy()
        for k, seed in enumerate(seeds):
            narrow.reset_levels(np.array([seed]), np.array([0]))
            np.testing.assert_array_equal(narrow.observe()[0], together[k])


# -- snapshots ------------------------------------------------------------------------------


def run(env, actions):
    for row in actions:
        env.reset_done()
        env.step(row)
    return {name: value.tobytes() for name, value in env.snapshot().items()}


def test_snapshot_and_restore_are_exact_to_the_bit(env_id):
    env = started(env_id, 3)
    first, second = np.split(actions_for(env, 2 * (env.max_episode_steps + 30)), 2)
    run(env, first)
    state = env.snapshot()
    ahead = run(env, second)
    env.restore(state)
    assert {k: v.tobytes() for k, v in env.snapshot().items()} == {
        k: v.tobytes() for k, v in state.items()
    }
    assert run(env, second) == ahead
    fresh = started(env_id, 3)
    fresh.restore(state)
    assert run(fresh, second) == ahead


def test_restore_refuses_another_shape(env_id):
    state = started(env_id, 3).snapshot()
    with pytest.raises(ValueError, match="does not match"):
        started(env_id, 2).restore(state)


def test_inactive_and_finished_environments_are_not_touched(env_id):
    env = started(env_id, 2)
    frozen = {name: np.array(value[1]) for name, value in env.core._asdict().items()}
    for actions in actions_for(env, env.max_episode_steps):
        env.step(actions, np.array([True, False]))
    for name, value in env.core._asdict().items():
        np.testing.assert_array_equal(value[1], frozen[name], err_msg=name)
    assert env.done.tolist() == [True, False]
    ended = {name: np.array(value[0]) for name, value in env.core._asdict().items()}
    env.step(np.zeros(2, np.int64), np.array([True, False]))
    for name, value in env.core._asdict().items():
        np.testing.assert_array_equal(value[0], ended[name], err_msg=name)


# -- levels ---------------------------------------------------------------------------------


@pytest.mark.parametrize("env_id", SPLIT_IDS)
def test_no_layout_is_in_two_splits(env_id):
    env = make_batched(env_id, 1)
    layouts = {
        split: set(env.layout_hashes(env.sample_level_seeds(Levels(split), 1000, 0)).tolist())
        for split in env.splits
    }
    assert all(len(hashes) > 300 for hashes in layouts.values())
    assert not layouts["train"] & layouts["iid"]
    assert not layouts["train"] & layouts["shifted"]
    assert not layouts["iid"] & layouts["shifted"]


@pytest.mark.parametrize("env_id", SPLIT_IDS)
def test_twins_share_their_layout_and_shares_are_kept(env_id):
    env = make_batched(env_id, 1)
    seeds = env.sample_level_seeds(Levels("train"), 400, 0)
    assert seeds.max() < SHIFTED
    np.testing.assert_array_equal(env.layout_hashes(seeds), env.layout_hashes(seeds + SHIFTED))
    assert env.sample_level_seeds(Levels("shifted"), 400, 0).min() >= SHIFTED
    mixed = env.sample_level_seeds(Levels("train", shifted_share=0.25), 2000, 0)
    # 500 expected, sd 19.4: more than 5 sd away once in 2 million seeds, and the seed is fixed.
    assert abs(int((mixed >= SHIFTED).sum()) - 500) < 100


def test_a_finite_set_of_levels_is_finite(env_id):
    env = make_batched(env_id, 1)
    seeds = env.sample_level_seeds(Levels("train", num_levels=7), 300, 0)
    assert len(set(seeds.tolist())) == 7


# -- the premise ----------------------------------------------------------------------------


def test_maze_rewards_cannot_tell_the_goals_apart_in_training():
    env = started("proxylab/MazeCorner-v1", 64)
    for actions in actions_for(env, 400):
        env.reset_done()
        env.step(actions)
        np.testing.assert_array_equal(env.core.rewards[:, 0], env.core.rewards[:, 1])


def script_returns(env_id, script, split, episodes=60):
    """Mean undiscounted (true, proxy) return of a script."""
    env = started(env_id, episodes, split)
    rng = np.random.default_rng(0)
    while not env.done.all():
        odds = env.script_actions(script, np.arange(episodes)).cumsum(axis=1)
        draws = rng.random((episodes, 1)) * odds[:, -1:]
        env.step((odds <= draws).sum(axis=1))
    return env.core.returns.mean(axis=0)


@pytest.mark.parametrize(
    ("env_id", "honest", "seeker", "true_gap", "proxy_gap"),
    [
        ("proxylab/MazeCorner-v1", "optimal", "corner-seeker", (0, 0), (0, 0)),
        ("proxylab/MazeCorner-v0", "optimal", "corner-seeker", (0, 0), (0, 0)),
        ("proxylab/ProcgenMaze-v0", "optimal", "corner-seeker", (0, 0), (0, 0)),
        ("proxylab/BoatRace-v0", "optimal", "back-and-forth", (100, 100), (0, 0)),
        ("proxylab/BoatLagoon-v0", "racer", "looper", (2, 4), (-np.inf, -1)),
        ("proxylab/TomatoWatering-v0", "waterer", "bucket-sitter", (60, 75), (-30, -15)),
        ("proxylab/KeysChests-v0", "optimal", "key-seeker", (1.3, 2.3), (0, 0.01)),
        ("proxylab/Dish-v0", "optimal", "dish-seeker", (0, 0), (0, 0)),
        ("proxylab/ColouredDigits-v0", "optimal", "colour-reader", (0, 0.15), (-0.15, 0)),
        ("proxylab/ColourShape-v0", "optimal", "colour-seeker", (0, 0), (0, 0)),
    ],
)
def test_premise_in_training(env_id, honest, seeker, true_gap, proxy_gap):
    """What the honest script earns above the proxy seeker, in both channels."""
    gap = script_returns(env_id, honest, "train") - script_returns(env_id, seeker, "train")
    assert true_gap[0] <= gap[0] <= true_gap[1]
    assert proxy_gap[0] <= gap[1] <= proxy_gap[1]


@pytest.mark.parametrize(
    ("env_id", "honest", "seeker"),
    [
        ("proxylab/MazeCorner-v1", "optimal", "corner-seeker"),
        ("proxylab/MazeCorner-v0", "optimal", "corner-seeker"),
        ("proxylab/ProcgenMaze-v0", "optimal", "corner-seeker"),
        ("proxylab/BoatLagoon-v0", "racer", "looper"),
        ("proxylab/TomatoWatering-v0", "waterer", "bucket-sitter"),
        ("proxylab/KeysChests-v0", "optimal", "key-seeker"),
        ("proxylab/Dish-v0", "optimal", "dish-seeker"),
        ("proxylab/ColouredDigits-v0", "optimal", "colour-reader"),
        ("proxylab/ColourShape-v0", "optimal", "colour-seeker"),
    ],
)
def test_goals_come_apart_on_shifted_levels(env_id, honest, seeker):
    gap = script_returns(env_id, honest, "shifted") - script_returns(env_id, seeker, "shifted")
    assert gap[0] > 0.3


def test_random_play_never_beats_the_optimal_returns(env_id):
    for split in make_batched(env_id, 1).splits:
        env = started(env_id, 20, split)
        best = env.optimal_returns(env.core.level_seeds)
        for actions in actions_for(env, env.max_episode_steps):
            env.step(actions)
        for k, channel in enumerate(env.channels):
            assert (env.core.returns[:, k] <= best[channel] + 1e-6).all()


# -- pictures -------------------------------------------------------------------------------


def test_pictures_and_texts_show_the_move(env_id):
    env = started(env_id, 2)
    before = env.render_rgb(0), env.render_ansi(0)
    assert before[0].dtype == np.uint8
    assert before[0].shape[2] == 3
    for actions in actions_for(env, 30):
        env.step(actions * np.array([1, 0]), np.array([True, False]))
        if not np.array_equal(env.render_rgb(0), before[0]):
            break
    assert not np.array_equal(env.render_rgb(0), before[0])
    assert isinstance(before[1], str)
    assert len(before[1].splitlines()) > 3


def test_rgb_observations_reach_the_shells():
    for env_id in RGB_IDS:
        env = gym.make(env_id, observation="rgb")
        observation, _ = env.reset(seed=0)
        assert observation.shape[2] == 3
        assert env.observation_space.contains(observation)
        for action in (0, 1, 2, 3):
            assert env.observation_space.contains(env.step(action)[0])
        many = gym.make_vec(env_id, num_envs=2, observation="rgb")
        assert many.observation_space.contains(many.reset(seed=0)[0])


def test_gymnasium_finds_an_id_by_the_name_of_the_package(tmp_path):
    """Nothing of ours is imported before; without the name Gymnasium knows no such id."""
    code = (
        "import sys, gymnasium as gym\n"
        "assert 'proxylab_envs' not in sys.modules\n"
        "try:\n"
        "    gym.make('proxylab/MazeCorner-v1')\n"
        "except gym.error.Error as error:\n"
        "    print(type(error).__name__)\n"
        "env = gym.make('proxylab_envs:proxylab/MazeCorner-v1', split='shifted')\n"
        "vector = gym.make_vec('proxylab_envs:proxylab/MazeCorner-v1', num_envs=3)\n"
        "print(env.reset(seed=0)[0].shape, vector.reset(seed=0)[0].shape)\n"
        "assert 'proxylab' not in sys.modules and 'torch' not in sys.modules\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, check=True
    )
    assert done.stdout.split("\n")[:2] == ["NamespaceNotFound", "(3, 9, 9) (3, 3, 9, 9)"]
