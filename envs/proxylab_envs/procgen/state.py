"""Reading and modifying the serialised state of a maze.

Little-endian 32-bit numbers; a string is preceded by its length. The fields used here:

    start   version, the game's name, 12 options, low and high bound of the level seeds,
            type, number, two generators (a flag and a string each), 68 bytes, position of
            the mouse as two floats, column and row from the bottom
    end     grid int32[world_dim, world_dim], bottom row first; maze_dim, world_dim, a marker

(The end is as published with the state functions of the game; the start was inferred by
comparing states, and parity tests verify it.)
"""

import struct
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

CHEESE, WALL, FREE = 2, 51, 100
_MARK = 0xCAFECAFE
_TAIL = struct.Struct("<iiI")
_NAME_AT = 4
_BOUNDS_AFTER_NAME = 52
_GENERATORS_AFTER_BOUNDS = 16
_MOUSE_AFTER_GENERATORS = 68


class Maze(NamedTuple):
    """The contents of a state.

    Attributes:
        walls: bool[W, W], the whole grid, row 0 at the top.
        cheese: (row, column).
        mouse: (row, column).
        maze_dim: cells per side of the maze.
    """

    walls: NDArray[np.bool_]
    cheese: tuple[int, int]
    mouse: tuple[int, int]
    maze_dim: int


def read_maze(state: bytes) -> Maze:
    """The :class:`Maze` of a state; ``ValueError`` if it is not a state of a maze."""
    grid, maze_dim = _grid(state)
    rows, columns = np.nonzero(grid[::-1] == CHEESE)
    if len(rows) != 1:
        raise ValueError(f"the state holds {len(rows)} cheeses, not one")
    return Maze(grid[::-1] == WALL, (int(rows[0]), int(columns[0])), read_mouse(state), maze_dim)


def read_mouse(state: bytes) -> tuple[int, int]:
    """(row, column) of the mouse in the grid, row 0 at the top."""
    column, height = read_position(state)
    return _world_dim(state) - 1 - int(height), int(column)


def read_position(state: bytes) -> tuple[float, float]:
    """(x, y) of the agent's centre in cells, from the left and from the bottom, in any game."""
    x, y = struct.unpack_from("<2f", state, agent_at(state))
    return x, y


def with_cheese(state: bytes, cell: tuple[int, int]) -> bytes:
    """The state with the cheese moved to ``cell`` (row, column), a free one: bytes."""
    grid, _ = _grid(state)
    moved = grid.copy()
    moved[moved == CHEESE] = FREE
    row, column = len(grid) - 1 - cell[0], cell[1]
    if moved[row, column] != FREE:
        raise ValueError(f"the cheese cannot lie at {cell}: there is a wall")
    moved[row, column] = CHEESE
    start = len(state) - _TAIL.size - moved.nbytes
    return state[:start] + moved.tobytes() + state[-_TAIL.size :]


def with_level_bounds(state: bytes, low: int, high: int) -> bytes:
    """The state in which the next level's seed is drawn from [low, high): bytes."""
    changed = bytearray(state)
    struct.pack_into("<2i", changed, _bounds_at(state), low, high)
    return bytes(changed)


def _grid(state: bytes) -> tuple[NDArray[np.int32], int]:
    maze_dim, world_dim, mark = _TAIL.unpack_from(state, len(state) - _TAIL.size)
    if mark != _MARK or not 0 < maze_dim <= world_dim < 100:
        raise ValueError("this is not a state of a maze")
    size = 4 * world_dim * world_dim
    cells = np.frombuffer(state, np.int32, world_dim**2, len(state) - _TAIL.size - size)
    return cells.reshape(world_dim, world_dim), maze_dim


def _world_dim(state: bytes) -> int:
    return _TAIL.unpack_from(state, len(state) - _TAIL.size)[1]


def _bounds_at(state: bytes) -> int:
    (length,) = struct.unpack_from("<i", state, _NAME_AT)
    return _NAME_AT + 4 + length + _BOUNDS_AFTER_NAME


def agent_at(state: bytes) -> int:
    """Where the position of the agent stands, the first of the entities of any game."""
    place = _bounds_at(state) + _GENERATORS_AFTER_BOUNDS
    for _generator in range(2):
        _, length = struct.unpack_from("<2i", state, place)
        place += 8 + length
    return place + _MOUSE_AFTER_GENERATORS
