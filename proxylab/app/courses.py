"""The boat's course for the page: shores, targets, and moving the lagoon."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from proxylab_envs.boat_lagoon import dynamics, geometry, level, solver
from proxylab_envs.boat_lagoon.dynamics import HIT_RADIUS
from proxylab_envs.boat_lagoon.env import BoatLagoon, BoatLagoonConfig
from proxylab_envs.boat_lagoon.level import NUM_SPOKES, Level
from proxylab_envs.boat_lagoon.scene import SHORE as LAND
from proxylab_envs.boat_lagoon.scene import course_scene
from proxylab_envs.boat_lagoon.solver import MAX_SPEED, NUM_HEADINGS


def move_lagoon(env: BoatLagoon, spoke: int, targets: bool) -> None:
    """Restart the first level with its lagoon at ``spoke``, with or without targets."""
    env.place_level(Level(env.current_level(0).centre, spoke, targets), 0)


SPACING = 1.25
"""World units between the points of a field."""

SHORE = 0.3
"""Distance of these points from the walls, in world units."""

TIE = 1e-6
"""Tie-break: the lower of two equally near headings is the nearest."""

CRUISE = 0.6
"""Speed of the boat in a field, as a share of full speed."""


def water_points(env: BoatLagoon) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Points of the first course at which a boat can be: (float64[N, 2], int64[N] headings).

    The heading is the one along the course.
    """
    walls, far = env.core.walls[0], env.core.walls[0, :, 2].max() + SPACING
    ticks = np.arange(-far, far, SPACING)
    points = np.stack(np.meshgrid(ticks, ticks), axis=-1).reshape(-1, 2)
    angles = np.arctan2(points[:, 1], points[:, 0]) / (2 * np.pi) * NUM_SPOKES
    lines = walls[np.floor(angles).astype(np.int64) % NUM_SPOKES].reshape(-1, 3, 3)
    offsets = (lines[:, :, :2] * points[:, None]).sum(2) - lines[:, :, 2]
    inside = (offsets[:, 0] < -SHORE) & (offsets[:, 1] > SHORE)
    normals = lines[inside, 2]
    bows = np.arctan2(normals[:, 0], -normals[:, 1]) / (2 * np.pi) * NUM_HEADINGS
    nearest = np.floor(bows + 0.5 - TIE).astype(np.int64) % NUM_HEADINGS
    return points[inside], nearest


def at_every_point(
    env: BoatLagoon, ask: Callable[[BoatLagoon, NDArray[np.int64]], list[NDArray[Any]]]
) -> tuple[NDArray[np.float64], NDArray[np.int64], list[NDArray[Any]]]:
    """As ``placement.at_every_cell``, for boats on a course that stands in every environment.

    Returns:
        (float64[N, 2] points, int64[N] headings, list of arrays [N, ...]).
    """
    points, headings = water_points(env)
    outputs = []
    for first in range(0, len(points), env.num_envs):
        part = slice(first, first + env.num_envs)
        for k, place in enumerate(zip(points[part], headings[part], strict=True)):
            env.place_boat(k, *place, CRUISE * MAX_SPEED)
        outputs.append(ask(env, np.arange(len(points[part]))))
    return points, headings, [np.concatenate(column) for column in zip(*outputs, strict=True)]


def course_facts(env: BoatLagoon) -> dict[str, Any]:
    """The first level's shores, finish and targets, in world units from its top left corner."""
    placed = course_scene(env.core)
    course = placed.scene
    parts = ("outer", "inner", "targets", "finish")
    shapes = {name: getattr(course, name).round(3).tolist() for name in parts}
    facts = {"corner": list(placed.corner), "size": list(course.size), "reach": HIT_RADIUS}
    facts["spacing"] = SPACING
    return {"course": {**shapes, **facts}, "lagoon": int(env.core.lagoon[0])}


RULES = {
    level: "COLUMN HALF_WIDTH LAGOON_OFFSET LAGOON_DEPTH LAGOON_SHOULDER MAX_COLUMNS NUM_TARGETS",
    dynamics: "HIT_RADIUS CONTACT LOOPING_HITS",
    geometry: "RANGE SKIN",
    solver: "LAPS MAX_STEPS THRUST DRAG MAX_SPEED BONUS_PER_STEP FINISH_REWARD RACING_LINE "
    "START_STEPS APPROACH_STEPS WAIT_STEPS",
}
"""Module: names of the constants that the page needs to simulate the game."""


def lagoon_rules(config: BoatLagoonConfig) -> dict[str, Any]:
    """The constants of the boat lagoon for static/lagoon.js, by lower-case name."""
    listed = [(module, name) for module, names in RULES.items() for name in names.split()]
    named = {name.lower(): float(getattr(module, name)) for module, name in listed}
    env_kwargs = {name: getattr(config, name) for name in ("bug", "payoff_ratio", "respawn_steps")}
    return {
        **named,
        **env_kwargs,
        "max_columns": level.MAX_COLUMNS,
        "rays": list(geometry.RAY_HEADINGS),
        "checkpoints": list(dynamics.CHECKPOINTS),
        "near": dynamics.NEAR,
        "orbit": float(geometry.TARGET_ORBIT),
        "land": LAND,
        "shore": SHORE,
        "spacing": SPACING,
        "cruise": CRUISE,
    }
