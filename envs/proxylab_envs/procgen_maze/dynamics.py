"""The levels of Procgen's Maze, bit for bit, in numba; stepping is shared with maze-corner.

The level seed initialises an MT19937, and every choice is one of its outputs modulo the
number of options: two outputs for the background, one for the width of the maze, one for
each wall that is considered, and the last ones for the cheese. Kruskal's algorithm with the
walls in random order generates the maze.
"""

from typing import NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from proxylab_envs.grid.mazes import hash_walls
from proxylab_envs.grid.mt19937 import (
    STATE_WORDS,
    draw_below,
    seed_words,
    skip_outputs,
    words_needed,
)
from proxylab_envs.levels import SHIFTED
from proxylab_envs.maze_corner.dynamics import MazeCore, begin_episode
from proxylab_envs.procgen_maze.level import margin
from proxylab_envs.streams import Integer, combine, draw, seed_stream

_TWIN = np.uint64(SHIFTED)
_GAME_BITS = np.uint64(SHIFTED - 1)
_CHEESE_STREAM = 1
_BACKGROUND_OUTPUTS = 2
_MOST_ROOMS = 256  # 16 per side in a grid of 31, so a room index fits in 8 bits
_MOST_WALLS = 480
_BLOCK = 64

_margin = numba.njit(cache=True)(margin)


class Rules(NamedTuple):
    """The fields of :class:`ProcgenConfig` that the kernels read, as numbers."""

    world_dim: int
    corner_size: int
    time_limit: int
    end_on: int
    goal_reward: float


class Level(NamedTuple):
    """The arrays that a level is written to; S is the size of the planes."""

    walls: NDArray[np.bool_]  # bool[S, S]
    mouse: NDArray[np.int64]  # int64[2], row and column
    cheese: NDArray[np.int64]  # int64[2]
    corner: NDArray[np.int64]  # int64[2]


class Scratch(NamedTuple):
    """Temporary arrays of the generator."""

    twister: NDArray[np.uint32]  # uint32[STATE_WORDS]
    between: NDArray[np.uint16]  # uint16[walls left], the two rooms at each wall, 8 bits each
    cells: NDArray[np.int16]  # int16[rooms], row * S + column of each room
    groups: NDArray[np.uint8]  # uint8[rooms], equal for connected rooms
    opened: NDArray[np.int16]  # int16[cells], row * S + column in the order of opening


@numba.njit(cache=True)
def make_scratch() -> Scratch:
    """A :class:`Scratch` large enough for every mode."""
    return Scratch(
        np.empty(STATE_WORDS, np.uint32),
        np.empty(_MOST_WALLS + _BLOCK + 1, np.uint16),
        np.empty(_MOST_ROOMS, np.int16),
        np.empty(_MOST_ROOMS, np.uint8),
        np.empty(2 * _MOST_ROOMS, np.int16),
    )


@numba.njit(cache=True)
def empty_level(size: int) -> Level:
    """An uninitialised :class:`Level`."""
    return Level(
        np.empty((size, size), np.bool_),
        np.empty(2, np.int64),
        np.empty(2, np.int64),
        np.empty(2, np.int64),
    )


@numba.njit(cache=True)
def make_level(rules: Rules, level_seed: Integer, level: Level, scratch: Scratch) -> None:
    """Write the level of ``level_seed`` into ``level``.

    The walls are those of the original level with the low 32 bits of the seed. The shifted
    twin has the original cheese, other seeds have it in the corner block.
    """
    size, twister = level.walls.shape[1], scratch.twister
    side = _draw_rooms(rules, level_seed, twister)
    num_walls = 2 * side * (side - 1)
    seed_words(twister, 0, words_needed(3), words_needed(3 + num_walls))
    edge = _margin(size, 2 * side - 1)
    level.mouse[0], level.mouse[1] = size - 1 - edge, edge
    level.corner[0], level.corner[1] = edge, size - 1 - edge
    _lay_out(side, level, scratch)
    num_open = _join_rooms(twister, side, level.walls, scratch)
    if np.uint64(level_seed) & _TWIN:
        _place_as_the_game(3 + num_walls, num_open, level, scratch)
    else:
        _place_in_the_corner(rules, level_seed, 2 * side - 1, level)


@numba.njit(cache=True)
def _draw_rooms(rules: Rules, level_seed: Integer, twister: NDArray[np.uint32]) -> Integer:
    """Rooms per side of the maze; reads three outputs of ``twister``."""
    seed_words(twister, np.uint64(level_seed) & _GAME_BITS, 0, words_needed(3))
    skip_outputs(twister, _BACKGROUND_OUTPUTS)
    return draw_below(twister, (rules.world_dim - 1) // 2) + 2


@numba.njit(cache=True)
def maze_dims(rules: Rules, level_seeds: NDArray[np.int64], out: NDArray[np.int64]) -> None:
    """Cells per side of the mazes of ``level_seeds`` (int64[K]): out int64[K]."""
    twister = np.empty(STATE_WORDS, np.uint32)
    for k in range(level_seeds.shape[0]):
        out[k] = 2 * _draw_rooms(rules, level_seeds[k], twister) - 1


@numba.njit(cache=True)
def _lay_out(side: Integer, level: Level, scratch: Scratch) -> None:
    """Index the rooms row by row from the bottom left; list the walls in the original order."""
    size = level.walls.shape[1]
    start = level.mouse[0] * size + level.mouse[1]
    for room in range(side * side):
        scratch.cells[room] = start + 2 * (room % side) - 2 * (room // side) * size
        scratch.groups[room] = room
    k = 0
    for x in range(side - 1):
        for y in range(side):
            room = y * side + x
            scratch.between[k] = room << 8 | room + 1
            k += 1
    for x in range(side):
        for y in range(side - 1):
            room = y * side + x
            scratch.between[k] = room << 8 | room + side
            k += 1


@numba.njit(cache=True)
def _join_rooms(
    twister: NDArray[np.uint32], side: Integer, walls: NDArray[np.bool_], scratch: Scratch
) -> int:
    """Kruskal's algorithm: opens cells, lists them in ``scratch.opened``, returns their number.

    Once all rooms are connected, the remaining walls stay: their outputs are skipped.
    """
    walls[:] = True
    flat, groups, cells = walls.reshape(-1), scratch.groups, scratch.cells
    left, joins, num_open = 2 * side * (side - 1), side * side - 1, 0
    while joins:
        n = draw_below(twister, left)
        first, second = scratch.between[n] >> 8, scratch.between[n] & 255
        left -= 1
        _remove(scratch.between, np.uint64(n), np.uint64(left))
        if groups[first] != groups[second]:
            joins -= 1
            _merge(groups, side * side, groups[first], groups[second])
            here, there = np.int64(cells[first]), np.int64(cells[second])
            num_open = _open(flat, here, num_open, scratch.opened)
            num_open = _open(flat, (here + there) // 2, num_open, scratch.opened)
            num_open = _open(flat, there, num_open, scratch.opened)
    skip_outputs(twister, left)
    return num_open


@numba.njit(cache=True)
def _remove(between: NDArray[np.uint16], n: np.uint64, left: np.uint64) -> None:
    """Remove entry ``n`` (uint64), keeping the order of the ``left`` (uint64) others.

    Whole blocks are moved, including a few unused entries, and indices are unsigned: both
    are required for vectorisation by the compiler.
    """
    one, block = np.uint64(1), np.uint64(_BLOCK)
    while n < left:
        for k in range(n, n + block):
            between[k] = between[k + one]
        n += block


@numba.njit(cache=True)
def _merge(groups: NDArray[np.uint8], rooms: int, old: int, new: int) -> None:
    """Relabel the rooms of group ``old`` as ``new``; faster here than a union-find forest."""
    for room in range(rooms):
        groups[room] = new if groups[room] == old else groups[room]


@numba.njit(cache=True)
def _open(flat: NDArray[np.bool_], cell: Integer, num_open: int, opened: NDArray[np.int16]) -> int:
    """Open a cell of ``flat`` (bool[S * S]) if it is closed; returns the number of open cells."""
    if not flat[cell]:
        return num_open
    flat[cell] = False
    opened[num_open] = cell
    return num_open + 1


@numba.njit(cache=True)
def _place_as_the_game(outputs_read: int, num_open: int, level: Level, scratch: Scratch) -> None:
    """A random open cell, redrawn while it is the mouse's."""
    size = level.walls.shape[1]
    mouse = level.mouse[0] * size + level.mouse[1]
    cell = mouse
    while cell == mouse:
        seed_words(scratch.twister, 0, words_needed(outputs_read), words_needed(outputs_read + 1))
        outputs_read += 1
        cell = np.int64(scratch.opened[draw_below(scratch.twister, num_open)])
    level.cheese[0], level.cheese[1] = cell // size, cell % size


@numba.njit(cache=True)
def _place_in_the_corner(rules: Rules, level_seed: Integer, maze_dim: int, level: Level) -> None:
    """A random free cell of the top-right block, other than the mouse's."""
    side = min(max(rules.corner_size, 1), maze_dim)
    stream = np.empty(1, np.uint64)
    seed_stream(stream, combine(np.uint64(level_seed), _CHEESE_STREAM))
    while True:
        cell = draw(stream, side * side)
        row = level.corner[0] + cell // side
        col = level.corner[1] - cell % side
        if not level.walls[row, col] and (row != level.mouse[0] or col != level.mouse[1]):
            level.cheese[0], level.cheese[1] = row, col
            return


@numba.njit(cache=True)
def hash_layouts(rules: Rules, level_seeds: NDArray[np.int64], out: NDArray[np.uint64]) -> None:
    """Hashes of the walls of ``level_seeds`` (int64[K]): out uint64[K]."""
    level, scratch = empty_level(rules.world_dim + 2), make_scratch()
    for k in range(level_seeds.shape[0]):
        make_level(rules, level_seeds[k], level, scratch)
        out[k] = hash_walls(level.walls)


@numba.njit(cache=True)
def start_levels(
    core: MazeCore, rules: Rules, level_seeds: NDArray[np.int64], indices: NDArray[np.int64]
) -> None:
    """Start ``level_seeds[k]`` in environment ``indices[k]``."""
    scratch = make_scratch()
    for k in range(indices.shape[0]):
        i = indices[k]
        level = Level(core.walls[i], core.mouse[i], core.cheese[i], core.corner[i])
        make_level(rules, level_seeds[k], level, scratch)
        begin_episode(core, i, level_seeds[k])
