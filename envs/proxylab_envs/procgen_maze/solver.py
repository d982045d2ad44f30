"""Shortest distances to both goals of a Procgen maze, and its decision square."""

import numba
import numpy as np
from numpy.typing import NDArray

from proxylab_envs.grid.paths import last_shared_cell, moves_of
from proxylab_envs.maze_corner.dynamics import AT_EITHER
from proxylab_envs.maze_corner.solver import solve_maze
from proxylab_envs.procgen_maze.dynamics import Rules, empty_level, make_level, make_scratch


@numba.njit(cache=True)
def goal_distances(
    rules: Rules, level_seeds: NDArray[np.int64], out: NDArray[np.int16], starts: NDArray[np.int64]
) -> None:
    """Steps to both goals from every cell.

    Args:
        rules: dynamics.Rules.
        level_seeds: int64[K].
        out: int16[K, 2, S, S] to the cheese and to the corner, overwritten.
        starts: int64[K, 2], the mouse's row and column, overwritten.
    """
    size = out.shape[2]
    level, scratch = empty_level(size), make_scratch()
    queue = np.empty(size * size, np.int64)
    for k in range(level_seeds.shape[0]):
        make_level(rules, level_seeds[k], level, scratch)
        starts[k] = level.mouse
        ends_at_corner = rules.end_on == AT_EITHER
        solve_maze(level.walls, level.cheese, level.corner, out[k], queue, ends_at_corner)


@numba.njit(cache=True)
def next_cells(rules: Rules, level_seeds: NDArray[np.int64], out: NDArray[np.int32]) -> None:
    """The cell that each move from each cell leads to: out int32[K, S * S, 4], -1 from walls."""
    level, scratch = empty_level(rules.world_dim + 2), make_scratch()
    for k in range(level_seeds.shape[0]):
        make_level(rules, level_seeds[k], level, scratch)
        moves_of(level.walls, out[k])


@numba.njit(cache=True)
def decision_squares(
    distances: NDArray[np.int16], starts: NDArray[np.int64], out: NDArray[np.int64]
) -> None:
    """The last cells that the paths to both goals share.

    Args:
        distances: int16[K, 2, S, S], from :func:`goal_distances`.
        starts: int64[K, 2].
        out: int64[K], row * S + column, or -1 if one goal lies on the path to the
            other, overwritten.
    """
    for k in range(starts.shape[0]):
        row, col = starts[k]
        out[k] = last_shared_cell(distances[k, 0], distances[k, 1], row, col)
