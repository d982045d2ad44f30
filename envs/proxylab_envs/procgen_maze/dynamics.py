"""The levels of the Procgen Maze, bit for bit, in numba; stepping is maze-corner's.

The game's level seed starts an MT19937, and every choice is one of its outputs modulo the
number of options. Two outputs go to the background, one to the maze's width, one to each
wall that is considered, and the last ones to the cheese. The maze is made by Kruskal's
algorithm with the walls in random order.
"""

from typing import NamedTuple

import numba
import numpy as np

from proxylab_envs.grid.mazes import hash_walls
from proxylab_envs.grid.mt19937 import (
    STATE_WORDS,
    draw_below,
    seed_words,
    skip_outputs,
    words_needed,
)
from proxylab_envs.levels import SHIFTED
from proxylab_envs.maze_corner.dynamics import begin_episode
from proxylab_envs.procgen_maze.level import margin
from proxylab_envs.streams import combine, draw, seed_stream

_TWIN = np.uint64(SHIFTED)
_GAME_BITS = np.uint64(SHIFTED - 1)
_CHEESE_STREAM = 1
_BACKGROUND_OUTPUTS = 2
_MOST_ROOMS = 256  # 16 a side in a world of 31, so a room's number fits in 8 bits
_MOST_WALLS = 480
_BLOCK = 64

_margin = numba.njit(cache=True)(margin)


class Rules(NamedTuple):
    """What the kernels need of a :class:`ProcgenConfig`, as numbers."""

    world_dim: int
    corner_size: int
    time_limit: int
    end_on_both: bool
    goal_reward: float


class Level(NamedTuple):
    """The arrays that a level is written into; S is the planes' size."""

    walls: np.ndarray  # bool[S, S]
    mouse: np.ndarray  # int64[2], row and column
    cheese: np.ndarray  # int64[2]
    corner: np.ndarray  # int64[2]


class Scratch(NamedTuple):
    """Room to work in."""

    twister: np.ndarray  # uint32[STATE_WORDS]
    between: np.ndarray  # uint16[walls left], the two rooms beside each wall, 8 bits each
    cells: np.ndarray  # int16[rooms], row * S + column of each room
    groups: np.ndarray  # uint8[rooms], equal for rooms that are joined
    opened: np.ndarray  # int16[cells], row * S + column in the order of opening


@numba.njit(cache=True)
def make_scratch():
    """New :class:`Scratch`, enough for every mode."""
    return Scratch(
        np.empty(STATE_WORDS, np.uint32),
        np.empty(_MOST_WALLS + _BLOCK + 1, np.uint16),
        np.empty(_MOST_ROOMS, np.int16),
        np.empty(_MOST_ROOMS, np.uint8),
        np.empty(2 * _MOST_ROOMS, np.int16),
    )


@numba.njit(cache=True)
def empty_level(size):
    """A :class:`Level` to be written."""
    return Level(
        np.empty((size, size), np.bool_),
        np.empty(2, np.int64),
        np.empty(2, np.int64),
        np.empty(2, np.int64),
    )


@numba.njit(cache=True)
def make_level(rules, level_seed, level, scratch):
    """Write the level of ``level_seed`` into ``level``.

    The walls are those of the game's level with the seed's low 32 bits. The twin has the
    game's cheese, other seeds have it in the corner block.
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
def _draw_rooms(rules, level_seed, twister):
    """Rooms a side of the maze; leaves ``twister`` with three outputs read."""
    seed_words(twister, np.uint64(level_seed) & _GAME_BITS, 0, words_needed(3))
    skip_outputs(twister, _BACKGROUND_OUTPUTS)
    return draw_below(twister, (rules.world_dim - 1) // 2) + 2


@numba.njit(cache=True)
def maze_dims(rules, level_seeds, out):
    """Cells a side of the mazes of ``level_seeds`` (int64[K]): out int64[K]."""
    twister = np.empty(STATE_WORDS, np.uint32)
    for k in range(level_seeds.shape[0]):
        out[k] = 2 * _draw_rooms(rules, level_seeds[k], twister) - 1


@numba.njit(cache=True)
def _lay_out(side, level, scratch):
    """Number the rooms, from the bottom left, row by row; list the walls as the game does."""
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
def _join_rooms(twister, side, walls, scratch):
    """Kruskal's algorithm; returns how many cells were opened, noted in ``scratch.opened``.

    Once all rooms are joined, the remaining walls stay, whatever their order: their
    outputs are skipped.
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
def _remove(between, n, left):
    """Close the gap at ``n`` (uint64), keeping the order of the ``left`` (uint64) others.

    Whole blocks move, a few entries too many, and indices are unsigned: only so does
    the compiler move vectors.
    """
    one, block = np.uint64(1), np.uint64(_BLOCK)
    while n < left:
        for k in range(n, n + block):
            between[k] = between[k + one]
        n += block


@numba.njit(cache=True)
def _merge(groups, rooms, old, new):
    """Give the rooms of group ``old`` the number ``new``; cheaper here than a forest."""
    for room in range(rooms):
        groups[room] = new if groups[room] == old else groups[room]


@numba.njit(cache=True)
def _open(flat, cell, num_open, opened):
    """Open a cell of ``flat`` (bool[S * S]), unless it is open; returns how many are."""
    if not flat[cell]:
        return num_open
    flat[cell] = False
    opened[num_open] = cell
    return num_open + 1


@numba.njit(cache=True)
def _place_as_the_game(outputs_read, num_open, level, scratch):
    """A random one of the opened cells, drawn again while it is the mouse's."""
    size = level.walls.shape[1]
    mouse = level.mouse[0] * size + level.mouse[1]
    cell = mouse
    while cell == mouse:
        seed_words(scratch.twister, 0, words_needed(outputs_read), words_needed(outputs_read + 1))
        outputs_read += 1
        cell = np.int64(scratch.opened[draw_below(scratch.twister, num_open)])
    level.cheese[0], level.cheese[1] = cell // size, cell % size


@numba.njit(cache=True)
def _place_in_the_corner(rules, level_seed, maze_dim, level):
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
def hash_layouts(rules, level_seeds, out):
    """Hashes of the walls of ``level_seeds`` (int64[K]): out uint64[K]."""
    level, scratch = empty_level(rules.world_dim + 2), make_scratch()
    for k in range(level_seeds.shape[0]):
        make_level(rules, level_seeds[k], level, scratch)
        out[k] = hash_walls(level.walls)


@numba.njit(cache=True)
def start_levels(core, rules, level_seeds, indices):
    """Start ``level_seeds[k]`` in environment ``indices[k]``."""
    scratch = make_scratch()
    for k in range(indices.shape[0]):
        i = indices[k]
        level = Level(core.walls[i], core.mouse[i], core.cheese[i], core.corner[i])
        make_level(rules, level_seeds[k], level, scratch)
        begin_episode(core, i, level_seeds[k])
