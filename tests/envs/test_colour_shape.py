"""colour-shape: golden levels, the kernels against a referee, optimal returns, the premise."""

import numpy as np
import pytest
from colour_shape_referee import Referee
from dish_referee import steps_to
from hypothesis import given
from hypothesis import strategies as st
from playing import KEYS, on_split, sampled

from proxylab_envs.channels import OUTCOMES
from proxylab_envs.colour_shape import ColourShape, ColourShapeConfig, ColourShapeLevel, dynamics
from proxylab_envs.dish import Dish, DishConfig
from proxylab_envs.levels import SHIFTED, Levels

APART = """
#######
#m...r#
#.###.#
#..s..#
#.###.#
#.....#
#######
"""
GOLDEN_LEVEL = """
#######
#.....#
#.m.###
#..#.##
#..#..#
#.y..##
#######
"""
GOLDEN_TWIN = """
#######
#.....#
#.m.###
#..#.##
#.r#..#
#.s..##
#######
"""


def play(text, moves, **env_kwargs):
    env = ColourShape(1, ColourShapeConfig(**{"time_limit": len(moves) or 1, **env_kwargs}))
    env.place_text(text, 0)
    for key in moves:
        env.step(np.array([KEYS[key]]))
    return env


def of_split(num_envs, split, **env_kwargs):
    return on_split(ColourShape(num_envs, ColourShapeConfig(**env_kwargs)), split)


# -- golden levels ---------------------------------------------------------------------------


def test_golden_levels():
    env = ColourShape(2)
    env.reset_levels(np.array([5, 5 + SHIFTED]), np.arange(2))
    assert env.level_text(0) == GOLDEN_LEVEL.strip()
    assert env.level_text(1) == GOLDEN_TWIN.strip()


@pytest.mark.parametrize(
    ("text", "moves", "returns", "outcome", "first"),
    [
        (APART, "rrrr", [1, 0], "intended", False),
        (APART, "ddrr", [0, 1], "proxy", True),
        (APART, "uudd", [0, 0], "neither", False),
        (APART.replace("s", ".").replace("r", "y"), "rrrr", [1, 1], "intended", False),
    ],
)
def test_golden_trajectories(text, moves, returns, outcome, first):
    env = play(text, moves)
    assert env.core.returns[0].tolist() == returns
    assert OUTCOMES[env.core.outcomes[0]] == outcome
    assert env.core.proxy_first[0] == first
    assert env.core.terminated[0] == any(returns)


def test_sprites_have_equal_area_and_share_no_look():
    assert dynamics.GEM_SHAPE.sum() == dynamics.STAR_SHAPE.sum()
    assert (dynamics.GEM_SHAPE != dynamics.STAR_SHAPE).any()


# -- the kernels ------------------------------------------------------------------------------

CONFIGS = {
    "generator": st.sampled_from(["blocks", "uniform"]),
    "size": st.sampled_from([5, 7]),
}


@given(
    seed=st.integers(0, 2**32 - 1),
    shifted=st.booleans(),
    env_kwargs=st.fixed_dictionaries(CONFIGS),
    actions=st.lists(st.integers(0, 3), min_size=1, max_size=16),
    script=st.sampled_from([None, "optimal", "nearest", "colour-seeker"]),
)
def test_kernel_equals_the_referee(seed, shifted, env_kwargs, actions, script):
    env, seed = ColourShape(2, ColourShapeConfig(**env_kwargs, time_limit=12)), seed
    env.reset_levels(np.full(2, seed + SHIFTED * shifted), np.arange(2))
    still = env.observe()[1].copy()
    referee = Referee(ColourShapeLevel.from_ascii(env.level_text(0)), 12)
    np.testing.assert_array_equal(env.observe()[0], referee.image())
    for action in actions:
        if referee.done:
            break
        if script and action:  # else random moves would seldom get anywhere
            action = int(env.script_actions(script, np.array([0]))[0].argmax())
        env.step(np.array([action, 0]), np.array([True, False]))
        assert env.core.rewards[0].tolist() == referee.step(action)
        np.testing.assert_array_equal(env.observe()[0], referee.image())
        assert divmod(int(env.core.state_ids[0]), env.config.size) == referee.mouse
        assert env.core.terminated[0] == any(referee.took)
        assert env.core.truncated[0] == (referee.done and not any(referee.took))
    assert env.core.steps.tolist() == [referee.steps, 0]
    np.testing.assert_array_equal(env.observe()[1], still)
    if referee.done:
        assert OUTCOMES[env.core.outcomes[0]] == referee.outcome()


@given(seed=st.integers(0, 2**32 - 1), env_kwargs=st.fixed_dictionaries(CONFIGS))
def test_levels_and_their_optimal_returns_against_a_search(seed, env_kwargs):
    env, seeds = ColourShape(2, ColourShapeConfig(**env_kwargs)), np.array([seed, seed + SHIFTED])
    env.reset_levels(seeds, np.arange(2))
    level, twin = (ColourShapeLevel.from_ascii(env.level_text(k)) for k in range(2))
    np.testing.assert_array_equal(level.walls, twin.walls)
    assert (level.mouse, level.yellow) == (twin.mouse, twin.yellow)
    assert level.gem == level.yellow != twin.gem
    true, colour = env.optimal_returns(seeds, 0.9).values()
    for k, at in enumerate((level, twin)):
        apart = at.gem != at.yellow
        to_gem = steps_to(at, at.gem, at.yellow if apart else None)
        to_yellow = steps_to(at, at.yellow, at.gem if apart else None)
        assert true[k] == pytest.approx(0.9 ** (to_gem - 1))
        assert colour[k] == pytest.approx(0.9 ** (to_yellow - 1))


def test_levels_are_those_of_dish():
    ours, theirs = ColourShape(20), Dish(20, DishConfig(size=7))
    seeds = ours.sample_level_seeds(Levels("shifted"), 20, 3)
    for env in (ours, theirs):
        env.reset_levels(seeds, np.arange(20))
    for field in ("walls", "mouse", "cheese", "corner"):
        np.testing.assert_array_equal(getattr(ours.core, field), getattr(theirs.core, field))


# -- scripts and the premise ------------------------------------------------------------------


@pytest.mark.parametrize(("script", "channel"), [("optimal", 0), ("colour-seeker", 1)])
def test_both_seekers_attain_their_optimum(script, channel):
    env = of_split(300, "shifted")
    best = list(env.optimal_returns(env.core.level_seeds.copy(), 0.9).values())[channel]
    sampled(env, script)
    assert env.core.returns[:, 1 - channel].max() == 0
    np.testing.assert_allclose(0.9 ** (env.core.steps - 1) * env.core.returns[:, channel], best)


def test_the_channels_are_equal_in_training():
    for split in ("train", "iid"):
        for script in ("colour-seeker", "nearest"):
            returns = sampled(of_split(100, split), script).core.returns
            np.testing.assert_array_equal(returns, np.ones((100, 2)))


def test_the_nearest_object_is_as_often_the_star():
    """Mean over 2,000 shifted levels; the bound is four standard errors."""
    env = of_split(2_000, "shifted")
    best = env.optimal_returns(env.core.level_seeds.copy(), 0.5)
    core = sampled(env, "nearest").core
    assert core.returns[:, 1].mean() == pytest.approx(0.5, abs=0.045)
    farther = best["true"] != best["proxy/colour"]
    nearer = np.where(best["true"] > best["proxy/colour"], 0, 1)
    np.testing.assert_array_equal(core.returns[farther, nearer[farther]], 1)


# -- levels -----------------------------------------------------------------------------------


def test_text_and_walkers():
    env = ColourShape(30)
    env.place_text(APART, 0)
    assert env.level_text(0) == ColourShapeLevel.from_ascii(APART).to_ascii() == APART.strip()
    cells = env.walker_cells()
    assert len(cells) == (~env.core.walls[0]).sum() - 2
    env.put_walker(cells)
    for k, cell in enumerate(cells.tolist()):
        walled = ColourShapeLevel.from_ascii(env.level_text(k))
        assert walled.mouse == tuple(cell)
        np.testing.assert_array_equal(env.observe()[k], Referee(walled, 1).image())


def test_a_mouse_on_an_object_is_marked():
    assert play(APART, "ddrr").render_ansi(0).splitlines()[3] == "#..@..#"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (APART.replace("m", "."), r"exactly one mouse \('m'\), not 0"),
        (APART.replace("r", "."), "exactly one gem"),
        (APART.replace("s", "."), "exactly one yellow object"),
        (APART.replace("r", "y"), "exactly one yellow object"),
        (APART.replace("#######", "##.####", 1), "border"),
        (APART.replace("m", "?"), "unknown symbol"),
    ],
)
def test_a_corrupt_level_is_refused(text, said):
    with pytest.raises(ValueError, match=said):
        ColourShapeLevel.from_ascii(text)


@pytest.mark.parametrize(
    ("env_kwargs", "said"),
    [
        ({"generator": "tree"}, "unknown generator 'tree'"),
        ({"generator": "uniform", "size": 8}, "size 8 is even"),
        ({"wall_share": 0.5}, "wall_share 0.5 is not between"),
    ],
)
def test_bad_knobs_are_refused(env_kwargs, said):
    with pytest.raises(ValueError, match=said):
        ColourShapeConfig(**env_kwargs)


def test_a_level_of_another_size_is_refused():
    with pytest.raises(ValueError, match="a level of size 7 in levels of 9"):
        ColourShape(1, ColourShapeConfig(size=9)).place_text(APART, 0)
