"""Edits of mazes: walls set and removed, mouse and cheese moved, every maze still solvable.

As in ACCEL (Parker-Holder et al. 2022, arXiv 2203.01302) edits are small and random. One that
would part mouse, cheese or corner is left out. A cheese within the corner block stays where it is,
and one elsewhere stays outside, so that edits never change whether cheese and corner differ.
"""

from typing import NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from proxylab_envs.level_editor import EDITED
from proxylab_envs.maze_corner import solver
from proxylab_envs.maze_corner.dynamics import (
    CHEESE,
    MOUSE,
    WALL,
    MazeCore,
    Rules,
    begin_episode,
    solvable,
)
from proxylab_envs.streams import draw, seed_stream

WALL_EDITS = 3
"""Walls that are set or removed in one child, at most."""


class MazeEditor(NamedTuple):
    """The levels of maze-corner as planes uint8[3, S, S]: wall, mouse, cheese.

    Attributes:
        core: the mazes that are read and started.
        rules: of these mazes.
    """

    core: MazeCore
    rules: Rules

    @property
    def shape(self) -> tuple[int, ...]:
        """(3, S, S)."""
        return self.core.observations.shape[1:]

    def read(self, indices: NDArray[np.int64]) -> NDArray[np.uint8]:
        """uint8[K, 3, S, S]: copies of the levels of environments that have just begun."""
        return self.core.observations[indices]

    def edited(self, levels: NDArray[np.uint8], words: NDArray[np.uint64]) -> NDArray[np.uint8]:
        """uint8[K, 3, S, S]: edited copies; ``words`` are uint64[K]."""
        children = levels.copy()
        _edit(self.rules, children, words)
        return children

    def place(self, levels: NDArray[np.uint8], indices: NDArray[np.int64]) -> None:
        """Start ``levels`` (uint8[K, 3, S, S]) in the environments ``indices``.

        Raises:
            ValueError: one has a gap in its border, or not one mouse and one cheese.
        """
        walled = levels[:, WALL] > 0
        walled[:, 1:-1, 1:-1] = True
        if not walled.all() or (levels[:, MOUSE:].sum(axis=(2, 3)) != 1).any():
            raise ValueError("an edited level is not a closed maze with one mouse and one cheese")
        _place(self.core, levels, indices)

    def optimal(self, levels: NDArray[np.uint8]) -> NDArray[np.float64]:
        """float64[K]: true returns, 1 where the cheese can be reached in time."""
        size = self.shape[-1]
        distances = np.empty((len(levels), 2, size, size), np.int16)
        starts, out = np.empty((len(levels), 2), np.int64), np.empty((len(levels), 2))
        _solve(self.rules, levels, distances, starts)
        solver.optimal_returns(distances, starts, self.rules.time_limit, 1.0, out)
        return out[:, 0]


@numba.njit(cache=True)
def _cell(plane: NDArray[np.uint8], out: NDArray[np.int64]) -> None:
    """Row and column of the only cell of a plane that is set: out int64[2]."""
    size = plane.shape[0]
    at = plane.ravel().argmax()
    out[0], out[1] = at // size, at % size


@numba.njit(cache=True)
def _place(core: MazeCore, levels: NDArray[np.uint8], indices: NDArray[np.int64]) -> None:
    for k in range(indices.shape[0]):
        i = indices[k]
        core.walls[i] = levels[k, WALL] > 0
        _cell(levels[k, MOUSE], core.mouse[i])
        _cell(levels[k, CHEESE], core.cheese[i])
        begin_episode(core, i, EDITED)


@numba.njit(cache=True)
def _solve(
    rules: Rules,
    levels: NDArray[np.uint8],
    distances: NDArray[np.int16],
    starts: NDArray[np.int64],
) -> None:
    """Steps to both goals (int16[K, 2, S, S]) and the mice (int64[K, 2])."""
    size = levels.shape[2]
    cheese, corner = np.empty(2, np.int64), np.array([1, size - 2])
    scratch = np.empty(size * size, np.int64)
    for k in range(levels.shape[0]):
        walls = levels[k, WALL] > 0
        _cell(levels[k, MOUSE], starts[k])
        _cell(levels[k, CHEESE], cheese)
        final = rules.end_on == solver.AT_EITHER
        solver.solve_maze(walls, cheese, corner, distances[k], scratch, final)


@numba.njit(cache=True)
def _edit(rules: Rules, levels: NDArray[np.uint8], words: NDArray[np.uint64]) -> None:
    """Edit ``levels`` (uint8[K, 3, S, S]) in place."""
    size = levels.shape[2]
    stream = np.empty(1, np.uint64)
    distances, scratch = np.empty((size, size), np.int16), np.empty(size * size, np.int64)
    mouse, cheese, old = np.empty(2, np.int64), np.empty(2, np.int64), np.empty(2, np.int64)
    side = max(rules.corner_size, 1)
    for k in range(levels.shape[0]):
        seed_stream(stream, words[k])
        walls = levels[k, WALL] > 0
        _cell(levels[k, MOUSE], mouse)
        _cell(levels[k, CHEESE], cheese)
        for _ in range(WALL_EDITS):
            row, col = _inner_cell(stream, size)
            walls[row, col] = not walls[row, col]
            if not _valid(walls, mouse, cheese, distances, scratch):
                walls[row, col] = not walls[row, col]
        old[:] = mouse
        mouse[0], mouse[1] = _inner_cell(stream, size)
        if not _valid(walls, mouse, cheese, distances, scratch):
            mouse[:] = old
        old[:] = cheese
        cheese[0], cheese[1] = _inner_cell(stream, size)
        moves = not _in_block(old, side, size) and not _in_block(cheese, side, size)
        if not moves or not _valid(walls, mouse, cheese, distances, scratch):
            cheese[:] = old
        levels[k, WALL] = walls
        levels[k, MOUSE:] = 0
        levels[k, MOUSE, mouse[0], mouse[1]] = levels[k, CHEESE, cheese[0], cheese[1]] = 1


@numba.njit(cache=True)
def _inner_cell(stream: NDArray[np.uint64], size: int) -> tuple[np.int64, np.int64]:
    """A cell inside the border, uniformly at random."""
    cell = draw(stream, (size - 2) * (size - 2))
    return 1 + cell // (size - 2), 1 + cell % (size - 2)


@numba.njit(cache=True)
def _in_block(cell: NDArray[np.int64], side: int, size: int) -> bool:
    """Whether a cell lies in the block of ``side`` cells squared in the top right."""
    return cell[0] <= side and cell[1] >= size - 1 - side


@numba.njit(cache=True)
def _valid(
    walls: NDArray[np.bool_],
    mouse: NDArray[np.int64],
    cheese: NDArray[np.int64],
    distances: NDArray[np.int16],
    scratch: NDArray[np.int64],
) -> bool:
    """Whether mouse and cheese are on different free cells, and the maze can be solved."""
    if walls[mouse[0], mouse[1]] or walls[cheese[0], cheese[1]]:
        return False
    apart = mouse[0] != cheese[0] or mouse[1] != cheese[1]
    return apart and solvable(walls, mouse, cheese, distances, scratch)
