"""Levels as they start, as shapes for drawings; and where in them a state lies.

The environment says how a level looks (its text, its course); nothing is stepped.
"""

from dataclasses import dataclass

import numpy as np

from proxylab.report import Course, Grid
from proxylab_envs.boat_lagoon.geometry import SPOKES
from proxylab_envs.boat_lagoon.level import COLUMN, HALF_WIDTH, NUM_SPOKES, outer_columns

SHORE = 1.0
"""Land around a course, world units."""

WORLD = 20.0
"""World units in which the first two features of a boat count its place."""


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


def place_map(env, level_seed):
    """The :class:`PlaceMap` of an environment (whose first state is overwritten), or None."""
    if hasattr(env.core, "position"):
        return PlaceMap((NUM_SPOKES, env.num_states // NUM_SPOKES), straight=True)
    rows = _text(env, level_seed)
    if not rows or len({len(row) for row in rows}) > 1:
        return None
    shape = len(rows), len(rows[0])
    return PlaceMap(shape) if shape[0] * shape[1] == env.num_states else None


def _text(env, level_seed, index=0):
    env.reset_levels(np.array([level_seed], np.int64), np.array([index]))
    return env.render_ansi(index).splitlines()


@dataclass(frozen=True)
class GridScene:
    """A level of cells, without the walls around it.

    Attributes:
        scene: :class:`~proxylab.report.Grid`.
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
        scene: :class:`~proxylab.report.Course`.
        corner: (x, y) of its top left corner in the world, y growing upwards.
    """

    scene: Course
    corner: tuple[float, float]

    @property
    def look(self):
        """Equal where levels look alike."""
        return self.scene.outer.tobytes()

    def points(self, _states, features):
        """float64[T, 2]: x and y of features float32[T, F], in world units from the corner."""
        return _turned(WORLD * features[:, :2].astype(np.float64), self.corner)


def level_scene(env, level_seed, places):
    """How a level looks at its start.

    Args:
        env: a ``BatchedEnv`` that has a :class:`PlaceMap`; its first environment is reset.
        level_seed: of the level.
        places: {landmark: int64[n] states where it is}.
    """
    rows = _text(env, level_seed)
    if hasattr(env.core, "position"):
        return course_scene(env.core)
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


def course_scene(core):
    """The :class:`CourseScene` of the first boat of a ``LagoonCore``."""
    centre, lagoon = core.centre[0], int(core.lagoon[0])
    radii = outer_columns(centre, lagoon), centre - HALF_WIDTH
    outer, inner = (COLUMN * r[:, None] * SPOKES[:NUM_SPOKES] for r in radii)
    low, high = outer.min(axis=0) - SHORE, outer.max(axis=0) + SHORE
    corner, size = (float(low[0]), float(high[1])), tuple((high - low).tolist())
    line = np.array([inner[0], outer[0]])
    targets = core.targets[0][core.timers[0] >= 0]
    outer, inner, targets, line = (_turned(part, corner) for part in (outer, inner, targets, line))
    return CourseScene(Course(outer, inner, targets, line, size), corner)


def _turned(points, corner):
    """World points (y upwards) as points of a drawing (y downwards)."""
    return (points - np.array(corner)) * np.array([1.0, -1.0])
