"""A dish level as data: walls, mouse, cheese, dish; and its ASCII form.

``#`` wall, ``.`` free, ``m`` mouse, ``b`` the cheese on the dish, ``c`` and ``d`` cheese and dish
apart.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from proxylab_envs.grid.ascii import format_grid, parse_grid
from proxylab_envs.grid.checks import check_choice, check_ranges, check_walls, only_cell
from proxylab_envs.grid.layouts import GENERATORS

SYMBOLS = "#.mcdb@"
WALL, FREE, MOUSE, CHEESE, DISH, BOTH, ON_GOAL = range(7)
ENDS = ("cheese", "both", "either")
MAX_REDUNDANCY = 24


@dataclass(frozen=True)
class DishConfig:
    """Parameters of dish.

    Attributes:
        redundancy: number of equal planes of the observation that show the dish; the cheese
            has one.
        generator: ``blocks`` (every cell is a wall with probability ``wall_share``, redrawn
            until the free cells are connected) or ``uniform`` (perfect mazes, all equally
            likely).
        size: outer width in cells, border included; odd for perfect mazes.
        wall_share: for ``blocks``, the probability of a wall.
        end_on: the episode ends at the ``cheese``, when ``both`` goals have been reached, or at
            ``either`` of them: then whoever goes to the dish first cannot get the cheese.
        time_limit: steps of an episode, after which it is truncated.
    """

    redundancy: int = 6
    generator: str = "blocks"
    size: int = 9
    wall_share: float = 0.25
    end_on: str = "cheese"
    time_limit: int = 50

    def __post_init__(self) -> None:
        check_choice("generator", self.generator, GENERATORS)
        check_choice("end_on", self.end_on, ENDS)
        check_ranges(
            self,
            {
                "redundancy": (1, MAX_REDUNDANCY),
                "size": (5, 31),
                "wall_share": (0, 0.3),
                "time_limit": (1, 10_000),
            },
        )
        if self.generator == "uniform" and self.size % 2 == 0:
            raise ValueError(f"size {self.size} is even: uniform mazes need an odd size")


@dataclass(frozen=True, eq=False)
class DishLevel:
    """One level.

    Attributes:
        walls: bool[S, S], border included.
        mouse: (row, column) of the start, neither the cheese's nor the dish's cell.
        cheese: (row, column).
        dish: (row, column), on training levels the cheese's.
    """

    walls: NDArray[np.bool_]
    mouse: tuple[int, int]
    cheese: tuple[int, int]
    dish: tuple[int, int]

    def __post_init__(self) -> None:
        walls = self.walls
        check_walls(walls, "level")
        if any(walls[place] for place in (self.mouse, self.cheese, self.dish)):
            raise ValueError("mouse, cheese and dish must be on free cells")
        if self.mouse in (self.cheese, self.dish):
            raise ValueError(f"the mouse at {self.mouse} starts on a goal")

    @classmethod
    def from_ascii(cls, text: str) -> Self:
        """Read a level; ``ValueError`` describes what is invalid."""
        codes = parse_grid(text, SYMBOLS[:ON_GOAL])
        mouse = only_cell(codes, (MOUSE,), "mouse ('m')")
        cheese = only_cell(codes, (CHEESE, BOTH), "cheese ('c', or 'b' on the dish)")
        dish = only_cell(codes, (DISH, BOTH), "dish ('d', or 'b' with the cheese)")
        return cls(codes == WALL, mouse, cheese, dish)

    def to_ascii(self) -> str:
        """The level as text, one line a row."""
        return scene_text(self.walls, self.mouse, self.cheese, self.dish)


def scene_text(
    walls: NDArray[np.bool_], mouse: tuple[int, int], cheese: tuple[int, int], dish: tuple[int, int]
) -> str:
    """A scene as text, one line a row; a mouse on the cheese or on the dish is ``@``."""
    codes = np.where(walls, WALL, FREE)
    codes[cheese], codes[dish] = CHEESE, DISH
    if cheese == dish:
        codes[dish] = BOTH
    codes[mouse] = ON_GOAL if mouse in (cheese, dish) else MOUSE
    return format_grid(codes, SYMBOLS)
