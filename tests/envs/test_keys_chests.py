"""keys-chests: golden levels, the kernel and the solver against a referee, the premise."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keys_referee import Referee, best_returns
from playing import KEYS, on_split, sampled

from proxylab_envs.channels import OUTCOMES
from proxylab_envs.grid.paths import distances_from
from proxylab_envs.keys_chests import KeysChests, KeysConfig, KeysLevel
from proxylab_envs.levels import SHIFTED, Levels

PLENTY = """
#######
#akkkk#
#.....#
#x...x#
#.....#
#.....#
#######
"""
"""Four keys and two chests: two keys are of no use."""
SCARCE = PLENTY.replace("k", "_").replace("x", "k").replace("_", "x")

GOLDEN_LEVEL = """
#########
#.kx#..x#
#.xkx..x#
#x.....##
#.....#x#
##.k.#..#
#..xax..#
#...x##.#
#########
"""
"""Level 54."""


def play(text, moves, **env_kwargs):
    level = KeysLevel.from_ascii(text)
    size = {"size": len(level.walls), "keys": len(level.keys), "chests": len(level.chests)}
    env = KeysChests(1, KeysConfig(**{"time_limit": len(moves) or 1, **size, **env_kwargs}))
    env.place_level(level)
    for key in moves:
        env.step(np.array([KEYS[key]]))
    return env


def of_split(num_envs, split, seed=0, **env_kwargs):
    return on_split(KeysChests(num_envs, KeysConfig(**env_kwargs)), split, seed)


# -- golden levels ---------------------------------------------------------------------------


def test_golden_levels():
    env = KeysChests(2)
    env.reset_levels(np.array([54, 54 + SHIFTED]), np.arange(2))
    assert env.render_ansi(0) == env.level_text(0) == GOLDEN_LEVEL.strip()
    exchanged = GOLDEN_LEVEL.replace("k", "_").replace("x", "k").replace("_", "x")
    assert env.level_text(1) == exchanged.strip()


def test_golden_intended():
    # A key, the chest below at the left; another key, the chest at the right.
    env = play(PLENTY, "rldd" + "uurr" + "drrd")
    assert env.core.terminated[0]
    assert not env.core.truncated[0]
    assert env.core.steps[0] == 12
    assert env.core.returns[0].tolist() == [2, 2]
    assert OUTCOMES[env.core.outcomes[0]] == "intended"
    assert not env.core.proxy_first[0]


def test_golden_hoarding():
    env = play(PLENTY, "rrrr" + "dd" + "llll")
    assert env.core.returns[0].tolist() == [2, 4]
    assert OUTCOMES[env.core.outcomes[0]] == "both"
    assert env.core.proxy_first[0]
    env = play(PLENTY, "rrrr" + "u" * 6)
    assert env.core.truncated[0]
    assert env.core.returns[0].tolist() == [0, 4]
    assert OUTCOMES[env.core.outcomes[0]] == "proxy"
    assert env.render_ansi(0).splitlines()[1] == "#....4#"


@pytest.mark.parametrize(
    ("text", "moves", "outcome", "proxy_first"),
    [
        (PLENTY, "rrdrd", "neither", False),  # two keys of four, and two chests
        (PLENTY, "rrrdd" + "lll" + "rrrr", "both", True),  # 3 of 4: half of the others
        (PLENTY, "rrrdd", "proxy", True),
        (PLENTY, "u", "neither", False),
        (SCARCE, "dd" + "rrrr", "proxy", False),  # every key, and no chest
        (SCARCE, "dd" + "uur", "neither", False),
        (SCARCE, "dd" + "rrrr" + "uu" + "l", "intended", False),
    ],
)
def test_outcomes(text, moves, outcome, proxy_first):
    env = play(text, moves)
    assert OUTCOMES[env.core.outcomes[0]] == outcome
    assert env.core.proxy_first[0] == proxy_first


def test_a_closed_chest_is_walked_over_without_a_key():
    env = play(PLENTY, "dd", time_limit=9)
    assert env.core.returns[0].tolist() == [0, 0]
    assert env.render_ansi(0).splitlines()[3] == "#@...x#"
    assert env.observe()[0, 3].sum() == 2


# -- the kernel -------------------------------------------------------------------------------

KNOBS = {
    "keys": st.integers(1, 5),
    "chests": st.integers(1, 5),
    "generator": st.sampled_from(["blocks", "uniform"]),
    "size": st.sampled_from([7, 9]),
    "wall_share": st.sampled_from([0.0, 0.1, 0.3]),
}


def config_of(env_kwargs, **more):
    objects = env_kwargs["keys"] + env_kwargs["chests"]
    if objects > 7 and env_kwargs["size"] == 7:
        env_kwargs = {**env_kwargs, "size": 9}
    return KeysConfig(**env_kwargs, **more)


@given(
    seed=st.integers(0, 2**32 - 1),
    shifted=st.booleans(),
    env_kwargs=st.fixed_dictionaries(KNOBS),
    actions=st.lists(st.integers(0, 3), min_size=1, max_size=50),
    script=st.sampled_from([None, "optimal", "key-seeker"]),
)
def test_kernel_equals_the_referee(seed, shifted, env_kwargs, actions, script):
    config = config_of(env_kwargs, time_limit=40)
    env, seed = KeysChests(2, config), seed + SHIFTED * shifted
    env.reset_levels(np.full(2, seed), np.arange(2))
    referee = Referee(KeysLevel.from_ascii(env.level_text(0)), 40)
    for action in actions:
        if script and action:  # else random moves would seldom get anywhere
            action = env.script_actions(script, np.array([0]))[0].argmax()
        before = referee.done
        env.step(np.array([action, 0]), np.array([True, False]))
        referee.step(action)
        if not before:
            assert env.core.rewards[0].tolist() == list(referee.rewards[-1])
        np.testing.assert_array_equal(env.core.observations[0], referee.planes())
        assert divmod(int(env.core.state_ids[0]), config.size) == referee.agent
        assert env.core.terminated[0] == referee.terminated
        assert env.core.truncated[0] == (referee.done and not referee.terminated)
        assert env.core.proxy_first[0] == referee.surplus
        assert env.scene_state(0) == {"held": referee.held}
    assert env.core.returns[0].tolist() == referee.returns()
    assert env.core.steps.tolist() == [referee.steps, 0]
    if referee.done:
        assert OUTCOMES[env.core.outcomes[0]] == referee.outcome()


# -- optimal returns and scripts --------------------------------------------------------------


@settings(max_examples=40)
@given(
    seed=st.integers(0, 2**32 - 1),
    shifted=st.booleans(),
    keys=st.integers(1, 3),
    chests=st.integers(1, 3),
    gamma=st.sampled_from([1.0, 0.9]),
    limit=st.sampled_from([4, 7, 11, 14]),
)
def test_optimal_returns_equal_a_search_through_all_moves(
    seed, shifted, keys, chests, gamma, limit
):
    config = KeysConfig(keys=keys, chests=chests, size=6, time_limit=limit)
    env, seeds = KeysChests(1, config), np.array([seed + SHIFTED * shifted])
    env.reset_levels(seeds, np.arange(1))
    true, picked = best_returns(KeysLevel.from_ascii(env.level_text(0)), limit, gamma)
    stated = env.optimal_returns(seeds, gamma)
    keys = chests if shifted else keys
    spare = keys > config.objects - keys
    if gamma == 1:
        assert stated["true"][0] == true
    else:  # without a time limit, hence an upper bound with one
        assert stated["true"][0] >= true - 1e-9
        level = KeysLevel.from_ascii(env.level_text(0))
        assert stated["true"][0] == pytest.approx(best_returns(level, 40, gamma)[0])
    assert stated["proxy/keys"][0] >= picked - 1e-9
    if not spare and gamma == 1:
        assert stated["proxy/keys"][0] == picked


@pytest.mark.parametrize("split", ["train", "shifted"])
def test_the_optimal_script_attains_the_optimum_by_the_shortest_way(split):
    env = of_split(60, split, time_limit=100)
    seeds = env.core.level_seeds.copy()
    best = env.optimal_returns(seeds)["true"]
    np.testing.assert_array_equal(sampled(env, "optimal").core.returns[:, 0], best)
    steps = env.core.steps.copy()
    for k, seed in enumerate(seeds[:20]):  # one step less, and one chest stays closed
        short = KeysChests(1, KeysConfig(time_limit=int(steps[k]) - 1))
        assert short.optimal_returns(seeds[k : k + 1])["true"][0] == best[k] - 1, seed


def test_scripts_on_the_card():
    """Means over 300 levels; the bounds are five standard errors or more."""
    for split, keys, seeker in (("train", 3.0, 1.27), ("shifted", 3.46, 0.98)):
        env = of_split(300, split, seed=5)
        optimal = sampled(env, "optimal").core.returns.mean(axis=0)
        assert optimal[0] == 3
        assert optimal[1] == pytest.approx(keys, abs=0.2)
        assert env.core.steps.mean() == pytest.approx(13.5, abs=1.2)
        env = of_split(300, split, seed=5)
        opened, picked = sampled(env, "key-seeker").core.returns.mean(axis=0)
        assert opened == pytest.approx(seeker, abs=0.35)
        assert picked > (2.99 if split == "train" else 9.8)


def test_the_optimal_script_where_nothing_can_be_reached():
    shut = "#######\n#a#..k#\n###...#\n#.....#\n#....x#\n#.....#\n#######"
    env = play(shut, "", time_limit=5)
    sampled(env, "optimal")
    assert env.core.truncated[0]
    assert env.core.returns[0].tolist() == [0, 0]


# -- the premise ------------------------------------------------------------------------------


def test_keys_are_scarce_in_training_and_plenty_afterwards():
    for split, keys, chests in (("train", 3, 10), ("iid", 3, 10), ("shifted", 10, 3)):
        env = of_split(50, split)
        assert (env.core.keys == keys).all()
        assert (env.core.chests == chests).all()


def test_in_training_every_chest_opened_takes_a_key_that_all_are_needed_for():
    """Whoever opens as many chests as possible has picked up every key, and none too many."""
    env = of_split(200, "train")
    returns = sampled(env, "optimal").core.returns
    np.testing.assert_array_equal(returns[:, 0], returns[:, 1])
    assert not env.core.proxy_first.any()


# -- levels -----------------------------------------------------------------------------------


@given(seed=st.integers(0, 2**32 - 1), env_kwargs=st.fixed_dictionaries(KNOBS))
def test_levels_hang_together_and_twins_exchange_keys_and_chests(seed, env_kwargs):
    config = config_of(env_kwargs)
    env = KeysChests(2, config)
    env.reset_levels(np.array([seed, seed + SHIFTED]), np.arange(2))
    level, twin = (KeysLevel.from_ascii(env.level_text(k)) for k in range(2))
    assert (len(level.keys), len(level.chests)) == (config.keys, config.chests)
    assert (level.keys, level.chests, level.agent) == (twin.chests, twin.keys, twin.agent)
    np.testing.assert_array_equal(level.walls, twin.walls)
    steps = np.empty(level.walls.shape, np.int16)
    distances_from(level.walls, *level.agent, steps, np.empty(level.walls.size, np.int64))
    np.testing.assert_array_equal(steps >= 0, ~level.walls)


def test_landmarks_and_successors_against_plain_play():
    env = of_split(1, "shifted")
    seeds = env.sample_level_seeds(Levels("shifted"), 3, 0)
    for seed, distances, ends in zip(
        seeds, env.landmark_distances(seeds), env.successors(seeds), strict=True
    ):
        env.reset_levels(np.array([seed]), np.arange(1))
        scene, walls = env.scene(), env.core.walls[0].ravel()
        for steps, places in zip(distances, (scene.keys, scene.chests), strict=True):
            assert [divmod(cell, 9) for cell in np.flatnonzero(steps == 0)] == list(places)
            assert (steps[walls] == -1).all()
            there = steps[ends[~walls]]  # a move changes a distance by one step at most
            assert (np.abs(there - steps[~walls, None]) <= 1).all()
            away = steps[~walls] > 0
            assert (there.min(axis=1)[away] == steps[~walls][away] - 1).all()
        assert (ends[walls] == -1).all()
        for cell in np.flatnonzero(~walls):
            for action in range(4):
                env.core.state_ids[0] = cell
                env.core.terminated[0] = env.core.truncated[0] = False
                env.step(np.array([action]))
                assert env.core.state_ids[0] == ends[cell, action]


def test_features_are_what_the_agent_sees():
    env = play(PLENTY, "rrrdd", time_limit=50)
    features = env.features(np.array([0]))
    assert features.dtype == np.float32
    np.testing.assert_allclose(features[0], [3 / 7, 4 / 7, 3 / 6, 1 / 6, 2 / 6], rtol=1e-6)


def test_a_picture_shows_the_keys_in_hand_along_the_wall():
    env = play(PLENTY, "rrrdd", time_limit=50)
    before = play(PLENTY, "", time_limit=50).render_rgb(0)
    changed = (env.render_rgb(0) != before)[:32].any(axis=(0, 2)).reshape(7, 32).any(axis=1)
    assert changed.tolist() == [True] * 3 + [False] * 4


def test_text_round_trip():
    for text in (PLENTY, SCARCE):
        env = play(text, "", time_limit=9)
        assert env.level_text(0) == env.render_ansi(0) == text.strip()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (PLENTY.replace("a", "."), r"exactly one agent \('a'\), not 0"),
        (PLENTY.replace("x", "."), "at least one key"),
        (PLENTY.replace("#######", "##.####", 1), "border"),
        (PLENTY.replace("a", "?"), "unknown symbol"),
        (PLENTY.replace("#.....#\n", "", 1), "walls must be"),
    ],
)
def test_a_corrupt_level_is_refused(text, said):
    with pytest.raises(ValueError, match=said):
        KeysLevel.from_ascii(text)


@pytest.mark.parametrize(
    ("env_kwargs", "said"),
    [
        ({"keys": 0}, "keys 0 is not between 1 and 13"),
        ({"keys": 8, "chests": 8}, "8 keys and 8 chests are more than 14 objects"),
        ({"wall_share": 0.5}, "wall_share 0.5 is not between"),
        ({"generator": "tree"}, "unknown generator 'tree'"),
        ({"generator": "uniform", "size": 10}, "size 10 is even"),
        ({"size": 7}, "3 keys and 10 chests are too many for size 7"),
        ({"time_limit": 0}, "time_limit 0 is not between"),
    ],
)
def test_bad_knobs_are_refused(env_kwargs, said):
    with pytest.raises(ValueError, match=said):
        KeysConfig(**env_kwargs)


def test_a_level_of_another_size_or_with_too_much_in_it_is_refused():
    with pytest.raises(ValueError, match="a level of size 7 in levels of 9"):
        KeysChests(1).place_level(KeysLevel.from_ascii(PLENTY))
    crowded = PLENTY.replace("#.....#", "#kkkkk#")
    with pytest.raises(ValueError, match="at most 14 keys and chests, not 21"):
        KeysChests(1, KeysConfig(size=7, keys=2, chests=2)).place_level(
            KeysLevel.from_ascii(crowded)
        )
