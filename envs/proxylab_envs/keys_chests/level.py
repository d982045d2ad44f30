"""A keys-chests level as data: walls, agent, keys, chests; and its ASCII form.

``#`` wall, ``.`` free, ``a`` agent, ``k`` key, ``x`` closed chest.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from proxylab_envs.grid.ascii import format_grid, parse_grid
from proxylab_envs.grid.checks import check_choice, check_ranges, check_walls, only_cell
from proxylab_envs.grid.layouts import GENERATORS

SYMBOLS = "#.akx"
WALL, FREE, AGENT, KEY, CHEST = range(5)
MAX_OBJECTS = 14
"""Keys and chests together: each doubles the number of sets that the exact route goes through."""


@dataclass(frozen=True)
class KeysConfig:
    """Parameters of keys-chests.

    Attributes:
        keys: number of keys on training levels; a shifted twin has as many chests.
        chests: number of chests on training levels; a shifted twin has as many keys.
        generator: ``blocks`` (every cell is a wall with probability ``wall_share``, redrawn
            until the free cells are connected) or ``uniform`` (perfect mazes, all equally
            likely; there is one way to everything, so objects cannot be walked around).
        size: outer width in cells, border included; odd for perfect mazes.
        wall_share: for ``blocks``, the probability of a wall.
        time_limit: steps of an episode, after which it is truncated.
    """

    keys: int = 3
    chests: int = 10
    generator: str = "blocks"
    size: int = 9
    wall_share: float = 0.1
    time_limit: int = 50

    def __post_init__(self) -> None:
        check_choice("generator", self.generator, GENERATORS)
        check_ranges(
            self,
            {
                "keys": (1, MAX_OBJECTS - 1),
                "chests": (1, MAX_OBJECTS - 1),
                "size": (5, 31),
                "wall_share": (0, 0.3),
                "time_limit": (1, 10_000),
            },
        )
        if self.objects > MAX_OBJECTS:
            raise ValueError(
                f"{self.keys} keys and {self.chests} chests are more than {MAX_OBJECTS} objects"
            )
        if self.generator == "uniform" and self.size % 2 == 0:
            raise ValueError(f"size {self.size} is even: uniform mazes need an odd size")
        rooms = (self.size // 2) ** 2
        cells = 2 * rooms - 1 if self.generator == "uniform" else (self.size - 2) ** 2
        if 2 * (self.objects + 1) > cells:
            raise ValueError(
                f"{self.keys} keys and {self.chests} chests are too many for size {self.size}"
            )

    @property
    def objects(self) -> int:
        """Number of keys and chests together, on every level."""
        return self.keys + self.chests


@dataclass(frozen=True, eq=False)
class KeysLevel:
    """One level.

    Attributes:
        walls: bool[S, S], border included.
        agent: (row, column) of the start, no key's or chest's cell.
        keys: (row, column) of each key, in reading order.
        chests: (row, column) of each closed chest, in reading order.
    """

    walls: NDArray[np.bool_]
    agent: tuple[int, int]
    keys: tuple[tuple[int, int], ...]
    chests: tuple[tuple[int, int], ...]

    def __post_init__(self) -> None:
        walls = self.walls
        check_walls(walls, "level")
        if not self.keys or not self.chests:
            raise ValueError("a level needs at least one key ('k') and one chest ('x')")
        places = [self.agent, *self.keys, *self.chests]
        if any(walls[place] for place in places) or len(set(places)) < len(places):
            raise ValueError("agent, keys and chests must be on distinct free cells")
        for places in (self.keys, self.chests):
            if list(places) != sorted(places):
                raise ValueError("keys and chests must be in reading order")

    @classmethod
    def from_ascii(cls, text: str) -> Self:
        """Read a level; ``ValueError`` describes what is invalid."""
        codes = parse_grid(text, SYMBOLS)
        agent = only_cell(codes, (AGENT,), "agent ('a')")
        return cls(codes == WALL, agent, _cells(codes, KEY), _cells(codes, CHEST))

    def to_ascii(self) -> str:
        """The level as text, one line a row."""
        codes = np.where(self.walls, WALL, FREE)
        codes[self.agent] = AGENT
        for places, code in ((self.keys, KEY), (self.chests, CHEST)):
            for place in places:
                codes[place] = code
        return format_grid(codes, SYMBOLS)


def _cells(codes: NDArray[np.int8], wanted: int) -> tuple[tuple[int, int], ...]:
    return tuple((int(row), int(col)) for row, col in np.argwhere(codes == wanted))
