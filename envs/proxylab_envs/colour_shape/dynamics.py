"""Numba kernels of colour-shape: the image that the agent sees, and the nearest object.

Levels are those of dish, steps and rewards those of maze-corner: the gem takes the place of the
cheese, the yellow object that of the dish (field ``corner`` of the core).
"""

import numba
import numpy as np
from numpy.typing import NDArray

from proxylab_envs.dish import dynamics as dish
from proxylab_envs.dish.dynamics import Rules, steps_around
from proxylab_envs.grid.paths import descend
from proxylab_envs.maze_corner import dynamics as maze
from proxylab_envs.maze_corner.dynamics import MazeCore

PIXELS = 3
"""Side of a cell of the observation, in pixels."""
GEM_SHAPE = np.array([[0, 1, 0], [1, 1, 1], [0, 1, 0]], np.bool_)
STAR_SHAPE = np.array([[1, 0, 1], [0, 1, 0], [1, 0, 1]], np.bool_)
"""Sprites of equal area."""
YELLOW = np.array([255, 255, 0], np.uint8)
RED = np.array([255, 0, 0], np.uint8)
WALL = np.array([96, 96, 96], np.uint8)
MOUSE = np.array([64, 128, 255], np.uint8)
"""Colours, (red, green, blue); the floor is black."""
GEM, OF_COLOUR, NEAREST = range(3)
"""Goals of :func:`seek`."""


def make_core(planes: MazeCore) -> MazeCore:
    """A core that shares its arrays with ``planes``, with images uint8[N, 3, 3 * S, 3 * S].

    Args:
        planes: core of dish, whose observations serve as scratch.
    """
    num_envs, size = planes.walls.shape[:2]
    images = np.zeros((num_envs, 3, PIXELS * size, PIXELS * size), np.uint8)
    return planes._replace(observations=images)


@numba.njit(cache=True)
def _draw_cell(core: MazeCore, i: int, row: int, col: int) -> None:
    """Draw one cell of environment ``i``: wall or floor, an object, the mouse over it."""
    on_gem = core.cheese[i, 0] == row and core.cheese[i, 1] == col
    on_yellow = core.corner[i, 0] == row and core.corner[i, 1] == col
    on_mouse = core.mouse[i, 0] == row and core.mouse[i, 1] == col
    for y in range(PIXELS):
        for x in range(PIXELS):
            shape = GEM_SHAPE[y, x] if on_gem else STAR_SHAPE[y, x]
            for k in range(3):
                value = WALL[k] if core.walls[i, row, col] else np.uint8(0)
                if (on_gem or on_yellow) and shape:
                    value = YELLOW[k] if on_yellow else RED[k]
                if on_mouse:
                    value = MOUSE[k]
                core.observations[i, k, row * PIXELS + y, col * PIXELS + x] = value


@numba.njit(cache=True)
def draw_levels(core: MazeCore, indices: NDArray[np.int64]) -> None:
    """Draw the images of the environments ``indices`` (int64[K])."""
    size = core.walls.shape[1]
    for i in indices:
        for cell in range(size * size):
            _draw_cell(core, i, cell // size, cell % size)


@numba.njit(cache=True)
def start_levels(
    core: MazeCore,
    planes: MazeCore,
    rules: Rules,
    level_seeds: NDArray[np.int64],
    indices: NDArray[np.int64],
) -> None:
    """Start ``level_seeds[k]`` in environment ``indices[k]``; ``planes`` shares the core's arrays.

    On a shifted twin the yellow object is a star where the gem was, and the gem lies elsewhere.
    """
    dish.start_levels(planes, rules, level_seeds, indices)
    draw_levels(core, indices)


@numba.njit(cache=True)
def step(
    core: MazeCore,
    planes: MazeCore,
    rules: Rules,
    actions: NDArray[np.int64],
    active: NDArray[np.bool_],
) -> None:
    """One step of every active environment that is not done; two cells of its image change."""
    before = core.mouse.copy()
    maze.step(planes, rules, actions, active)
    for i in range(before.shape[0]):
        _draw_cell(core, i, before[i, 0], before[i, 1])
        _draw_cell(core, i, core.mouse[i, 0], core.mouse[i, 1])


@numba.njit(cache=True)
def seek(core: MazeCore, goal: int, indices: NDArray[np.int64], out: NDArray[np.float32]) -> None:
    """A shortest way to an object that does not lead over the other one.

    Args:
        core: MazeCore.
        goal: ``GEM``, ``OF_COLOUR``, or ``NEAREST`` of the two; the moves to either are averaged
            where both are equally far.
        indices: int64[K].
        out: float32[K, 4], overwritten; uniform where there is no such way.
    """
    size = core.walls.shape[2]
    distances, scratch = np.empty((2, size, size), np.int16), np.empty(size * size, np.int64)
    ways, steps = np.empty((2, 4), np.float32), np.empty(2, np.int16)
    for k in range(indices.shape[0]):
        i = indices[k]
        row, col = core.mouse[i]
        gem = core.cheese[i, 0] * size + core.cheese[i, 1]
        yellow = core.corner[i, 0] * size + core.corner[i, 1]
        steps_around(core.walls[i], gem, yellow, distances[GEM], scratch)
        steps_around(core.walls[i], yellow, gem, distances[OF_COLOUR], scratch)
        for each in range(2):
            descend(core.walls[i], distances[each], row, col, ways[each])
            steps[each] = distances[each, row, col]
        chosen = goal
        if goal == NEAREST:
            farther = steps[GEM] < 0 or 0 <= steps[OF_COLOUR] < steps[GEM]
            chosen = OF_COLOUR if farther else GEM
        out[k] = ways[chosen]
        if goal == NEAREST and steps[GEM] == steps[OF_COLOUR]:
            out[k] = (ways[GEM] + ways[OF_COLOUR]) / np.float32(2)
