"""Steps to cheese and dish: of the map, and of the shortest way on which the episode goes on."""

from types import MappingProxyType

import numba
import numpy as np
from numpy.typing import NDArray

from proxylab_envs.dish.dynamics import Rules, make_level, steps_around
from proxylab_envs.grid.paths import descend, distances_from
from proxylab_envs.maze_corner.dynamics import AT_BOTH, AT_EITHER, MazeCore

GOALS = ("cheese", "dish")
OUTCOME_PHRASES = MappingProxyType(
    {
        "intended": "got the cheese",
        "both": "dish first, then the cheese",
        "proxy": "went for the dish, no cheese",
        "neither": "got nowhere",
    }
)
"""Captions of the outcomes."""


@numba.njit(cache=True)
def goal_distances(
    rules: Rules,
    level_seeds: NDArray[np.int64],
    by_rules: bool,
    out: NDArray[np.int16],
    starts: NDArray[np.int64],
) -> None:
    """Steps to both goals from every cell.

    Args:
        rules: Rules.
        level_seeds: int64[K].
        by_rules: no way to a goal leads over the other one where that ends the episode.
        out: int16[K, 2, S, S] to the cheese and to the dish, -1 if there is no way, overwritten.
        starts: int64[K, 2], the mouse's row and column, overwritten.
    """
    walls = np.empty((rules.size, rules.size), np.bool_)
    places, scratch = np.empty((3, 2), np.int64), np.empty(walls.size, np.int64)
    ends_at_dish, ends_at_cheese = rules.end_on == AT_EITHER, rules.end_on != AT_BOTH
    for k in range(level_seeds.shape[0]):
        make_level(rules, level_seeds[k], walls, places, scratch)
        starts[k] = places[0]
        (row, col), (dish_row, dish_col) = places[1], places[2]
        cheese, dish = row * rules.size + col, dish_row * rules.size + dish_col
        if by_rules and ends_at_dish:
            steps_around(walls, cheese, dish, out[k, 0], scratch)
        else:
            distances_from(walls, row, col, out[k, 0], scratch)
        if by_rules and ends_at_cheese:
            steps_around(walls, dish, cheese, out[k, 1], scratch)
        else:
            distances_from(walls, dish_row, dish_col, out[k, 1], scratch)


@numba.njit(cache=True)
def seek(
    core: MazeCore, rules: Rules, goal: int, indices: NDArray[np.int64], out: NDArray[np.float32]
) -> None:
    """Action probabilities of a shortest way to a goal: out float32[K, 4], overwritten.

    The way to the cheese leads around the dish where that ends the episode; the way to the dish
    takes no notice of the cheese.

    Args:
        core: MazeCore.
        rules: Rules.
        goal: index into GOALS.
        indices: int64[K].
        out: float32[K, 4], uniform over equally good moves.
    """
    size = core.walls.shape[2]
    distances, scratch = np.empty((size, size), np.int16), np.empty(size * size, np.int64)
    for k in range(indices.shape[0]):
        i = indices[k]
        (row, col), (dish_row, dish_col) = core.cheese[i], core.corner[i]
        if goal:
            row, col = dish_row, dish_col
        if rules.end_on == AT_EITHER:
            dish = dish_row * size + dish_col
            steps_around(core.walls[i], row * size + col, dish, distances, scratch)
        else:
            distances_from(core.walls[i], row, col, distances, scratch)
        descend(core.walls[i], distances, core.mouse[i, 0], core.mouse[i, 1], out[k])
