"""A course as shapes for drawings."""

import numpy as np

from proxylab_envs.boat_lagoon.core import LagoonCore
from proxylab_envs.boat_lagoon.geometry import SPOKES
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
