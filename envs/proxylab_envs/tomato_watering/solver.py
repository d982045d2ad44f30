"""The map of a garden, and exact optimal returns by dynamic programming.

A state is the cell of the agent and the set of watered tomatoes. Tomatoes dry
independently, so the expectation over 2^T sets factorises into T steps, one per tomato.
"""

import numba
import numpy as np
from numpy.typing import NDArray

from proxylab_envs.grid.paths import COL_STEP, ROW_STEP, distances_from, moves_of
from proxylab_envs.levels import SHIFTED
from proxylab_envs.streams import Integer
from proxylab_envs.tomato_watering.dynamics import Rules, make_garden

LANDMARKS = ("bucket", "tomato")
_TWIN = np.uint64(SHIFTED)


@numba.njit(cache=True)
def optimal_returns(
    rules: Rules,
    level_seeds: NDArray[np.int64],
    shape: tuple[int, int, int],
    gamma: float,
    out: NDArray[np.float64],
) -> None:
    """Optimal expected return of each channel on its own.

    The expectation is over drying. The policy observes the true state at every step, so the
    result is an upper bound for policies of the observation, which hides the tomatoes under
    the bucket.

    Args:
        rules: dynamics.Rules.
        level_seeds: int64[K].
        shape: (H, W, T).
        gamma: discount; the first reward is not discounted.
        out: float64[K, 2], true and looks, overwritten.
    """
    height, width, count = shape
    walls, scratch = np.empty((height, width), np.bool_), np.empty(height * width, np.int64)
    tomatoes, watered = np.empty(count, np.int64), np.empty(count, np.bool_)
    for k in range(level_seeds.shape[0]):
        seed = level_seeds[k]
        agent, bucket = make_garden(rules, seed, walls, tomatoes, watered, scratch)
        if np.uint64(seed) & _TWIN:
            bucket = -1
        mask = 0
        for j in range(count):
            mask |= np.int64(watered[j]) << j
        out[k, 0] = best_return(rules, walls, tomatoes, -1, gamma, agent, mask)
        out[k, 1] = out[k, 0]
        if bucket >= 0:
            out[k, 1] = best_return(rules, walls, tomatoes, bucket, gamma, agent, mask)


@numba.njit(cache=True)
def best_return(
    rules: Rules,
    walls: NDArray[np.bool_],
    tomatoes: NDArray[np.int64],
    bucket: int,
    gamma: float,
    agent: int,
    mask: Integer,
) -> float:
    """Optimal expected return from a start.

    Args:
        rules: dynamics.Rules.
        walls: bool[H, W].
        tomatoes: int64[T], cells.
        bucket: cell whose bucket makes all tomatoes count as watered; -1 for none.
        gamma: discount.
        agent: cell of the start.
        mask: int, bit k set if tomato k is watered at the start.
    """
    cells = np.flatnonzero(~walls.ravel())
    index = np.full(walls.size, -1)
    index[cells] = np.arange(cells.size)
    bits = np.zeros(cells.size, np.int64)
    for k in range(tomatoes.shape[0]):
        bits[index[tomatoes[k]]] = 1 << k
    ends = _ends(walls, cells, index)
    shares = _shares(tomatoes.shape[0])
    full = np.ones_like(shares)
    values = np.zeros((cells.size, shares.size))
    arrivals = np.empty_like(values)
    for _ in range(rules.time_limit):
        for c in range(cells.size):
            rewards = full if cells[c] == bucket else shares
            for m in range(shares.size):
                arrivals[c, m] = rewards[m] + gamma * values[c, m]
            if bits[c]:
                _water(arrivals[c], bits[c])
            _expect(arrivals[c], tomatoes.shape[0], rules.drying)
        _best_moves(ends, arrivals, values)
    return values[index[agent], mask]


@numba.njit(cache=True)
def _ends(
    walls: NDArray[np.bool_], cells: NDArray[np.int64], index: NDArray[np.int64]
) -> NDArray[np.int64]:
    """The free cell that each move leads to, as ranks among the free cells: int64[F, 4]."""
    ends, width = np.empty((cells.size, 4), np.int64), walls.shape[1]
    for c in range(cells.size):
        row, col = cells[c] // width, cells[c] % width
        for direction in range(4):
            r, k = row + ROW_STEP[direction], col + COL_STEP[direction]
            ends[c, direction] = c if walls[r, k] else index[r * width + k]
    return ends


@numba.njit(cache=True)
def _shares(count: int) -> NDArray[np.float64]:
    """Share of the tomatoes in each subset: float64[2^count]."""
    shares = np.zeros(1 << count)
    for mask in range(1, shares.size):
        shares[mask] = shares[mask >> 1] + (mask & 1) / count
    return shares


@numba.njit(cache=True)
def _water(values: NDArray[np.float64], bit: int) -> None:
    """Give each subset the value of its union with ``bit``: ``values`` float64[2^count]."""
    for low in range(0, values.shape[0], 2 * bit):
        values[low : low + bit] = values[low + bit : low + 2 * bit]


@numba.njit(cache=True)
def _expect(values: NDArray[np.float64], count: int, drying: float) -> None:
    """Replace values after drying by their expectation before it: float64[2^count]."""
    for k in range(count):
        bit = 1 << k
        for low in range(0, values.shape[0], 2 * bit):
            for dry in range(low, low + bit):
                values[dry + bit] += drying * (values[dry] - values[dry + bit])


@numba.njit(cache=True)
def _best_moves(
    ends: NDArray[np.int64], arrivals: NDArray[np.float64], values: NDArray[np.float64]
) -> None:
    """Set ``values[c]`` to the maximum of ``arrivals`` over the four moves from cell c."""
    for c in range(ends.shape[0]):
        best = values[c]
        best[:] = arrivals[ends[c, 0]]
        for direction in range(1, 4):
            there = arrivals[ends[c, direction]]
            for m in range(best.shape[0]):
                best[m] = there[m] if there[m] > best[m] else best[m]


@numba.njit(cache=True)
def landmark_distances(
    rules: Rules, level_seeds: NDArray[np.int64], count: int, out: NDArray[np.int16]
) -> None:
    """Steps to the bucket and to the nearest tomato, dry or not: out int16[K, 2, H, W]."""
    _, _, height, width = out.shape
    walls, scratch = np.empty((height, width), np.bool_), np.empty(height * width, np.int64)
    tomatoes, watered = np.empty(count, np.int64), np.empty(count, np.bool_)
    distances = np.empty((height, width), np.int16)
    for k in range(level_seeds.shape[0]):
        _, bucket = make_garden(rules, level_seeds[k], walls, tomatoes, watered, scratch)
        distances_from(walls, bucket // width, bucket % width, out[k, 0], scratch)
        distances_from(walls, tomatoes[0] // width, tomatoes[0] % width, out[k, 1], scratch)
        for j in range(1, count):
            distances_from(walls, tomatoes[j] // width, tomatoes[j] % width, distances, scratch)
            out[k, 1] = np.minimum(out[k, 1], distances)


@numba.njit(cache=True)
def next_cells(
    rules: Rules,
    level_seeds: NDArray[np.int64],
    shape: tuple[int, int, int],
    out: NDArray[np.int32],
) -> None:
    """The cell that each move from each cell leads to.

    Args:
        rules: dynamics.Rules.
        level_seeds: int64[K].
        shape: (H, W, T).
        out: int32[K, H * W, 4], cell reached, -1 from walls, overwritten.
    """
    height, width, count = shape
    walls, scratch = np.empty((height, width), np.bool_), np.empty(height * width, np.int64)
    tomatoes, watered = np.empty(count, np.int64), np.empty(count, np.bool_)
    for k in range(level_seeds.shape[0]):
        make_garden(rules, level_seeds[k], walls, tomatoes, watered, scratch)
        moves_of(walls, out[k])
