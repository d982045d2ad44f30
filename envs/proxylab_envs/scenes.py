"""Levels as they start, as shapes for drawings, and where in them a state lies: plain data.

``BatchedEnv.level_scene`` and ``BatchedEnv.place_map`` make them; nothing here is stepped.
"""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Grid:
    """A level of cells, as it starts.

    Attributes:
        rows: the cells as text, one string a row, all of one length.
        places: {name: ((row, column), …)} of the landmarks.
    """

    rows: tuple[str, ...]
    places: dict[str, tuple]

    @property
    def size(self):
        """(width, height) in cells: the units of points."""
        return len(self.rows[0]), len(self.rows)


@dataclass(frozen=True)
class Course:
    """A course of open water, y growing downwards; points are in its units.

    Attributes:
        outer: float64[n, 2], corners of the outer bank.
        inner: float64[n, 2], of the inner bank.
        targets: float64[k, 2].
        finish: float64[2, 2], ends of the finish line.
        size: (width, height), the corner with the least x and y is (0, 0).
    """

    outer: np.ndarray
    inner: np.ndarray
    targets: np.ndarray
    finish: np.ndarray
    size: tuple[float, float]


@dataclass(frozen=True)
class PlaceMap:
    """How state indices lie beside each other.

    Attributes:
        shape: (rows, columns) of the indices, counted row by row.
        straight: a row is a stretch of a course and a column a lane, not a map's.
    """

    shape: tuple[int, int]
    straight: bool = False

    def place(self, state):
        """(row, column) of a state index, or None where rows are no rows of a map."""
        return None if self.straight else divmod(int(state), self.shape[1])


@dataclass(frozen=True)
class GridScene:
    """A level of cells, without the walls around it.

    Attributes:
        scene: :class:`Grid`.
        corner: (row, column) of its first cell in the level.
        columns: of the level.
    """

    scene: Grid
    corner: tuple[int, int]
    columns: int

    @property
    def look(self):
        """Equal where levels look alike."""
        return self.scene.rows

    def points(self, states, _features):
        """float64[T, 2]: x and y of states int64[T], in cells, of the cells' middles."""
        rows, cols = np.divmod(states, self.columns)
        return np.stack([cols - self.corner[1], rows - self.corner[0]], axis=1) + 0.5


@dataclass(frozen=True)
class CourseScene:
    """A course of open water.

    Attributes:
        scene: :class:`Course`.
        corner: (x, y) of its top left corner in the world, y growing upwards.
        unit: world units in which the first two features of a state count its place.
    """

    scene: Course
    corner: tuple[float, float]
    unit: float

    @property
    def look(self):
        """Equal where levels look alike."""
        return self.scene.outer.tobytes()

    def points(self, _states, features):
        """float64[T, 2]: x and y of features float32[T, F], in world units from the corner."""
        return turned(self.unit * features[:, :2].astype(np.float64), self.corner)


def grid_map(rows, num_states):
    """The :class:`PlaceMap` of a level's text (list of str), or None where it is no map."""
    if not rows or len({len(row) for row in rows}) > 1:
        return None
    shape = len(rows), len(rows[0])
    return PlaceMap(shape) if shape[0] * shape[1] == num_states else None


def grid_scene(rows, places):
    """The :class:`GridScene` of a level's text (list of str), the outermost walls cut off.

    Args:
        rows: the text; ``#`` is a wall.
        places: {landmark: int64[n] states where it is}.
    """
    open_cells = np.argwhere(np.array([list(row) for row in rows]) != "#")
    first = np.maximum(open_cells.min(axis=0) - 1, 0)
    last = open_cells.max(axis=0) + 2
    cut = tuple(row[first[1] : last[1]] for row in rows[first[0] : last[0]])
    columns = len(rows[0])
    marks = {name: _cells(states, columns, first) for name, states in places.items()}
    return GridScene(Grid(cut, marks), (int(first[0]), int(first[1])), columns)


def _cells(states, columns, first):
    return tuple(
        (int(state) // columns - int(first[0]), int(state) % columns - int(first[1]))
        for state in states
    )


def turned(points, corner):
    """World points (y upwards) as points of a drawing (y downwards)."""
    return (points - np.array(corner)) * np.array([1.0, -1.0])
