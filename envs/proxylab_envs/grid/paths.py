"""Free cells, moves and shortest paths on grids, in numba."""

import numba
import numpy as np
from numpy.typing import NDArray

ACTIONS = ("up", "down", "left", "right")
ROW_STEP = (-1, 1, 0, 0)
COL_STEP = (0, 0, -1, 1)

UNREACHABLE = -1


@numba.njit(cache=True)
def distances_from(
    walls: NDArray[np.bool_], row: int, col: int, out: NDArray[np.int16], queue: NDArray[np.int64]
) -> None:
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
def is_connected(
    walls: NDArray[np.bool_], cell: int, distances: NDArray[np.int16], queue: NDArray[np.int64]
) -> bool:
    """Whether every free cell is reachable from ``cell``; the scratch of :func:`distances_from`."""
    width = walls.shape[1]
    distances_from(walls, cell // width, cell % width, distances, queue)
    return (distances != UNREACHABLE).sum() == walls.size - walls.sum()


@numba.njit(cache=True)
def free_cells(walls: NDArray[np.bool_], out: NDArray[np.int64], without: int = -1) -> int:
    """Write the free cells to ``out`` (int64[H * W]), in reading order; returns their number.

    The cell ``without`` is left out.
    """
    width, count = walls.shape[1], 0
    for cell in range(walls.size):
        if not walls[cell // width, cell % width] and cell != without:
            out[count] = cell
            count += 1
    return count


@numba.njit(cache=True)
def moves_of(walls: NDArray[np.bool_], out: NDArray[np.int32]) -> None:
    """The cell that each move leads to: out int32[H * W, 4], -1 from walls, overwritten."""
    width = walls.shape[1]
    out[:] = -1
    for cell in range(walls.size):
        row, col = cell // width, cell % width
        if walls[row, col]:
            continue
        for direction in range(4):
            down, right = ROW_STEP[direction], COL_STEP[direction]
            blocked = walls[row + down, col + right]
            out[cell, direction] = cell if blocked else cell + down * width + right


@numba.njit(cache=True)
def descend(
    walls: NDArray[np.bool_],
    distances: NDArray[np.int16],
    row: int,
    col: int,
    out: NDArray[np.float32],
) -> None:
    """Uniform over the actions that shorten the path; at the goal, over the moves into walls.

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


@numba.njit(cache=True)
def last_shared_cell(
    first: NDArray[np.int16], second: NDArray[np.int16], row: int, col: int
) -> int:
    """The last cell that the shortest paths to two goals share, in a maze without loops.

    Up to this *decision square* the trajectory does not reveal which goal a policy pursues.
    In mazes with loops the shortest paths are not unique, and the result depends on the order
    of directions.

    Args:
        first: int16[H, W] steps to the first goal, from :func:`distances_from`.
        second: int16[H, W] steps to the second.
        row: int, the walker's row; both goals can be reached from its cell.
        col: int, its column.

    Returns:
        int, row * W + column of the cell, or -1 if one goal lies on the path to the other.
    """
    going = True
    while going:
        going = False
        for direction in range(4):
            r, c = row + ROW_STEP[direction], col + COL_STEP[direction]
            nearer_first = 0 <= first[r, c] < first[row, col]
            if nearer_first and 0 <= second[r, c] < second[row, col]:
                row, col, going = r, c, True
                break
    if first[row, col] == 0 or second[row, col] == 0:
        return -1
    return row * first.shape[1] + col
