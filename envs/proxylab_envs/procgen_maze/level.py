"""A Procgen maze as data: parameters, coordinates and the ASCII form.

Coordinates are (row, column) of an array of ``planes_size(mode)`` cells per side, row 0 at
the top. The grid of the original is ``world_dim`` cells wide; since its largest mazes fill
the grid, the array has an additional ring of wall around it. A maze of ``maze_dim`` cells
is centred in the grid, as in the original.
"""

from dataclasses import dataclass

import numpy as np

from proxylab_envs.grid.checks import check_choice
from proxylab_envs.maze_corner.level import ENDS, OBSERVATIONS, MazeLevel

WORLD_DIMS = {"easy": 15, "hard": 25, "memory": 31}
"""Cells per side of the original grid, by ``distribution_mode``."""

GOAL_REWARD = 10.0
"""Reward of the original for the cheese."""

GAME_SEEDS = (1 << 31) - 1
"""Level seeds of the original lie in [0, GAME_SEEDS)."""

_TENTH = GAME_SEEDS // 10
SPLIT_SEEDS = {
    "train": range(8 * _TENTH),
    "iid": range(8 * _TENTH, 9 * _TENTH),
    "shifted": range(9 * _TENTH, 10 * _TENTH),
}
"""Level seeds of each split. Layouts repeat between splits, as in the original."""


def planes_size(mode: str) -> int:
    """Cells per side of the planes: the original grid and one ring of wall around it."""
    return WORLD_DIMS[mode] + 2


def margin(size: int, maze_dim: int) -> int:
    """Cells of wall between the edge of the planes (``size`` per side) and the maze."""
    return (size - maze_dim) // 2


@dataclass(frozen=True)
class ProcgenConfig:
    """Parameters of procgen-maze.

    Attributes:
        mode: the ``distribution_mode`` of the original: ``easy`` (mazes of 3 to 15 cells),
            ``hard`` (3 to 25) or ``memory`` (3 to 31; the original then shows only the
            neighbourhood of the mouse, the planes show the whole maze).
        corner_size: on training levels the cheese lies on a free cell of the top-right
            block of this many cells squared; 0 and 1 both mean the corner cell itself.
        end_on: the episode ends at the ``cheese``, as in the original, at ``either`` goal, or
            when ``both`` goals were reached.
        observation: ``planes`` uint8[3, S, S] (wall, mouse, cheese; S is
            ``planes_size(mode)``) or ``rgb``.
        time_limit: in steps, 500 as in the original.
    """

    mode: str = "easy"
    corner_size: int = 1
    end_on: str = "cheese"
    observation: str = "planes"
    time_limit: int = 500

    def __post_init__(self) -> None:
        check_choice("mode", self.mode, tuple(WORLD_DIMS))
        check_choice("end_on", self.end_on, ENDS)
        check_choice("observation", self.observation, OBSERVATIONS)
        if not 0 <= self.corner_size <= 15:
            raise ValueError(f"corner_size {self.corner_size} is not between 0 and 15")
        if not 1 <= self.time_limit <= 10_000:
            raise ValueError(f"time_limit {self.time_limit} is not between 1 and 10,000")

    @property
    def size(self) -> int:
        """Cells per side of the planes."""
        return planes_size(self.mode)

    @property
    def max_steps(self) -> int:
        """Steps after which an episode is truncated."""
        return self.time_limit


class ProcgenLevel(MazeLevel):
    """One level; the maze may be surrounded by any amount of wall.

    The text is a :class:`MazeLevel`'s: ``#`` wall, ``.`` free, ``m`` mouse, ``c`` cheese.
    The corner is the cell in the maze's top row and right column, and must be free.
    """

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.walls[self.corner]:
            raise ValueError(f"the maze's top-right cell {self.corner} is a wall")

    @property
    def corner(self) -> tuple[int, int]:
        """(row, column) of the proxy goal: the maze's top-right cell."""
        rows, cols = np.nonzero(~self.walls)
        return int(rows.min()), int(cols.max())

    @property
    def maze_dim(self) -> int:
        """Cells per side of the smallest square that contains the free cells."""
        rows, cols = np.nonzero(~self.walls)
        return int(max(np.ptp(rows), np.ptp(cols))) + 1

    def centred(self, size: int) -> "ProcgenLevel":
        """The same maze centred in a grid of ``size`` cells per side, border included.

        Raises:
            ValueError: the maze and its border do not fit, or cannot be centred.
        """
        dim, (top, right) = self.maze_dim, self.corner
        if dim + 2 > size or (size - dim) % 2:
            raise ValueError(f"a maze of {dim} cells cannot be centred in {size}")
        edge = margin(size, dim)
        down, across = edge - top, edge + dim - 1 - right
        walls = np.ones((size, size), bool)
        rows, cols = np.nonzero(~self.walls)
        walls[rows + down, cols + across] = False
        mouse, cheese = ((row + down, col + across) for row, col in (self.mouse, self.cheese))
        return ProcgenLevel(walls, mouse, cheese)

    def cropped(self) -> "ProcgenLevel":
        """The maze with a single ring of wall around it."""
        return self.centred(self.maze_dim + 2)
