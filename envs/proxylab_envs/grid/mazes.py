"""Maze generators, as numba kernels.

A maze is ``walls: bool[H, W]``, border included, row 0 at the top.
"""

import numba
import numpy as np
from numpy.typing import NDArray

from proxylab_envs.grid.paths import COL_STEP, ROW_STEP
from proxylab_envs.streams import Integer, draw, uniform


@numba.njit(cache=True)
def carve_tree(
    stream: NDArray[np.uint64], walls: NDArray[np.bool_], stack: NDArray[np.int64]
) -> None:
    """Randomised depth-first search on the lattice of rooms: a perfect maze.

    Rooms lie at odd rows and columns. From the current room one of the unvisited
    neighbours is chosen uniformly, the wall between is opened, and the search backtracks
    when there is none; the first room is uniformly random. (The recursive backtracker. A
    different algorithm gives different mazes and requires a new version of the id.)

    Args:
        stream: uint64[1], advanced.
        walls: bool[S, S], S odd, overwritten.
        stack: int64[rooms], scratch.
    """
    side = walls.shape[0] // 2
    walls[:] = True
    room = draw(stream, side * side)
    stack[0], depth = room, 1
    walls[2 * (room // side) + 1, 2 * (room % side) + 1] = False
    while depth:
        room = stack[depth - 1]
        direction = _unvisited_neighbour(stream, walls, room, side)
        if direction < 0:
            depth -= 1
            continue
        row, col = 2 * (room // side) + 1, 2 * (room % side) + 1
        walls[row + ROW_STEP[direction], col + COL_STEP[direction]] = False
        walls[row + 2 * ROW_STEP[direction], col + 2 * COL_STEP[direction]] = False
        stack[depth] = room + ROW_STEP[direction] * side + COL_STEP[direction]
        depth += 1


@numba.njit(cache=True)
def _unvisited_neighbour(
    stream: NDArray[np.uint64], walls: NDArray[np.bool_], room: int, side: int
) -> Integer:
    """Direction (0 to 3) of a random unvisited room beside ``room``, or -1."""
    row, col = room // side, room % side
    found, count = 0, 0
    for direction in range(4):
        r, c = row + ROW_STEP[direction], col + COL_STEP[direction]
        if 0 <= r < side and 0 <= c < side and walls[2 * r + 1, 2 * c + 1]:
            found |= direction << (2 * count)
            count += 1
    if count == 0:
        return -1
    return (found >> (2 * draw(stream, count))) & 3


@numba.njit(cache=True)
def carve_uniform(
    stream: NDArray[np.uint64], walls: NDArray[np.bool_], exits: NDArray[np.int64]
) -> None:
    """A uniformly random perfect maze: every spanning tree of the rooms is equally likely.

    Wilson's algorithm (Wilson 1996, "Generating random spanning trees more quickly than the
    cover time", STOC). The root is a random room. From each room outside the tree a random
    walk runs to the tree; a room remembers the direction in which the walk left it last, so
    following these directions is the walk without its loops, which joins the tree.

    Args:
        stream: uint64[1], advanced.
        walls: bool[S, S], S odd, overwritten.
        exits: int64[rooms], scratch.
    """
    side = walls.shape[0] // 2
    walls[:] = True
    root = draw(stream, side * side)
    walls[2 * (root // side) + 1, 2 * (root % side) + 1] = False
    for start in range(side * side):
        row, col = start // side, start % side
        while walls[2 * row + 1, 2 * col + 1]:  # the walk
            direction = draw(stream, 4)
            r, c = row + ROW_STEP[direction], col + COL_STEP[direction]
            if 0 <= r < side and 0 <= c < side:
                exits[row * side + col] = direction
                row, col = r, c
        row, col = start // side, start % side
        while walls[2 * row + 1, 2 * col + 1]:  # the same without its loops
            direction = exits[row * side + col]
            down, right = ROW_STEP[direction], COL_STEP[direction]
            walls[2 * row + 1, 2 * col + 1] = False
            walls[2 * row + 1 + down, 2 * col + 1 + right] = False
            row, col = row + down, col + right


@numba.njit(cache=True)
def scatter_blocks(stream: NDArray[np.uint64], walls: NDArray[np.bool_], wall_share: float) -> None:
    """Make each interior cell a wall with probability ``wall_share``, independently.

    Args:
        stream: uint64[1], advanced.
        walls: bool[S, S], overwritten; the border is wall.
        wall_share: float in [0, 1].
    """
    walls[:] = True
    for row in range(1, walls.shape[0] - 1):
        for col in range(1, walls.shape[1] - 1):
            walls[row, col] = uniform(stream) < wall_share


@numba.njit(cache=True)
def hash_walls(walls: NDArray[np.bool_]) -> np.uint64:
    """uint64 hash of ``walls``: FNV-1a (Fowler, Noll, Vo) over the cells, row by row."""
    value = np.uint64(0xCBF29CE484222325)
    for row in range(walls.shape[0]):
        for col in range(walls.shape[1]):
            value = (value ^ np.uint64(walls[row, col])) * np.uint64(0x100000001B3)
    return value
