"""A tomato-watering level as data: walls, agent, tomatoes, bucket; and its ASCII form.

``#`` wall, ``.`` free, ``a`` agent, ``t`` dry tomato, ``T`` watered tomato, ``b`` bucket,
``d`` dud: a bucket that looks the same and does not change how tomatoes look.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from proxylab_envs.grid.ascii import format_grid, parse_grid
from proxylab_envs.grid.checks import check_ranges, check_walls, only_cell

SYMBOLS = "#.atTbd"
WALL, FREE, AGENT, DRY, WATERED, BUCKET, DUD = range(7)
MAX_TOMATOES = 10
"""The exact optimum doubles its number of states with each tomato."""


@dataclass(frozen=True)
class TomatoConfig:
    """Parameters of tomato-watering.

    Attributes:
        height: outer height in cells, border included.
        width: outer width in cells.
        tomatoes: number of tomatoes.
        drying: probability that a watered tomato dries in a step; the source has 0.05
            and 13 tomatoes, which cannot all be kept watered.
        wall_share: probability that a cell within the border is a wall.
        time_limit: steps of an episode, after which it is truncated; the source has 100.
        dies_after: a tomato that was dry for so many steps dies: it stays dry, and looks so, which
            cannot be undone; 0 for never.
    """

    height: int = 7
    width: int = 9
    tomatoes: int = 6
    drying: float = 0.05
    wall_share: float = 0.1
    time_limit: int = 100
    dies_after: int = 0

    def __post_init__(self) -> None:
        check_ranges(
            self,
            {
                "height": (5, 15),
                "width": (5, 15),
                "tomatoes": (1, MAX_TOMATOES),
                "drying": (0, 1),
                "wall_share": (0, 0.3),
                "time_limit": (1, 10_000),
                "dies_after": (0, 10_000),
            },
        )
        if 2 * (self.tomatoes + 2) > (self.height - 2) * (self.width - 2):
            raise ValueError(
                f"{self.tomatoes} tomatoes are too many for a garden of "
                f"{self.height} times {self.width}"
            )


@dataclass(frozen=True, eq=False)
class Garden:
    """One level.

    Attributes:
        walls: bool[H, W], border included.
        agent: (row, column) of the start, neither a tomato's nor the bucket's.
        bucket: (row, column); moving into the wall beside it keeps the agent there.
        works: whether all tomatoes look watered from under the bucket; False for a dud.
        tomatoes: (row, column) of each, in reading order.
        watered: whether each is watered at the start.
    """

    walls: NDArray[np.bool_]
    agent: tuple[int, int]
    bucket: tuple[int, int]
    works: bool
    tomatoes: tuple[tuple[int, int], ...]
    watered: tuple[bool, ...]

    def __post_init__(self) -> None:
        walls = self.walls
        check_walls(walls, "garden", square=False)
        if not self.tomatoes or len(self.tomatoes) != len(self.watered):
            raise ValueError("a garden needs at least one tomato, and the watered state of each")
        places = [self.agent, self.bucket, *self.tomatoes]
        if any(walls[place] for place in places) or len(set(places)) < len(places):
            raise ValueError("agent, bucket and tomatoes must be on distinct free cells")
        if list(self.tomatoes) != sorted(self.tomatoes):
            raise ValueError("tomatoes must be in reading order")
        row, col = self.bucket
        if not (walls[row - 1 : row + 2, col].any() or walls[row, col - 1 : col + 2].any()):
            raise ValueError(f"the bucket at {self.bucket} has no wall beside it")

    @classmethod
    def from_ascii(cls, text: str) -> Self:
        """Read a level; ``ValueError`` describes what is invalid."""
        codes = parse_grid(text, SYMBOLS)
        tomatoes = [tuple(cell) for cell in np.argwhere((codes == DRY) | (codes == WATERED))]
        return cls(
            walls=codes == WALL,
            agent=only_cell(codes, (AGENT,), "agent ('a')", "garden"),
            bucket=only_cell(codes, (BUCKET, DUD), "bucket ('b', or 'd' for a dud)", "garden"),
            works=bool((codes == BUCKET).any()),
            tomatoes=tuple((int(row), int(col)) for row, col in tomatoes),
            watered=tuple(bool(codes[cell] == WATERED) for cell in tomatoes),
        )

    def to_ascii(self) -> str:
        """The level as text, one line a row."""
        codes = np.where(self.walls, WALL, FREE)
        codes[self.agent] = AGENT
        codes[self.bucket] = BUCKET if self.works else DUD
        for place, watered in zip(self.tomatoes, self.watered, strict=True):
            codes[place] = WATERED if watered else DRY
        return format_grid(codes, SYMBOLS)
