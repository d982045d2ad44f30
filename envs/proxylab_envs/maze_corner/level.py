"""A maze-corner level as data: walls, mouse, cheese; and its ASCII form.

``#`` wall, ``.`` free, ``m`` mouse, ``c`` cheese. The corner, the proxy goal, is the
free cell in the top right and needs no mark.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from proxylab_envs.grid.ascii import grid_rows
from proxylab_envs.grid.checks import check_choice, check_walls, only_cell

GENERATORS = ("tree", "blocks", "uniform")
ENDS = ("cheese", "both", "either")
OBSERVATIONS = ("planes", "rgb")

MAX_WALL_SHARE = 0.4
"""Beyond it, hardly any maze of blocks can be solved, and drawing one does not end."""


@dataclass(frozen=True)
class MazeConfig:
    """Parameters of maze-corner.

    Attributes:
        generator: ``uniform`` (perfect mazes, all equally likely), ``tree`` (perfect mazes
            by randomised depth-first search, which makes few of them) or ``blocks`` (every
            cell is a wall with probability ``wall_share``).
        size: outer width in cells, border included; odd for perfect mazes.
        corner_size: on training levels the cheese lies in the top-right block of this
            many cells squared; 0 and 1 both mean the corner cell itself.
        time_limit: in steps; None means 25 per two cells of width (100 at size 9,
            150 at size 13). (Gymnasium's own ``max_episode_steps`` truncates episodes
            from outside, without an outcome.)
        end_on: the episode ends at the ``cheese``, when ``both`` goals have been reached, or at
            ``either`` of them: then the first visit to the corner cannot be undone.
        observation: ``planes`` uint8[3, size, size] (wall, mouse, cheese) or ``rgb``
            uint8[size, size, 3], one pixel per cell.
        wall_share: for ``blocks``, the probability of a wall.
        only_solvable: for ``blocks``, redraw until the cheese and the corner are
            reachable from the start.
    """

    generator: str = "uniform"
    size: int = 9
    corner_size: int = 1
    time_limit: int | None = None
    end_on: str = "cheese"
    observation: str = "planes"
    wall_share: float = 0.25
    only_solvable: bool = True

    def __post_init__(self) -> None:
        check_choice("generator", self.generator, GENERATORS)
        check_choice("end_on", self.end_on, ENDS)
        check_choice("observation", self.observation, OBSERVATIONS)
        if not 5 <= self.size <= 63:
            raise ValueError(f"size {self.size} is not between 5 and 63")
        if self.generator != "blocks" and self.size % 2 == 0:
            raise ValueError(f"size {self.size} is even: {self.generator} mazes need an odd size")
        if not 0 <= self.corner_size <= self.size - 2:
            raise ValueError(f"corner_size {self.corner_size} is not between 0 and {self.size - 2}")
        if not 0 <= self.wall_share <= MAX_WALL_SHARE:
            raise ValueError(f"wall_share {self.wall_share} is not in [0, {MAX_WALL_SHARE}]")
        if self.time_limit is not None and not 1 <= self.time_limit <= 10_000:
            raise ValueError(f"time_limit {self.time_limit} is not between 1 and 10,000")

    @property
    def max_steps(self) -> int:
        """Steps after which an episode is truncated."""
        return self.time_limit or 25 * (self.size - 1) // 2


@dataclass(frozen=True)
class MazeConfigV0(MazeConfig):
    """Parameters of version 0, whose mazes are those of depth-first search by default."""

    generator: str = "tree"


@dataclass(frozen=True)
class MazeLevel:
    """One level.

    Attributes:
        walls: bool[S, S], border included.
        mouse: (row, column) of the start.
        cheese: (row, column).
    """

    walls: NDArray[np.bool_]
    mouse: tuple[int, int]
    cheese: tuple[int, int]

    def __post_init__(self) -> None:
        walls = self.walls
        check_walls(walls, "maze")
        for name, (row, col) in (("mouse", self.mouse), ("cheese", self.cheese)):
            if not (0 <= row < len(walls) and 0 <= col < len(walls)) or walls[row, col]:
                raise ValueError(f"the {name} at {(row, col)} is not on a free cell")
        if self.mouse == self.cheese:
            raise ValueError(f"mouse and cheese share the cell {self.mouse}")

    @property
    def corner(self) -> tuple[int, int]:
        """(row, column) of the proxy goal: the top-right interior cell."""
        return 1, len(self.walls) - 2

    def mouse_cells(self) -> NDArray[np.int64]:
        """int64[N, 2]: (row, column) of every cell on which the mouse can start."""
        free = ~self.walls
        free[self.cheese] = False
        return np.argwhere(free)

    @classmethod
    def from_ascii(cls, text: str) -> Self:
        """Read a level; ``ValueError`` describes what is invalid."""
        rows = grid_rows(text) if text.strip() else []
        if not rows or any(len(row) != len(rows) for row in rows):
            raise ValueError("a maze must be a square of characters")
        cells = np.array([list(row) for row in rows])
        unknown = set("".join(rows)) - set("#.mc")
        if unknown:
            raise ValueError(f"unknown character {min(unknown)!r}: a maze is made of # . m c")
        return cls(
            cells == "#",
            only_cell(cells, "m", "mouse ('m')", "maze"),
            only_cell(cells, "c", "cheese ('c')", "maze"),
        )

    def to_ascii(self) -> str:
        """The level as text, one line a row."""
        cells = np.where(self.walls, "#", ".")
        cells[self.mouse], cells[self.cheese] = "m", "c"
        return "\n".join("".join(row) for row in cells)
