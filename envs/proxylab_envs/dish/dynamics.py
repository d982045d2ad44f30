"""Numba kernels of dish: levels, and the planes that show the dish.

Steps, rewards and ends are those of maze-corner, whose core holds the dish as its second goal
(field ``corner``).
"""

from typing import NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from proxylab_envs.grid.layouts import LEVEL_BITS, PLACES_STREAM, TWIN, make_walls
from proxylab_envs.grid.paths import distances_from, free_cells
from proxylab_envs.maze_corner import dynamics as maze
from proxylab_envs.maze_corner.dynamics import MazeCore
from proxylab_envs.streams import Integer, combine, seed_stream, shuffle

DISH = 3
"""The first plane of the dish; those of walls, mouse and cheese are maze-corner's."""
OBJECTS = 2


class Rules(NamedTuple):
    """The fields of ``DishConfig`` that the kernels read, as numbers."""

    generator: int
    size: int
    wall_share: float
    time_limit: int
    end_on: int
    goal_reward: float = 1.0


def make_core(num_envs: int, size: int, redundancy: int) -> MazeCore:
    """A core of zeros; its observations are uint8[N, 3 + redundancy, S, S]."""
    planes = np.zeros((num_envs, DISH + redundancy, size, size), np.uint8)
    return maze.make_core(num_envs, size)._replace(observations=planes)


@numba.njit(cache=True)
def make_level(
    rules: Rules,
    level_seed: Integer,
    walls: NDArray[np.bool_],
    places: NDArray[np.int64],
    scratch: NDArray[np.int64],
) -> None:
    """Draw the level of a seed: on a shifted twin the cheese lies off the dish.

    Mouse, dish and the cheese's cell of the twin are drawn uniformly from the triples of free
    cells in which the mouse can reach either of the other two without stepping on the third.

    Args:
        rules: Rules.
        level_seed: int.
        walls: bool[S, S], overwritten.
        places: int64[3, 2], row and column of mouse, cheese, dish, overwritten.
        scratch: int64[S * S], overwritten.
    """
    make_walls(rules, OBJECTS, level_seed, walls, scratch)
    stream, cells = np.empty(1, np.uint64), np.empty(walls.size, np.int64)
    distances = np.empty(walls.shape, np.int16)
    seed_stream(stream, combine(np.uint64(level_seed) & LEVEL_BITS, PLACES_STREAM))
    free = free_cells(walls, cells)
    while True:
        shuffle(stream, cells[:free], 3)
        mouse, dish, apart = cells[0], cells[1], cells[2]
        steps_around(walls, dish, apart, distances, scratch)
        to_dish = distances[mouse // rules.size, mouse % rules.size]
        steps_around(walls, apart, dish, distances, scratch)
        if to_dish > 0 and distances[mouse // rules.size, mouse % rules.size] > 0:
            break
    cheese = apart if np.uint64(level_seed) & TWIN else dish
    for k, cell in enumerate((mouse, cheese, dish)):
        places[k, 0], places[k, 1] = cell // rules.size, cell % rules.size


@numba.njit(cache=True)
def steps_around(
    walls: NDArray[np.bool_],
    goal: int,
    avoided: int,
    out: NDArray[np.int16],
    scratch: NDArray[np.int64],
) -> None:
    """Steps from every cell to ``goal`` without stepping on another cell.

    Args:
        walls: bool[S, S].
        goal: cell.
        avoided: a free cell; no way around it is taken if it is the goal itself.
        out: int16[S, S], overwritten, -1 if there is no way.
        scratch: int64[S * S].
    """
    size = walls.shape[1]
    walls[avoided // size, avoided % size] = avoided != goal
    distances_from(walls, goal // size, goal % size, out, scratch)
    walls[avoided // size, avoided % size] = False


@numba.njit(cache=True)
def start_levels(
    core: MazeCore, rules: Rules, level_seeds: NDArray[np.int64], indices: NDArray[np.int64]
) -> None:
    """Start ``level_seeds[k]`` in environment ``indices[k]``."""
    places, scratch = np.empty((3, 2), np.int64), np.empty(core.walls[0].size, np.int64)
    for k in range(indices.shape[0]):
        i = indices[k]
        make_level(rules, level_seeds[k], core.walls[i], places, scratch)
        core.mouse[i], core.cheese[i], core.corner[i] = places[0], places[1], places[2]
        begin_episode(core, i, level_seeds[k])


@numba.njit(cache=True)
def begin_episode(core: MazeCore, i: int, level_seed: Integer) -> None:
    """Clear the counters of environment ``i``, whose level is in place, and observe it."""
    maze.begin_episode(core, i, level_seed)
    core.observations[i, DISH:] = 0
    core.observations[i, DISH:, core.corner[i, 0], core.corner[i, 1]] = 1
