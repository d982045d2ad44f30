"""Plain data for drawings: the shapes of a level at its start, and the positions of states.

``BatchedEnv.level_scene`` and ``BatchedEnv.place_map`` return these objects.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Thing:
    """An object in a cell, as reports draw it.

    Attributes:
        name: in the legend.
        path: the ``d`` of an SVG path in a cell of 10 by 10 units, filled by the even-odd rule.
        colour: ``#rrggbb``.
    """

    name: str
    path: str
    colour: str


@dataclass(frozen=True)
class Grid:
    """A level made of cells, at its start.

    Attributes:
        rows: the cells as text, one string per row, all of equal length.
        places: {name: ((row, column), …)} of the landmarks.
        things: {character of ``rows``: its :class:`Thing`} of the environment's own objects.
    """

    rows: tuple[str, ...]
    places: dict[str, tuple[tuple[int, int], ...]]
    things: Mapping[str, Thing] = field(default_factory=dict)

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) in cells: the units of points."""
        return len(self.rows[0]), len(self.rows)


@dataclass(frozen=True)
class CourseDrawing:
    """A course of open water, y growing downwards; points are in its units.

    Attributes:
        outer: float64[n, 2], corners of the outer bank.
        inner: float64[n, 2], of the inner bank.
        targets: float64[k, 2].
        finish: float64[2, 2], ends of the finish line.
        size: (width, height), the corner with the smallest x and y is (0, 0).
    """

    outer: NDArray[np.float64]
    inner: NDArray[np.float64]
    targets: NDArray[np.float64]
    finish: NDArray[np.float64]
    size: tuple[float, float]


@dataclass(frozen=True)
class PlaceMap:
    """The spatial layout of state indices.

    Attributes:
        shape: (rows, columns) of the indices, in row-major order.
        straight: rows are sections of a course and columns are lanes, not rows and columns
            of a map.
    """

    shape: tuple[int, int]
    straight: bool = False

    def place(self, state: int) -> tuple[int, int] | None:
        """(row, column) of a state index, or None for a straightened course."""
        return None if self.straight else divmod(int(state), self.shape[1])


@dataclass(frozen=True)
class GridScene:
    """A level made of cells, cropped to its free cells and one ring of wall.

    Attributes:
        scene: :class:`Grid`.
        corner: (row, column) of its first cell in the level.
        columns: number of columns of the level.
    """

    scene: Grid
    corner: tuple[int, int]
    columns: int

    @property
    def look(self) -> tuple[str, ...]:
        """Equal for levels with equal drawings."""
        return self.scene.rows

    def points(
        self, states: NDArray[np.int64], _features: NDArray[np.float32]
    ) -> NDArray[np.float64]:
        """float64[T, 2]: centres of states int64[T], x and y in cells."""
        return cell_centres(states, self.columns) - self.corner[::-1]


@dataclass(frozen=True)
class CourseScene:
    """A course of open water.

    Attributes:
        scene: :class:`CourseDrawing`.
        corner: (x, y) of its top left corner in world coordinates, y growing upwards.
        unit: scale of the first two features of a state, in world units.
    """

    scene: CourseDrawing
    corner: tuple[float, float]
    unit: float

    @property
    def look(self) -> bytes:
        """Equal for levels with equal drawings."""
        return self.scene.outer.tobytes()

    def points(
        self, _states: NDArray[np.int64], features: NDArray[np.float32]
    ) -> NDArray[np.float64]:
        """float64[T, 2]: x and y of features float32[T, F], in world units from the corner."""
        return turned(self.unit * features[:, :2].astype(np.float64), self.corner)


def grid_map(rows: list[str], num_states: int) -> PlaceMap | None:
    """The :class:`PlaceMap` of a level's text (list of str), or None if it is not a map."""
    if not rows or len({len(row) for row in rows}) > 1:
        return None
    shape = len(rows), len(rows[0])
    return PlaceMap(shape) if shape[0] * shape[1] == num_states else None


def grid_scene(
    rows: list[str],
    places: dict[str, NDArray[np.int64]],
    things: Mapping[str, Thing] = MappingProxyType({}),
) -> GridScene:
    """The :class:`GridScene` of a level's text (list of str), without the outermost walls.

    Args:
        rows: the text; ``#`` is a wall.
        places: {landmark: int64[n] states where it is}.
        things: {character: :class:`Thing`} of the environment's own objects.
    """
    open_cells = np.argwhere(np.array([list(row) for row in rows]) != "#")
    first = np.maximum(open_cells.min(axis=0) - 1, 0)
    last = open_cells.max(axis=0) + 2
    cut = tuple(row[first[1] : last[1]] for row in rows[first[0] : last[0]])
    columns = len(rows[0])
    marks = {name: _cells(states, columns, first) for name, states in places.items()}
    return GridScene(Grid(cut, marks, things), (int(first[0]), int(first[1])), columns)


def _cells(
    states: NDArray[np.int64], columns: int, first: NDArray[np.int64]
) -> tuple[tuple[int, int], ...]:
    return tuple(
        (int(state) // columns - int(first[0]), int(state) % columns - int(first[1]))
        for state in states
    )


def cell_centres(states: NDArray[np.int64], columns: int) -> NDArray[np.float64]:
    """float64[N, 2]: x and y, in cells, of the centres of the cells ``states`` (int[N])."""
    rows, cols = np.divmod(states, columns)
    return np.stack([cols, rows], axis=1) + 0.5


def turned(points: NDArray[np.float64], corner: tuple[float, float]) -> NDArray[np.float64]:
    """Convert world coordinates (y upwards) to drawing coordinates (y downwards)."""
    return (points - np.array(corner)) * np.array([1.0, -1.0])
