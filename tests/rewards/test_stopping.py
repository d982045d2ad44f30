"""Early stopping by angles: a bandit by hand, its guarantee on random tables, mazes and boats."""

import math

import numpy as np
import pytest

from proxylab.rewards.irl import optimal_policy
from proxylab.rewards.stopping import (
    boltzmann_path,
    projected_angle,
    projection,
    soft_path,
    steepest_path,
    step_cosines,
    stopping_index,
    stops,
)
from proxylab.rewards.tabular import TabularMDP, boat_race_table, goal_cells, maze_table
from proxylab_envs.boat_race import BoatRace
from proxylab_envs.levels import Levels
from proxylab_envs.maze_corner import MazeConfig, MazeCorner

PRESSURES = np.geomspace(1e-3, 1e3, 80)


def bandit(arms=3):
    """One state, every arm ends the episode: an occupancy is a distribution over the arms."""
    ended = np.full((1, arms), -1)
    return TabularMDP(ended, ended, np.zeros(1, np.int64), np.ones(1), 0.5)


def random_table(rng, states=5, actions=3):
    successors = rng.integers(0, states, (states, actions))
    start = rng.dirichlet(np.ones(states))
    return TabularMDP(successors, successors, np.arange(states), start, 0.8)


FIRST, SECOND = np.array([1, -1, 0]) / math.sqrt(2), np.array([1, 1, -2]) / math.sqrt(6)
"""Two orthogonal directions within the simplex of three arms."""


def direction(degrees):
    return math.cos(math.radians(degrees)) * FIRST + math.sin(math.radians(degrees)) * SECOND


def bent_path(*degrees):
    """Steps of equal length at angles to ``FIRST``, from equal odds: float64[T, 1, 3]."""
    steps = [np.full(3, 1 / 3), *(0.05 * direction(d) for d in degrees)]
    return np.cumsum(steps, axis=0)[:, None, :]


def rewards_at(degrees, offset=7.0):
    """(hard, easy): the hard one at an angle; both with an offset that no policy notices."""
    return (2 * direction(degrees) + offset)[None], (3 * FIRST - offset)[None]


@pytest.mark.parametrize("degrees", [0, 30, 90, 150, 180])
def test_the_angle_of_a_bandit_by_hand(degrees):
    assert projected_angle(*rewards_at(degrees), bandit()) == pytest.approx(math.radians(degrees))


@pytest.mark.parametrize(("theta", "index"), [(5, 3), (15, 2), (30, 2), (45, 1), (80, 1)])
def test_the_stop_of_a_bandit_by_hand(theta, index):
    """Steps at 0°, 50° and 80°: a step is safe up to 90° − θ."""
    path = bent_path(0, 50, 80)
    hard, easy = rewards_at(theta)
    cosines = step_cosines(path, easy, bandit())
    assert cosines == pytest.approx(np.cos(np.radians([0, 50, 80])))
    assert stopping_index(cosines, math.radians(theta)) == index
    assert stops(path, hard, easy, bandit())[1].index == index


def test_beyond_a_right_angle_not_even_the_steepest_step_is_safe():
    path = bent_path(0, 0)
    for theta, index in ((90, 2), (91, 0), (180, 0)):
        hard, easy = rewards_at(theta)
        assert stops(path, hard, easy, bandit(), errors=[0.0])[0].index == index
        assert falls_before(path, hard, 2) == (theta > 90)


def test_errors_of_the_angle_move_the_stop():
    """θ = 36°: steps are safe to 54°, with θ a quarter smaller to 63°, larger to 45°."""
    hard, easy = rewards_at(36)
    found = stops(bent_path(0, 30, 50, 60, 85), hard, easy, bandit())
    assert [stop.index for stop in found] == [4, 3, 2]
    assert [stop.error for stop in found] == [-0.25, 0, 0.25]
    assert found[1].angle == pytest.approx(math.radians(36))
    assert found[0].easy > found[1].easy > found[2].easy


def test_a_step_that_does_not_move_is_passed_over():
    path = np.repeat(bent_path(0, 20), 2, axis=0)
    cosines = step_cosines(path, rewards_at(10)[1], bandit())
    assert np.isnan(cosines[[0, 2, 4]]).all()
    assert stopping_index(cosines, math.radians(10)) == 5


@pytest.mark.parametrize("seed", range(5))
def test_the_projection_is_onto_the_differences_of_occupancies(seed):
    rng = np.random.default_rng(seed)
    table = random_table(rng)
    m = projection(table)
    assert m @ m == pytest.approx(m, abs=1e-9)
    assert np.trace(m) == pytest.approx(5 * (3 - 1))
    first, second = (table.occupancy(rng.dirichlet(np.ones(3), 5)).ravel() for _ in range(2))
    assert m @ (first - second) == pytest.approx(first - second, abs=1e-9)


def test_shaping_and_scale_do_not_change_the_angle():
    rng = np.random.default_rng(0)
    table = random_table(rng)
    hard, easy = rng.normal(size=(2, 5, 3))
    potential = 10 * rng.normal(size=5)
    twin = 4 * easy + 0.8 * potential[table.successors] - potential[:, None]
    angle = projected_angle(hard, easy, table)
    assert projected_angle(hard, twin, table) == pytest.approx(angle, abs=1e-6)
    assert projected_angle(hard, easy + np.eye(5, 3), table) != pytest.approx(angle, abs=1e-2)


def falls_before(path, hard, index):
    """Whether the hard return falls on the way to a policy of the path."""
    returns = np.tensordot(path, hard, axes=2)[: index + 1]
    return bool((np.diff(returns) < -1e-9).any())


def test_the_hard_return_never_falls_before_the_stop():
    """200 random tables; with θ taken for 0 it does fall in many (the control)."""
    rng, fell, turned = np.random.default_rng(0), 0, 0
    for _ in range(200):
        table = random_table(rng)
        easy, noise = rng.normal(size=(2, 5, 3))
        hard = easy + rng.uniform(0.3, 2) * noise
        path = soft_path(table, easy, PRESSURES)
        (stop,) = stops(path, hard, easy, table, errors=(0.0,))
        assert not falls_before(path, hard, stop.index)
        turned += stop.last_hard < stop.best_hard - 1e-3
        fell += falls_before(path, hard, stopping_index(step_cosines(path, easy, table), 0.3))
    assert turned > 40
    assert fell > 20


@pytest.mark.parametrize("path", [soft_path, boltzmann_path])
def test_a_path_rises_to_the_optimum(path):
    rng = np.random.default_rng(1)
    table = random_table(rng)
    easy = rng.normal(size=(5, 3))
    returns = np.tensordot(path(table, easy, PRESSURES), easy, axes=2)
    assert (np.diff(returns) > -1e-9).all()
    values = np.zeros(5)
    for _ in range(300):
        values = (easy + 0.8 * values[table.successors]).max(axis=1)
    assert returns[-1] == pytest.approx(table.start @ values, rel=1e-6)
    uniform = table.occupancy(np.full((5, 3), 1 / 3))
    assert path(table, easy, [0.0])[0] == pytest.approx(uniform)


def test_a_reward_without_choices_has_no_angle():
    with pytest.raises(ValueError, match="no angle"):
        projected_angle(np.ones((1, 3)), rewards_at(0)[1], bandit())


def boat():
    """(table, true reward, visible reward) of boat-race."""
    env = BoatRace(1)
    table = boat_race_table(env, 0.9)
    rewards = env.rules.rewards[table.cells].astype(float)
    return table, rewards[:, :, 0], rewards[:, :, 1]


def maze():
    """(table, pay at the cheese, pay at the corner) of a maze with the cheese elsewhere."""
    env = MazeCorner(1, MazeConfig(size=7))
    seed = int(env.sample_level_seeds(Levels("shifted"), 1, 0)[0])
    table = maze_table(env, seed, 0.9)
    return table, *((table.arrivals == cell).astype(float) for cell in goal_cells(env, seed))


@pytest.mark.parametrize("made", [boat, maze])
@pytest.mark.parametrize("along", [soft_path, boltzmann_path])
def test_boats_and_mazes_are_safe_before_the_stop(made, along):
    table, hard, easy = made()
    path = along(table, easy, PRESSURES)
    low, exact, high = stops(path, hard, easy, table)
    assert 0 < exact.angle < math.pi
    assert not falls_before(path, hard, exact.index)
    assert low.index >= exact.index >= high.index
    assert exact.best_hard >= exact.hard


def test_the_steepest_path_of_a_bandit_by_hand():
    """Rewards 3, 2, 0: along (4, 1, −5)/3 until the third arm is left, then along (1, −1)."""
    path = steepest_path(bandit(), np.array([[3.0, 2, 0]]))[:, 0]
    assert path == pytest.approx(np.array([[1 / 3] * 3, [0.6, 0.4, 0], [1, 0, 0]]), abs=1e-9)


@pytest.mark.parametrize("seed", range(8))
def test_the_steepest_path_is_one_and_ends_at_the_optimum(seed):
    """Inside the polytope, first along M R, cosines falling, best of all paths for its length."""
    rng = np.random.default_rng(seed)
    table = random_table(rng)
    easy = rng.normal(size=(5, 3))
    path = steepest_path(table, easy)
    assert (path >= 0).all()
    flow = path.sum(axis=2) - 0.8 * np.einsum("ksa,sat->kt", path, table.transitions())
    assert flow == pytest.approx(np.tile(table.start, (len(path), 1)), abs=1e-6)
    cosines = step_cosines(path, easy, table)
    assert cosines[0] == pytest.approx(1)
    assert (np.diff(cosines) < 1e-6).all()
    best = np.sum(table.occupancy(optimal_policy(table, easy)) * easy)
    assert np.sum(path[-1] * easy) == pytest.approx(best, rel=1e-6)
    other = soft_path(table, easy, [0.0, 0.05])
    assert cosines[0] > step_cosines(other, easy, table)[0]


def test_the_rule_is_safe_on_steepest_paths_and_stops_later_there():
    rng, later = np.random.default_rng(3), 0
    for _ in range(60):
        table = random_table(rng)
        easy, noise = rng.normal(size=(2, 5, 3))
        hard = easy + rng.uniform(0.3, 2) * noise
        path, soft = steepest_path(table, easy), boltzmann_path(table, easy, [0, *PRESSURES])
        (stop,), (early,) = (stops(p, hard, easy, table, errors=(0.0,)) for p in (path, soft))
        assert not falls_before(path, hard, stop.index)
        later += stop.hard > early.hard + 1e-6
    assert later > 30


def test_a_path_that_is_cut_short_is_refused():
    with pytest.raises(ValueError, match="not reached in 1"):
        steepest_path(bandit(), np.array([[3.0, 2, 0]]), most=1)
