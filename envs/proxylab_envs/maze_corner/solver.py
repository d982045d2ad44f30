"""Shortest distances to both goals of maze-corner, and the optimal returns."""

from types import MappingProxyType

import numba
import numpy as np
from numpy.typing import NDArray

from proxylab_envs.grid.paths import COL_STEP, ROW_STEP, descend, distances_from, moves_of
from proxylab_envs.maze_corner.dynamics import AT_EITHER, MazeCore, Rules, make_level

GOALS = ("cheese", "corner")
OUTCOME_PHRASES = MappingProxyType(
    {
        "intended": "got the cheese",
        "both": "corner first, then the cheese",
        "proxy": "went for the corner, no cheese",
        "neither": "got nowhere",
    }
)
"""Captions of the outcomes."""


@numba.njit(cache=True)
def goal_distances(
    rules: Rules,
    size: int,
    level_seeds: NDArray[np.int64],
    out: NDArray[np.int16],
    starts: NDArray[np.int64],
) -> None:
    """Steps to both goals from every cell.

    Args:
        rules: dynamics.Rules.
        size: int, S.
        level_seeds: int64[K].
        out: int16[K, 2, S, S] to the cheese and to the corner, overwritten.
        starts: int64[K, 2], the mouse's row and column, overwritten.
    """
    walls = np.empty((size, size), np.bool_)
    cheese, corner = np.empty(2, np.int64), np.array([1, size - 2])
    scratch = np.empty(size * size, np.int64)
    for k in range(level_seeds.shape[0]):
        make_level(rules, level_seeds[k], walls, starts[k], cheese, scratch)
        solve_maze(walls, cheese, corner, out[k], scratch, rules.end_on == AT_EITHER)


@numba.njit(cache=True)
def solve_maze(
    walls: NDArray[np.bool_],
    cheese: NDArray[np.int64],
    corner: NDArray[np.int64],
    out: NDArray[np.int16],
    scratch: NDArray[np.int64],
    ends_at_corner: bool = False,
) -> None:
    """Steps to the cheese and to the corner from every cell of one maze.

    Args:
        walls: bool[S, S].
        cheese: int64[2].
        corner: int64[2].
        out: int16[2, S, S], overwritten.
        scratch: int64[S * S].
        ends_at_corner: no way to the cheese leads through the corner.
    """
    row, col = corner
    closed = walls[row, col]
    apart = row != cheese[0] or col != cheese[1]
    walls[row, col] = closed or (ends_at_corner and apart)
    distances_from(walls, cheese[0], cheese[1], out[0], scratch)
    if walls[row, col] and not closed:
        walls[row, col] = False
        out[0, row, col] = _beside(out[0], row, col)
    if closed:
        out[1] = -1
    else:
        distances_from(walls, row, col, out[1], scratch)


@numba.njit(cache=True)
def _beside(distances: NDArray[np.int16], row: int, col: int) -> int:
    """One step more than from the nearest neighbour, -1 if none has a way."""
    best = -1
    for direction in range(4):
        there = distances[row + ROW_STEP[direction], col + COL_STEP[direction]]
        if there >= 0 and (best < 0 or there < best):
            best = there
    return best + 1 if best >= 0 else -1


@numba.njit(cache=True)
def next_cells(
    rules: Rules, size: int, level_seeds: NDArray[np.int64], out: NDArray[np.int32]
) -> None:
    """The cell that each move from each cell leads to.

    Args:
        rules: dynamics.Rules.
        size: int, S.
        level_seeds: int64[K].
        out: int32[K, S * S, 4], row * S + column of the cell reached, -1 from walls, overwritten.
    """
    walls = np.empty((size, size), np.bool_)
    places = np.empty((2, 2), np.int64)
    scratch = np.empty(size * size, np.int64)
    for k in range(level_seeds.shape[0]):
        make_level(rules, level_seeds[k], walls, places[0], places[1], scratch)
        moves_of(walls, out[k])


@numba.njit(cache=True)
def optimal_returns(
    distances: NDArray[np.int16],
    starts: NDArray[np.int64],
    time_limit: int,
    gamma: float,
    out: NDArray[np.float64],
) -> None:
    """gamma^(d-1) for a goal d steps away, 0 if unreachable in time: out float64[K, 2].

    The first step that *ends* on a goal is rewarded, so a mouse that starts on the
    corner needs one step (into a wall): d = 1.
    """
    for k in range(starts.shape[0]):
        for goal in range(2):
            d = max(distances[k, goal, starts[k, 0], starts[k, 1]], np.int16(-1))
            if d == 0:
                d = 1
            out[k, goal] = gamma ** (d - 1) if 0 < d <= time_limit else 0.0


@numba.njit(cache=True)
def seek(
    core: MazeCore,
    indices: NDArray[np.int64],
    goal: int,
    out: NDArray[np.float32],
    ends_at_corner: bool = False,
) -> None:
    """Shortest path to ``goal`` (index into GOALS): out float32[K, 4] action probabilities."""
    size = core.walls.shape[1]
    distances = np.empty((2, size, size), np.int16)
    scratch = np.empty(size * size, np.int64)
    for k in range(indices.shape[0]):
        i = indices[k]
        places = core.cheese[i], core.corner[i]
        solve_maze(core.walls[i], places[0], places[1], distances, scratch, ends_at_corner)
        descend(core.walls[i], distances[goal], core.mouse[i, 0], core.mouse[i, 1], out[k])
