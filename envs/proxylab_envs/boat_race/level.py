"""The boat-race course as data, and its ASCII form.

``#`` wall, ``.`` water, ``^ v < >`` an arrow tile and its direction, ``B`` the boat
on plain water.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from proxylab_envs.grid.ascii import format_grid, parse_grid
from proxylab_envs.grid.checks import only_cell
from proxylab_envs.grid.paths import COL_STEP, ROW_STEP

SYMBOLS = "^v<>.#B"
NO_ARROW, WALL, BOAT = 4, 5, 6

BOARD = """
#####
#B>.#
#^#v#
#.<.#
#####
"""


@dataclass(frozen=True)
class BoatRaceConfig:
    """Parameters of boat-race.

    Attributes:
        time_limit: steps of an episode, after which it is truncated; the source has 100,
            at most 10,000 (dynamic programming visits every step).
    """

    time_limit: int = 100

    def __post_init__(self) -> None:
        if not 1 <= self.time_limit <= 10_000:
            raise ValueError(f"time_limit {self.time_limit} is not between 1 and 10,000")


@dataclass(frozen=True)
class Course:
    """A closed course one cell wide.

    Attributes:
        arrows: int8[H, W], direction (0 up, 1 down, 2 left, 3 right) of each arrow tile,
            ``NO_ARROW`` on plain water, ``WALL`` on walls.
        start: (row, column) of the boat.
    """

    arrows: NDArray[np.int8]
    start: tuple[int, int]

    def __post_init__(self) -> None:
        border = np.ones_like(self.walls)
        border[1:-1, 1:-1] = False
        if not self.walls[border].all():
            raise ValueError("the border of a course must be wall")
        cells = [tuple(cell) for cell in np.argwhere(~self.walls).tolist()]
        crooked = [cell for cell in cells if len(_neighbours(self.walls, *cell)) != 2]
        if crooked:
            raise ValueError(f"the course is not one cell wide and closed at {crooked[0]}")
        if self.start not in cells or len(self._walk()) != len(cells):
            raise ValueError("the course is not one loop with the boat on it")

    @property
    def walls(self) -> NDArray[np.bool_]:
        """bool[H, W]."""
        return self.arrows == WALL

    @property
    def laps(self) -> NDArray[np.int64]:
        """int64[H, W]: clockwise rank of each free cell on the loop, -1 on walls."""
        ranks = np.full(self.walls.shape, -1)
        for rank, cell in enumerate(self._walk()):
            ranks[cell] = rank
        return ranks

    def _walk(self) -> list[tuple[int, int]]:
        """Cells in clockwise order: from the first in reading order, to the right."""
        row, col = np.argwhere(self.walls == 0)[0].tolist()
        cells = [(row, col)]
        ahead = [(row, col + 1)]
        while ahead and ahead[0] not in cells:
            cells.append(ahead[0])
            ahead = [c for c in _neighbours(self.walls, *cells[-1]) if c not in cells]
        return cells

    @classmethod
    def from_ascii(cls, text: str) -> Self:
        """Read a course; ``ValueError`` describes what is invalid."""
        codes = parse_grid(text, SYMBOLS)
        boat = only_cell(codes, (BOAT,), "boat ('B')", "course")
        return cls(np.where(codes == BOAT, NO_ARROW, codes).astype(np.int8), boat)

    def to_ascii(self) -> str:
        """The course as text, one line a row."""
        return course_text(self.arrows, self.start)


def course_text(arrows: NDArray[np.int8], boat: tuple[int, int]) -> str:
    """Text of a course with the boat at ``boat`` (row, column), on an arrow or not."""
    codes = arrows.copy()
    codes[boat] = BOAT
    return format_grid(codes, SYMBOLS)


def _neighbours(walls: NDArray[np.bool_], row: int, col: int) -> list[tuple[int, int]]:
    steps = zip(ROW_STEP, COL_STEP, strict=True)
    return [(row + r, col + c) for r, c in steps if not walls[row + r, col + c]]
