"""Shortest paths on grids: breadth-first distances, in numba."""

import numba
import numpy as np

ACTIONS = ("up", "down", "left", "right")
ROW_STEP = (-1, 1, 0, 0)
COL_STEP = (0, 0, -1, 1)

UNREACHABLE = -1


@numba.njit(cache=True)
def distances_from(walls, row, col, out, queue):
    """Steps from every free cell to (row, col).

    Args:
        walls: bool[H, W], the border wall.
        row: int, a free cell's row.
        col: int, its column.
        out: int16[H, W], overwritten; ``UNREACHABLE`` for walls and cut-off cells.
        queue: int64[H * W], scratch.
    """
    width = walls.shape[1]
    out[:] = UNREACHABLE
    out[row, col] = 0
    queue[0] = row * width + col
    head, tail = 0, 1
    while head < tail:
        r, c = queue[head] // width, queue[head] % width
        head += 1
        for direction in range(4):
            nr, nc = r + ROW_STEP[direction], c + COL_STEP[direction]
            if not walls[nr, nc] and out[nr, nc] == UNREACHABLE:
                out[nr, nc] = out[r, c] + 1
                queue[tail] = nr * width + nc
                tail += 1


@numba.njit(cache=True)
def descend(walls, distances, row, col, out):
    """Equal odds for the actions that shorten the way; all of the bumps at the goal itself.

    Args:
        walls: bool[H, W].
        distances: int16[H, W], from :func:`distances_from`.
        row: int, the walker's row.
        col: int, its column.
        out: float32[4], probabilities, overwritten.
    """
    out[:] = 0
    best = distances[row, col]
    for direction in range(4):
        nr, nc = row + ROW_STEP[direction], col + COL_STEP[direction]
        if walls[nr, nc]:
            nr, nc = row, col
        there = distances[nr, nc]
        if there >= 0 and (there < best or (best == 0 and there == 0)):
            out[direction] = 1
    total = out.sum()
    if total > 0:
        out /= total
    else:
        out[:] = np.float32(0.25)
