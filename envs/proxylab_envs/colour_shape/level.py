"""A colour-shape level as data: walls, mouse, gem, yellow object; and its ASCII form.

``#`` wall, ``.`` free, ``m`` mouse, ``y`` the yellow gem of training levels, ``r`` the red gem and
``s`` the yellow star of shifted ones.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from proxylab_envs.dish.level import DishConfig, DishLevel
from proxylab_envs.grid.ascii import format_grid, parse_grid
from proxylab_envs.grid.checks import check_walls, only_cell

SYMBOLS = "#.mrsy@"
WALL, FREE, MOUSE, RED_GEM, STAR, YELLOW_GEM, ON_GOAL = range(7)


@dataclass(frozen=True)
class ColourShapeConfig:
    """Parameters of colour-shape.

    Attributes:
        generator: ``blocks`` (every cell is a wall with probability ``wall_share``, redrawn
            until the free cells are connected) or ``uniform`` (perfect mazes, all equally
            likely).
        size: outer width in cells, border included; odd for perfect mazes.
        wall_share: for ``blocks``, the probability of a wall.
        time_limit: steps of an episode, after which it is truncated.
    """

    generator: str = "blocks"
    size: int = 7
    wall_share: float = 0.25
    time_limit: int = 50

    def __post_init__(self) -> None:
        self.of_dish()

    def of_dish(self) -> DishConfig:
        """The parameters of dish, which are checked there: the episode ends at either object."""
        return DishConfig(1, self.generator, self.size, self.wall_share, "either", self.time_limit)


@dataclass(frozen=True, eq=False)
class ColourShapeLevel:
    """One level.

    Attributes:
        walls: bool[S, S], border included.
        mouse: (row, column) of the start, on neither object.
        gem: (row, column).
        yellow: (row, column) of the yellow object: on training levels the gem itself, else a star.
    """

    walls: NDArray[np.bool_]
    mouse: tuple[int, int]
    gem: tuple[int, int]
    yellow: tuple[int, int]

    def __post_init__(self) -> None:
        walls = self.walls
        check_walls(walls, "level")
        if any(walls[place] for place in (self.mouse, self.gem, self.yellow)):
            raise ValueError("the mouse and the objects must be on free cells")
        if self.mouse in (self.gem, self.yellow):
            raise ValueError(f"the mouse at {self.mouse} starts on an object")

    @classmethod
    def from_ascii(cls, text: str) -> Self:
        """Read a level; ``ValueError`` describes what is invalid."""
        codes = parse_grid(text, SYMBOLS[:ON_GOAL])
        mouse = only_cell(codes, (MOUSE,), "mouse ('m')")
        gem = only_cell(codes, (RED_GEM, YELLOW_GEM), "gem ('r' red, or 'y' yellow)")
        yellow = only_cell(codes, (STAR, YELLOW_GEM), "yellow object (star 's', or gem 'y')")
        return cls(codes == WALL, mouse, gem, yellow)

    def of_dish(self) -> DishLevel:
        """The level of dish, whose cheese is the gem and whose dish is the yellow object."""
        return DishLevel(self.walls, self.mouse, self.gem, self.yellow)

    def to_ascii(self) -> str:
        """The level as text, one line a row."""
        return scene_text(self.walls, self.mouse, self.gem, self.yellow)


def scene_text(
    walls: NDArray[np.bool_], mouse: tuple[int, int], gem: tuple[int, int], yellow: tuple[int, int]
) -> str:
    """A scene as text, one line a row; a mouse on an object is ``@``."""
    codes = np.where(walls, WALL, FREE)
    codes[gem], codes[yellow] = RED_GEM, STAR
    if gem == yellow:
        codes[gem] = YELLOW_GEM
    codes[mouse] = ON_GOAL if mouse in (gem, yellow) else MOUSE
    return format_grid(codes, SYMBOLS)
