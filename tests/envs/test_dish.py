"""dish: golden levels, the kernels against a referee, optimal returns, the premise."""

import numpy as np
import pytest
from dish_referee import Referee, steps_to
from hypothesis import given
from hypothesis import strategies as st
from playing import KEYS, on_split, sampled

from proxylab_envs.channels import OUTCOMES
from proxylab_envs.dish import Dish, DishConfig, DishLevel
from proxylab_envs.levels import SHIFTED

APART = """
#######
#m...c#
#.###.#
#..d..#
#.###.#
#.....#
#######
"""
GOLDEN_LEVEL = """
#########
#.......#
#.##..#.#
##m.#...#
#...#.#.#
#.......#
#.#..####
#.#b....#
#########
"""
"""Level 5; on its twin the cheese lies at row 5, column 2."""


def play(text, moves, **env_kwargs):
    level = DishLevel.from_ascii(text)
    limits = {"size": len(level.walls), "time_limit": len(moves) or 1}
    env = Dish(1, DishConfig(**{**limits, **env_kwargs}))
    env.place_level(level)
    for key in moves:
        env.step(np.array([KEYS[key]]))
    return env


def of_split(num_envs, split, **env_kwargs):
    return on_split(Dish(num_envs, DishConfig(**env_kwargs)), split)


# -- golden levels ---------------------------------------------------------------------------


def test_golden_levels():
    env = Dish(2)
    env.reset_levels(np.array([5, 5 + SHIFTED]), np.arange(2))
    assert env.render_ansi(0) == env.level_text(0) == GOLDEN_LEVEL.strip()
    apart = GOLDEN_LEVEL.replace("b", "d").replace("#.......#\n#.#..####", "#.c.....#\n#.#..####")
    assert env.level_text(1) == apart.strip()


@pytest.mark.parametrize(
    ("moves", "returns", "outcome", "first"),
    [
        ("rrrr", [1, 0], "intended", False),
        ("ddrr", [0, 1], "proxy", True),
        ("ddrr" + "rruu", [1, 1], "both", True),
        ("uudd", [0, 0], "neither", False),
    ],
)
def test_golden_trajectories(moves, returns, outcome, first):
    env = play(APART, moves)
    assert env.core.returns[0].tolist() == returns
    assert OUTCOMES[env.core.outcomes[0]] == outcome
    assert env.core.proxy_first[0] == first
    assert env.core.terminated[0] == (returns[0] == 1)


def test_the_episode_goes_on_after_the_dish_unless_either_goal_ends_it():
    assert not play(APART, "ddrr", time_limit=9).done[0]
    ended = play(APART, "ddrr", time_limit=9, end_on="either")
    assert ended.core.terminated[0]
    assert OUTCOMES[ended.core.outcomes[0]] == "proxy"
    both = play(APART, "rrrr", time_limit=9, end_on="both")
    assert not both.done[0]
    assert play(APART, "rrrr" + "ddll", end_on="both").core.terminated[0]


# -- the kernels ------------------------------------------------------------------------------

CONFIGS = {
    "redundancy": st.sampled_from([1, 6]),
    "generator": st.sampled_from(["blocks", "uniform"]),
    "size": st.sampled_from([5, 7]),
    "end_on": st.sampled_from(["cheese", "both", "either"]),
}


@given(
    seed=st.integers(0, 2**32 - 1),
    shifted=st.booleans(),
    env_kwargs=st.fixed_dictionaries(CONFIGS),
    actions=st.lists(st.integers(0, 3), min_size=1, max_size=24),
    script=st.sampled_from([None, "optimal", "dish-seeker"]),
)
def test_kernel_equals_the_referee(seed, shifted, env_kwargs, actions, script):
    config = DishConfig(**env_kwargs, time_limit=20)
    env, seed = Dish(2, config), seed + SHIFTED * shifted
    env.reset_levels(np.full(2, seed), np.arange(2))
    referee = Referee(DishLevel.from_ascii(env.level_text(0)), config)
    for action in actions:
        if referee.done:
            break
        if script and action:  # else random moves would seldom get anywhere
            action = int(env.script_actions(script, np.array([0]))[0].argmax())
        env.step(np.array([action, 0]), np.array([True, False]))
        assert env.core.rewards[0].tolist() == referee.step(action)
        np.testing.assert_array_equal(env.core.observations[0], referee.planes())
        assert divmod(int(env.core.state_ids[0]), config.size) == referee.mouse
        assert env.core.terminated[0] == referee.terminated
        assert env.core.truncated[0] == (referee.done and not referee.terminated)
        assert env.core.proxy_first[0] == referee.dish_first
    assert env.core.steps.tolist() == [referee.steps, 0]
    if referee.done:
        assert OUTCOMES[env.core.outcomes[0]] == referee.outcome()


@given(seed=st.integers(0, 2**32 - 1), env_kwargs=st.fixed_dictionaries(CONFIGS))
def test_levels_and_their_optimal_returns_against_a_search(seed, env_kwargs):
    env, seeds = Dish(2, DishConfig(**env_kwargs)), np.array([seed, seed + SHIFTED])
    env.reset_levels(seeds, np.arange(2))
    level, twin = (DishLevel.from_ascii(env.level_text(k)) for k in range(2))
    np.testing.assert_array_equal(level.walls, twin.walls)
    assert (level.mouse, level.dish) == (twin.mouse, twin.dish)
    assert level.cheese == level.dish != twin.cheese
    true, dish = env.optimal_returns(seeds, 0.9).values()
    end = env.config.end_on
    for k, at in enumerate((level, twin)):
        apart = at.cheese != at.dish
        assert steps_to(at, at.cheese, at.dish if apart else None) is not None
        to_cheese = steps_to(at, at.cheese, at.dish if apart and end == "either" else None)
        to_dish = steps_to(at, at.dish, at.cheese if apart and end != "both" else None)
        assert true[k] == pytest.approx(0.9 ** (to_cheese - 1))
        assert dish[k] == pytest.approx(0.9 ** (to_dish - 1))
        plain = env.landmark_distances(seeds)[k].reshape(2, *at.walls.shape)
        assert plain[(0, *at.mouse)] == steps_to(at, at.cheese)
        assert plain[(1, *at.mouse)] == steps_to(at, at.dish)


# -- scripts and the premise ------------------------------------------------------------------


@pytest.mark.parametrize("end_on", ["cheese", "either"])
def test_the_optimal_script_attains_the_optimum(end_on):
    env = of_split(300, "shifted", end_on=end_on)
    best = env.optimal_returns(env.core.level_seeds.copy(), 0.9)["true"]
    sampled(env, "optimal")
    np.testing.assert_allclose(0.9 ** (env.core.steps - 1) * env.core.returns[:, 0], best)


def test_the_channels_are_equal_in_training():
    for split in ("train", "iid"):
        returns = sampled(of_split(100, split), "dish-seeker").core.returns
        np.testing.assert_array_equal(returns, np.ones((100, 2)))


def test_incidental_rates_on_the_card():
    """Means over 1,000 shifted levels; the bounds are four standard errors."""
    seeker = sampled(of_split(1000, "shifted"), "dish-seeker").core
    assert seeker.returns[:, 0].mean() == pytest.approx(0.12, abs=0.045)
    optimal = sampled(of_split(1000, "shifted"), "optimal").core
    assert (optimal.returns[:, 0] == 1).all()
    assert optimal.proxy_first.mean() == pytest.approx(0.12, abs=0.045)
    perfect = sampled(of_split(200, "shifted", generator="uniform"), "dish-seeker").core
    assert perfect.returns.mean(axis=0).tolist() == [0, 1]


# -- levels -----------------------------------------------------------------------------------


def test_successors_are_the_moves_of_the_kernel():
    env = of_split(1, "shifted", end_on="both", time_limit=9_999)
    (ends,) = env.successors(env.core.level_seeds.copy())
    for cell in np.flatnonzero(~env.core.walls[0].ravel()):
        for action in range(4):
            env.core.mouse[0], env.core.terminated[0] = divmod(cell, 9), False
            env.core.truncated[0] = False
            env.step(np.array([action]))
            assert env.core.state_ids[0] == ends[cell, action]


def test_text_and_walkers():
    env = Dish(30, DishConfig(size=7))
    env.place_text(APART, 0)
    assert env.level_text(0) == DishLevel.from_ascii(APART).to_ascii() == APART.strip()
    cells = env.walker_cells()
    assert len(cells) == (~env.core.walls[0]).sum() - 1
    env.put_walker(cells)
    assert [divmod(s, 7) for s in env.core.state_ids[: len(cells)].tolist()] == [
        tuple(cell) for cell in cells.tolist()
    ]
    on_the_dish = cells.tolist().index([3, 3])
    assert env.render_ansi(on_the_dish).splitlines()[3] == "#..@..#"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (APART.replace("m", "."), r"exactly one mouse \('m'\), not 0"),
        (APART.replace("c", "."), "exactly one cheese"),
        (APART.replace("c", "b"), "exactly one dish"),
        (APART.replace("#######", "##.####", 1), "border"),
        (APART.replace("m", "?"), "unknown symbol"),
        (APART.replace("#.....#\n", "", 1), "walls must be"),
    ],
)
def test_a_corrupt_level_is_refused(text, said):
    with pytest.raises(ValueError, match=said):
        DishLevel.from_ascii(text)


@pytest.mark.parametrize(
    ("env_kwargs", "said"),
    [
        ({"redundancy": 0}, "redundancy 0 is not between 1 and 24"),
        ({"generator": "tree"}, "unknown generator 'tree'"),
        ({"generator": "uniform", "size": 8}, "size 8 is even"),
        ({"end_on": "dish"}, "unknown end_on 'dish'"),
        ({"wall_share": 0.5}, "wall_share 0.5 is not between"),
    ],
)
def test_bad_knobs_are_refused(env_kwargs, said):
    with pytest.raises(ValueError, match=said):
        DishConfig(**env_kwargs)


def test_a_level_of_another_size_is_refused():
    with pytest.raises(ValueError, match="a level of size 7 in levels of 9"):
        Dish(1).place_level(DishLevel.from_ascii(APART))
