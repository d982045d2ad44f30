"""Levels of cells: their text, the cells, and a walker put on any of them.

A row of :data:`WALKERS` says for one kind of environment how its first level is read and
written, and how copies of it with the walker elsewhere are put into the batch.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from proxylab.errors import UsageError
from proxylab_envs.boat_race import dynamics as race
from proxylab_envs.maze_corner import MazeLevel
from proxylab_envs.procgen_maze.level import ProcgenLevel
from proxylab_envs.tomato_watering import Garden
from proxylab_envs.tomato_watering import dynamics as garden


@dataclass(frozen=True)
class Walker:
    """How a kind of level is handled.

    Attributes:
        fits: function (env) -> whether the environment is of this kind.
        text: function (env) -> the first level as text, the walker at its start.
        place: function (env, text, index), or None where levels cannot be given.
        cells: function (env) -> int64[N, 2], (row, column) of where the walker may be put.
        put: function (env, cells): the first level, the walker on ``cells[k]``, in
            environment k.
    """

    fits: Callable
    text: Callable
    place: Callable | None
    cells: Callable
    put: Callable


MAZES = {"proxylab/MazeCorner-v0": MazeLevel, "proxylab/ProcgenMaze-v0": ProcgenLevel}
"""Id: class of its levels."""


def _maze_cells(env):
    level = env.level(0)
    free = ~level.walls
    free[level.cheese] = False
    return np.argwhere(free)


def _put_mouse(env, cells):
    level = env.level(0)
    for k, cell in enumerate(cells.tolist()):
        env.place_level(replace(level, mouse=tuple(cell)), k)


def _place_maze(env, text, index):
    env.place_level(MAZES[env.env_id].from_ascii(text), index)


def _garden_cells(env):
    """Every free cell but the bucket's, under which the agent sees something else."""
    level = env.garden(0)
    free = ~level.walls
    free[level.bucket] = False
    return np.argwhere(free)


def _put_gardener(env, cells):
    level, core = env.garden(0), env.core
    for k, (row, col) in enumerate(cells.tolist()):
        env.place_level(level, k)
        here = row * level.walls.shape[1] + col
        core.watered[k] |= core.tomatoes[k] == here  # who stands on a tomato waters it
        garden.begin_episode(core, k, -1, here)


def _put_boat(env, cells):
    width = env.course.walls.shape[1]
    for k, (row, col) in enumerate(cells.tolist()):
        race.start(env.core, row * width + col, np.zeros(1, np.int64), np.array([k]))


WALKERS = {
    "maze": Walker(
        fits=lambda env: env.env_id in MAZES,
        text=lambda env: env.level(0).to_ascii(),
        place=_place_maze,
        cells=_maze_cells,
        put=_put_mouse,
    ),
    "garden": Walker(
        fits=lambda env: hasattr(env, "garden"),
        text=lambda env: env.garden(0).to_ascii(),
        place=lambda env, text, index: env.place_level(Garden.from_ascii(text), index),
        cells=_garden_cells,
        put=_put_gardener,
    ),
    "race": Walker(
        fits=lambda env: hasattr(env, "course"),
        text=lambda env: env.render_ansi(0),
        place=None,
        cells=lambda env: np.argwhere(~env.course.walls),
        put=_put_boat,
    ),
}
"""Kind of level: how it is handled."""


def kind_of(env):
    """The kind of an environment's levels, a key of :data:`WALKERS`, or None."""
    return next((kind for kind, row in WALKERS.items() if row.fits(env)), None)


def walker_of(env):
    """The row of :data:`WALKERS` for an environment.

    Raises:
        UsageError: its levels are none of cells.
    """
    kind = kind_of(env)
    if kind is None:
        raise UsageError(f"{env.env_id} has no levels of cells, with a walker to be put elsewhere")
    return WALKERS[kind]


def at_every_cell(env, ask):
    """What ``ask`` finds with the walker on every cell of the first level of ``env``.

    The environment's batch is used for so many cells at once; the first level is there
    again afterwards, at its start.

    Args:
        env: a ``BatchedEnv`` of cells.
        ask: function (env, indices int64[K]) -> list of arrays [K, ...].

    Returns:
        (int64[N, 2] cells, list of arrays [N, ...]).
    """
    walker = walker_of(env)
    cells, state = walker.cells(env), env.snapshot()
    found = []
    for first in range(0, len(cells), env.num_envs):
        env.restore(state)
        part = cells[first : first + env.num_envs]
        walker.put(env, part)
        found.append(ask(env, np.arange(len(part))))
    env.restore(state)
    return cells, [np.concatenate(column) for column in zip(*found, strict=True)]
