"""Maze generators: a level seed in, walls out. Pure numba kernels.

A maze is ``walls: bool[H, W]``, border included, row 0 at the top.
"""

import numba
import numpy as np

from proxylab_envs.grid.paths import COL_STEP, ROW_STEP
from proxylab_envs.streams import draw, uniform


@numba.njit(cache=True)
def carve_tree(stream, walls, stack):
    """Randomised depth-first search on the lattice of rooms: a perfect maze.

    Rooms lie at odd rows and columns. From the current room one of the unvisited
    neighbours is chosen with equal odds, the wall between is opened, and the search
    goes back when there is none; it starts in a room drawn at random. (The classic
    recursive backtracker; the algorithm is part of the environment's version, since
    others give other mazes.)

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
def _unvisited_neighbour(stream, walls, room, side):
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
def scatter_blocks(stream, walls, wall_share):
    """Each interior cell is a wall with probability ``wall_share``, independently.

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
def hash_walls(walls):
    """uint64 hash of ``walls``: FNV-1a (Fowler, Noll, Vo) over the cells, row by row."""
    value = np.uint64(0xCBF29CE484222325)
    for row in range(walls.shape[0]):
        for col in range(walls.shape[1]):
            value = (value ^ np.uint64(walls[row, col])) * np.uint64(0x100000001B3)
    return value
