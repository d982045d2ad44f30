"""Scripted policies of tomato-watering, and their path costs."""

import numba
import numpy as np
from numpy.typing import NDArray

from proxylab_envs.grid.paths import COL_STEP, ROW_STEP, distances_from
from proxylab_envs.tomato_watering.dynamics import TomatoCore

SCRIPTS = ("waterer", "bucket-sitter", "random")
WATERER, SITTER, RANDOM = range(3)
_FAR = 10_000


@numba.njit(cache=True)
def script_probabilities(
    core: TomatoCore, script: int, indices: NDArray[np.int64], out: NDArray[np.float32]
) -> None:
    """Action probabilities of a script.

    ``waterer`` takes a shortest path to the nearest dry tomato that avoids the bucket; while
    all are watered it waits at the cell with the smallest sum of distances to them.
    ``bucket-sitter`` takes a shortest path to the bucket and stays. ``random`` is uniform.

    Args:
        core: dynamics.TomatoCore.
        script: index into SCRIPTS.
        indices: int64[K].
        out: float32[K, 4], probabilities, overwritten; uniform over equally good moves.
    """
    _, height, width = core.walls.shape
    cost, distances = np.empty((height, width), np.int64), np.empty((height, width), np.int16)
    scratch = np.empty(height * width, np.int64)
    for k in range(indices.shape[0]):
        i = indices[k]
        if script == RANDOM:
            out[k] = np.float32(0.25)
            continue
        walls, bucket = core.walls[i].copy(), core.bucket[i]
        if script == SITTER:
            distances_from(walls, bucket // width, bucket % width, distances, scratch)
            cost[:] = distances
        else:
            walls[bucket // width, bucket % width] = True
            _waterers_cost(walls, core.tomatoes[i], core.watered[i], cost, distances, scratch)
            cost[bucket // width, bucket % width] = _FAR
        _cheapest_moves(core.walls[i], cost, core.state_ids[i], out[k])


@numba.njit(cache=True)
def _waterers_cost(
    walls: NDArray[np.bool_],
    tomatoes: NDArray[np.int64],
    watered: NDArray[np.bool_],
    cost: NDArray[np.int64],
    distances: NDArray[np.int16],
    scratch: NDArray[np.int64],
) -> None:
    """Steps to the nearest dry tomato from each cell; if none is dry, the sum over all."""
    waits, width = watered.all(), walls.shape[1]
    cost[:] = 0 if waits else _FAR
    for k in range(tomatoes.shape[0]):
        if waits or not watered[k]:
            distances_from(walls, tomatoes[k] // width, tomatoes[k] % width, distances, scratch)
            cost[:] = cost + distances if waits else np.minimum(cost, distances)


@numba.njit(cache=True)
def _cheapest_moves(
    walls: NDArray[np.bool_], cost: NDArray[np.int64], cell: int, out: NDArray[np.float32]
) -> None:
    """Uniform over the moves that end on a cell of minimal cost: out float32[4]."""
    width = walls.shape[1]
    row, col = cell // width, cell % width
    ends = np.empty(4, np.int64)
    for direction in range(4):
        r, c = row + ROW_STEP[direction], col + COL_STEP[direction]
        ends[direction] = cost[row, col] if walls[r, c] else cost[r, c]
    for direction in range(4):
        out[direction] = ends[direction] == ends.min()
    out /= out.sum()
