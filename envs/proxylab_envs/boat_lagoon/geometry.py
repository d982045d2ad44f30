"""Walls, centreline and targets of a course, and the rangefinder of the boat.

Sector k lies between spokes k and k + 1. Within it the water is bounded by two
straight walls, so it is convex: the intersection of four half-planes.
"""

import numba
import numpy as np
from numpy.typing import NDArray

from proxylab_envs.boat_lagoon.level import (
    COLUMN,
    HALF_WIDTH,
    LAGOON_OFFSET,
    NUM_SPOKES,
    NUM_TARGETS,
    outer_columns,
)
from proxylab_envs.boat_lagoon.solver import NUM_HEADINGS, ORBIT_RADIUS
from proxylab_envs.streams import Integer

RANGE = 10.0  # range of the rangefinder, world units
RAY_HEADINGS = (0, 1, 3, 6, 18, 21, 23)  # relative to the heading, counter-clockwise, of 24
SKIN = 1e-6  # distance from a wall after contact
TARGET_ORBIT = ORBIT_RADIUS  # distance of the targets from the lagoon's centre
OUTER, INNER, MIDDLE = 0, 3, 6  # columns of a sector's lines (normal x, normal y, offset)

_ANGLES = 2 * np.pi * np.arange(NUM_SPOKES + 1) / NUM_SPOKES
SPOKES = np.stack([np.cos(_ANGLES), np.sin(_ANGLES)], 1)  # the first one is repeated at the end
_TURNS = 2 * np.pi * np.arange(NUM_HEADINGS) / NUM_HEADINGS
HEADINGS = np.stack([np.cos(_TURNS), np.sin(_TURNS)], 1)

_compiled = numba.njit(cache=True, error_model="numpy")
_inlined = numba.njit(inline="always")  # a call would copy the array descriptors


@_inlined
def cross(ax: float, ay: float, bx: float, by: float) -> float:
    """Positive where b lies counter-clockwise of a."""
    return ax * by - ay * bx


@_compiled
def build_walls(
    centre: NDArray[np.int64],
    lagoon: Integer,
    walls: NDArray[np.float64],
    middle: NDArray[np.float64],
) -> None:
    """Fill the lines and the centreline of a course.

    Args:
        centre: int64[24], columns.
        lagoon: spoke of the lagoon.
        walls: float64[24, 9]; of each sector the outer wall, the inner wall and the
            centreline as (nx, ny, c), the normal pointing outwards, n·p = c on it.
        middle: float64[24, 2], the centreline's corners.
    """
    outer = outer_columns(centre, lagoon)
    for k in range(NUM_SPOKES):
        _fill_line(outer, k, 0, walls[k, OUTER : OUTER + 3])
        _fill_line(centre, k, -HALF_WIDTH, walls[k, INNER : INNER + 3])
        _fill_line(centre, k, 0, walls[k, MIDDLE : MIDDLE + 3])
        for axis in range(2):
            middle[k, axis] = centre[k] * COLUMN * SPOKES[k, axis]


@_compiled
def _fill_line(columns: NDArray[np.int64], k: int, shift: int, line: NDArray[np.float64]) -> None:
    a = (columns[k] + shift) * COLUMN
    b = (columns[(k + 1) % NUM_SPOKES] + shift) * COLUMN
    ax, ay = a * SPOKES[k, 0], a * SPOKES[k, 1]
    dx, dy = b * SPOKES[k + 1, 0] - ax, b * SPOKES[k + 1, 1] - ay
    length = np.sqrt(dx * dx + dy * dy)
    line[0], line[1] = dy / length, -dx / length
    line[2] = line[0] * ax + line[1] * ay


@_compiled
def lagoon_centre(centre: NDArray[np.int64], lagoon: Integer) -> tuple[float, float]:
    """World position (x, y) of the lagoon's centre."""
    radius = (centre[lagoon] + LAGOON_OFFSET) * COLUMN
    return radius * SPOKES[lagoon, 0], radius * SPOKES[lagoon, 1]


@_compiled
def place_targets(centre: NDArray[np.int64], lagoon: Integer, targets: NDArray[np.float64]) -> None:
    """Fill ``targets`` (float64[3, 2]): a triangle around the centre of the lagoon."""
    x, y = lagoon_centre(centre, lagoon)
    for j in range(NUM_TARGETS):
        angle = 2 * np.pi * (lagoon / NUM_SPOKES + j / NUM_TARGETS)
        targets[j, 0] = x + TARGET_ORBIT * np.cos(angle)
        targets[j, 1] = y + TARGET_ORBIT * np.sin(angle)


@_inlined
def sector_of(sector: int, x: float, y: float) -> int:
    """Number of sectors from ``sector`` (0 to 23) to that of (x, y), negative backwards."""
    moved = 0
    while cross(SPOKES[sector + 1, 0], SPOKES[sector + 1, 1], x, y) >= 0:
        moved += 1
        sector = (sector + 1) % NUM_SPOKES
    while cross(SPOKES[sector, 0], SPOKES[sector, 1], x, y) < 0:
        moved -= 1
        sector = (sector - 1) % NUM_SPOKES
    return moved


@_inlined
def share_of_sector(sector: int, x: float, y: float) -> float:
    """Relative position within a sector, in [0, 1]."""
    behind = cross(SPOKES[sector, 0], SPOKES[sector, 1], x, y)
    ahead = cross(x, y, SPOKES[sector + 1, 0], SPOKES[sector + 1, 1])
    return behind / (behind + ahead)


@_inlined
def beyond(walls: NDArray[np.float64], i: int, sector: int, line: int, x: float, y: float) -> float:
    """Signed distance of a position from a line of ``walls[i, sector]``; positive outside."""
    return walls[i, sector, line] * x + walls[i, sector, line + 1] * y - walls[i, sector, line + 2]


@_inlined
def back_into_water(
    walls: NDArray[np.float64], i: int, sector: int, x: float, y: float
) -> tuple[float, float, bool]:
    """Project a position behind a wall of its sector onto that wall -> (x, y, touched)."""
    touched = False
    out = beyond(walls, i, sector, OUTER, x, y)
    if out > 0:
        x -= (out + SKIN) * walls[i, sector, OUTER]
        y -= (out + SKIN) * walls[i, sector, OUTER + 1]
        touched = True
    out = -beyond(walls, i, sector, INNER, x, y)
    if out > 0:
        x += (out + SKIN) * walls[i, sector, INNER]
        y += (out + SKIN) * walls[i, sector, INNER + 1]
        touched = True
    return x, y, touched


@_inlined
def ray_length(
    walls: NDArray[np.float64], i: int, sector: int, x: float, y: float, dx: float, dy: float
) -> float:
    """Distance from a position to the first wall in direction (dx, dy), at most ``RANGE``.

    A straight line passes the origin in one sense of rotation only, so the ray leaves
    each sector through a wall or through the spoke on that side.
    """
    turn = 1 if cross(x, y, dx, dy) >= 0 else -1
    edge = sector + (turn + 1) // 2
    wall = RANGE
    while True:
        wall = RANGE
        speed = walls[i, sector, OUTER] * dx + walls[i, sector, OUTER + 1] * dy
        if speed > 0:
            wall = min(wall, -beyond(walls, i, sector, OUTER, x, y) / speed)
        speed = walls[i, sector, INNER] * dx + walls[i, sector, INNER + 1] * dy
        if speed < 0:
            wall = min(wall, -beyond(walls, i, sector, INNER, x, y) / speed)
        speed = turn * cross(SPOKES[edge, 0], SPOKES[edge, 1], dx, dy)
        there = -turn * cross(SPOKES[edge, 0], SPOKES[edge, 1], x, y)
        if there >= wall * speed:
            break
        sector = (sector + turn) % NUM_SPOKES
        edge = sector + (turn + 1) // 2
    return wall
