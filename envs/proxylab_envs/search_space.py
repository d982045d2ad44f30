"""What a search over levels needs of an environment: its levels as points of the unit cube.

``BatchedEnv.search_space`` returns a :class:`SearchSpace`, or None for an environment whose levels
cannot be searched.
"""

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

LAYOUTS = 1 << 20
"""Layouts that a point can name; fewer are different."""


class SearchSpace(Protocol):
    """The levels of an environment as points, every one of which can be solved."""

    @property
    def env(self) -> Any:
        """The ``BatchedEnv`` in which levels are placed."""
        ...

    @property
    def num_numbers(self) -> int:
        """D, dimension of a point."""
        ...

    @property
    def measure_names(self) -> tuple[str, str]:
        """What :meth:`measures` gives."""
        ...

    @property
    def measure_ranges(self) -> tuple[tuple[float, float], ...]:
        """(least, greatest) of each measure."""
        ...

    def levels(self, points: NDArray[np.float64]) -> list[Any]:
        """The levels of ``points`` (float64[K, D], in [0, 1])."""
        ...

    def place(self, levels: list[Any]) -> None:
        """Start the levels in the first environments."""
        ...

    def text(self, level: Any) -> str:
        """The level as text."""
        ...

    def optimal(self, levels: list[Any]) -> NDArray[np.float64]:
        """float64[K]: the greatest expected true return of each level."""
        ...

    def measures(self, levels: list[Any]) -> NDArray[np.float64]:
        """float64[K, 2]: where each level belongs in the archive."""
        ...


def ranks_of(numbers: NDArray[np.float64]) -> NDArray[np.uint64]:
    """uint64[K] ranks of layouts, from numbers in [0, 1] (float64[K])."""
    return np.minimum(numbers * LAYOUTS, LAYOUTS - 1).astype(np.uint64)


def index_of(share: float, count: int) -> int:
    """The index in [0, count) that a number in [0, 1] names."""
    return min(int(share * count), count - 1)


def opened(walls: NDArray[np.bool_], numbers: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Walls (bool[H, W]) with up to one opened for each of ``numbers`` (float64[E], in [0, 1]).

    Only walls with free cells on two opposite sides are opened; the lower half of the range opens
    none.
    """
    walls = walls.copy()
    for number in numbers:
        if number >= 0.5:
            between = _walls_between(walls)
            if len(between):
                walls[tuple(between[index_of(2 * number - 1, len(between))])] = False
    return walls


def _walls_between(walls: NDArray[np.bool_]) -> NDArray[np.int64]:
    """int64[N, 2]: walls with free cells on two opposite sides."""
    inner = walls[1:-1, 1:-1]
    across = ~walls[1:-1, :-2] & ~walls[1:-1, 2:]
    along = ~walls[:-2, 1:-1] & ~walls[2:, 1:-1]
    return np.argwhere(inner & (across | along)) + 1
