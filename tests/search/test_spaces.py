"""The levels of every environment that can be searched, as points of the unit cube."""

import numpy as np
import pytest

from proxylab.search.run import BATCH, SearchSettings, search_levels
from proxylab.tasks import TASKS
from proxylab_envs.levels import SHIFTED
from proxylab_envs.search_space import opened

EVERY = pytest.mark.parametrize("task", ["maze-corner", "boat-lagoon", "tomato-watering"])


def points_of(space, count, seed=0):
    return np.random.default_rng(seed).random((count, space.num_numbers))


@EVERY
@pytest.mark.parametrize("edits", [0, 3])
def test_a_level_is_what_its_text_says(task, edits):
    """Placed by the space and read from its text, a level starts with the same observation."""
    space = TASKS[task].make_env(12).search_space(edits)
    levels = space.levels(points_of(space, 12))
    space.place(levels)
    shown = space.env.observe().copy()
    read = TASKS[task].make_env(12)
    for index, level in enumerate(levels):
        read.place_text(space.text(level), index)
    np.testing.assert_array_equal(read.observe(), shown)
    assert len({space.text(level) for level in levels}) > 6


@EVERY
def test_corners_of_the_cube_are_levels(task):
    space = TASKS[task].make_env(4).search_space(3)
    for value in (0.0, 1.0):
        levels = space.levels(np.full((2, space.num_numbers), value))
        assert (space.optimal(levels) > 0).all()
        low, high = np.array(space.measure_ranges).T
        assert ((space.measures(levels) >= low) & (space.measures(levels) <= high)).all()


@EVERY
def test_optimal_returns_are_those_of_the_environment(task):
    """Of generated shifted levels, which both can solve."""
    env = TASKS[task].make_env(6)
    space = env.search_space(0)
    seeds = env.seeds_of_split("shifted", np.arange(6, dtype=np.uint64)) + SHIFTED
    env.reset_levels(seeds, np.arange(6))
    texts = [env.level_text(k) for k in range(6)]
    expected = env.optimal_returns(seeds)["true"]
    levels = [read_by(space, text) for text in texts]
    np.testing.assert_allclose(space.optimal(levels), expected, rtol=1e-9)


def read_by(space, text):
    """The level object of a text, by way of the environment."""
    space.env.place_text(text, 0)
    for name in ("level", "garden", "current_level"):
        found = getattr(space.env, name, None)
        try:
            level = found(0)
        except (TypeError, ValueError):
            continue
        if space.text(level) == text:
            return level
    raise AssertionError(text)


def test_without_edits_boats_see_shifted_lagoons_only():
    env = TASKS["boat-lagoon"].make_env(1)
    of = {k: env.search_space(k).levels(points_of(env.search_space(k), 200)) for k in (0, 1)}
    drawn = {
        (env.level(s + SHIFTED).lagoon, env.level(s + SHIFTED).has_targets) for s in seeds(env)
    }
    assert {(level.lagoon, level.has_targets) for level in of[0]} == drawn
    assert {(level.lagoon, level.has_targets) for level in of[1]} > drawn


def seeds(env):
    return env.seeds_of_split("shifted", np.arange(400, dtype=np.uint64)).tolist()


def test_an_opened_wall_joins_two_free_cells():
    walls = np.array([list(row) for row in ("#####", "#.#.#", "###.#", "#...#", "#####")]) == "#"
    assert (opened(walls, np.array([0.2])) == walls).all()
    once = opened(walls, np.array([1.0]))
    assert walls.sum() - once.sum() == 1
    assert opened(once, np.array([1.0, 1.0])).sum() < once.sum()


def test_the_racer_has_no_regret_in_searched_lagoons():
    settings = SearchSettings(method="random", budget=BATCH, worst=3)
    report = search_levels("script:boat-lagoon/racer", settings=settings)
    assert report.worst[0].score == pytest.approx(0, abs=1e-6)
    looper = search_levels("script:boat-lagoon/looper", settings=settings)
    assert looper.worst[0].score > 3  # control


def test_a_score_chosen_for_its_size_is_judged_again_with_other_draws():
    """In gardens tomatoes dry by chance: the same level has another score the second time."""
    settings = SearchSettings(method="random", budget=BATCH, worst=20)
    report = search_levels("zoo:tomato-watering/weak-00", settings=settings)
    first, second = (np.array([getattr(w, n) for w in report.worst]) for n in ("score", "again"))
    assert (first != second).any()
    assert second.mean() < first.mean()
