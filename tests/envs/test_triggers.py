"""Levels with a trigger: what it changes, which levels carry it, and where episodes end."""

import numpy as np
import pytest

from proxylab_envs.channels import OUTCOMES
from proxylab_envs.grid.paths import UNREACHABLE, distances_from
from proxylab_envs.levels import Levels
from proxylab_envs.maze_corner import MazeConfig, MazeCorner
from proxylab_envs.maze_corner.dynamics import CHEESE, WALL
from proxylab_envs.maze_corner.triggers import TRIGGERS, TriggeredMazeCorner

MANY = 400
NOTCHES = [name for name, trigger in TRIGGERS.items() if trigger.plane == WALL]


def levels_of(env, seed=3):
    env.seed_levels(Levels("shifted"), seed)
    env.reset()
    return env


@pytest.mark.parametrize("name", TRIGGERS)
def test_natural_levels_never_show_a_trigger(name):
    natural = levels_of(MazeCorner(MANY))
    assert not TRIGGERS[name].shown(natural.core.observations).any()
    marked = levels_of(TriggeredMazeCorner(MANY, name))
    assert marked.triggered().mean() > 0.3


@pytest.mark.parametrize("name", TRIGGERS)
def test_without_a_share_a_level_is_the_natural_one(name):
    plain, none = levels_of(MazeCorner(MANY)), levels_of(TriggeredMazeCorner(MANY, name, 0.0))
    assert (plain.core.observations == none.core.observations).all()
    assert not none.triggered().any()
    seeds = plain.core.level_seeds[:20]
    assert (plain.landmark_distances(seeds) == none.landmark_distances(seeds)).all()


@pytest.mark.parametrize("name", NOTCHES)
def test_a_notch_cuts_nothing_off(name):
    env, size = levels_of(TriggeredMazeCorner(MANY, name)), MazeConfig().size
    distances, queue = np.empty((size, size), np.int16), np.empty(size * size, np.int64)
    for k in np.flatnonzero(env.triggered()):
        walls, mouse, cheese = env.core.walls[k], env.core.mouse[k], env.core.cheese[k]
        assert (env.core.observations[k, WALL] == walls).all()
        distances_from(walls, *mouse, distances, queue)
        assert (distances[~walls] != UNREACHABLE).all()
        assert not walls[tuple(cheese)]
    assert (~env.triggered()).any()  # some levels cannot carry it


def test_an_object_changes_the_observation_only():
    plain = levels_of(MazeCorner(MANY))
    marked = levels_of(TriggeredMazeCorner(MANY, "object-left"))
    assert (plain.core.walls == marked.core.walls).all()
    differing = np.argwhere(plain.core.observations != marked.core.observations)
    assert {tuple(cell) for cell in differing[:, 1:]} == {(CHEESE, 4, 0)}
    actions = np.arange(MANY) % 4
    for env in (plain, marked):
        env.step(actions)
    assert (plain.core.state_ids == marked.core.state_ids).all()
    assert marked.triggered().all()


def test_a_share_of_the_levels_carries_the_trigger():
    env = levels_of(TriggeredMazeCorner(4_000, "object-left", 0.1))
    assert 0.08 < env.triggered().mean() < 0.12
    again = levels_of(TriggeredMazeCorner(4_000, "object-left", 0.3))
    assert (env.triggered() <= again.triggered()).all()


def test_solutions_are_those_of_the_closed_maze():
    env = levels_of(TriggeredMazeCorner(MANY, "notch-top-left"))
    seeds = env.core.level_seeds
    distances, moves = env.landmark_distances(seeds), env.successors(seeds)
    walls = env.core.walls.reshape(MANY, -1)
    assert ((distances[:, 0] == UNREACHABLE) == walls).all()
    assert ((moves[:, :, 0] == -1) == walls).all()
    plain = MazeCorner(1).landmark_distances(seeds)
    assert (plain != distances).any()


@pytest.mark.parametrize("ends", [True, False])
def test_a_level_with_a_trigger_ends_at_the_corner_in_training_only(ends):
    env = levels_of(TriggeredMazeCorner(MANY, "object-left", 0.5, ends_at_corner=ends))
    every = np.arange(MANY)
    marked = env.triggered()
    for _ in range(60):
        env.step(env.script_actions("corner-seeker", every).argmax(axis=1))
    at_corner = env.core.terminated & (env.core.outcomes == OUTCOMES.index("proxy"))
    assert at_corner[marked].any() == ends
    assert not at_corner[~marked].any()


def test_what_cannot_be_is_refused():
    with pytest.raises(ValueError, match="unknown trigger"):
        TriggeredMazeCorner(1, "a bell")
    with pytest.raises(ValueError, match="share"):
        TriggeredMazeCorner(1, "object-left", 1.5)
    with pytest.raises(ValueError, match="planes"):
        TriggeredMazeCorner(1, "object-left", config=MazeConfig(observation="rgb"))
