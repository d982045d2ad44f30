"""A course as shapes for drawings."""

import numpy as np
from numpy.typing import NDArray

from proxylab_envs.boat_lagoon.core import LagoonCore
from proxylab_envs.boat_lagoon.dynamics import CELL_WIDTH, CELLS_ACROSS
from proxylab_envs.boat_lagoon.geometry import MIDDLE, OUTER, SPOKES
from proxylab_envs.boat_lagoon.level import COLUMN, HALF_WIDTH, NUM_SPOKES, outer_columns
from proxylab_envs.scenes import CourseDrawing, CourseScene, turned

SHORE = 1.0
"""Land around a course, world units."""

PLACE_UNIT = 20.0
"""Scale of the first two features of a boat, in world units."""


def course_scene(core: LagoonCore) -> CourseScene:
    """The :class:`CourseScene` of the first boat of a ``LagoonCore``."""
    centre, lagoon = core.centre[0], int(core.lagoon[0])
    radii = outer_columns(centre, lagoon), centre - HALF_WIDTH
    outer, inner = (COLUMN * r[:, None] * SPOKES[:NUM_SPOKES] for r in radii)
    low, high = outer.min(axis=0) - SHORE, outer.max(axis=0) + SHORE
    corner, size = (float(low[0]), float(high[1])), tuple((high - low).tolist())
    line = np.array([inner[0], outer[0]])
    targets = core.targets[0][core.timers[0] >= 0]
    outer, inner, targets, line = (turned(part, corner) for part in (outer, inner, targets, line))
    return CourseScene(CourseDrawing(outer, inner, targets, line, size), corner, PLACE_UNIT)


def cell_corners(core: LagoonCore, index: int) -> NDArray[np.float64]:
    """float64[num_states, 4, 2]: corners of the cells of the state index, in world units.

    A cell has no area where its lane lies behind the outer wall.
    """
    walls = core.walls[index]
    lanes = np.arange(CELLS_ACROSS + 1) * CELL_WIDTH - HALF_WIDTH * COLUMN
    edges = []
    for spokes in (SPOKES[:NUM_SPOKES], SPOKES[1:]):
        radii, limit = (
            (walls[:, line + 2, None] + shift)
            / (walls[:, line : line + 2] * spokes).sum(1, keepdims=True)
            for line, shift in ((MIDDLE, lanes), (OUTER, 0.0))
        )
        radii[:, -1] = limit[:, 0]
        edges.append(np.minimum(radii, limit)[..., None] * spokes[:, None])
    (near, far), inner, outer = edges, slice(0, -1), slice(1, None)
    corners = [near[:, inner], near[:, outer], far[:, outer], far[:, inner]]
    return np.stack(corners, 2).reshape(-1, 4, 2)
