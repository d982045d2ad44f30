"""The boat's course for the page: its shores, its targets, its lagoon moved."""

import numpy as np

from proxylab_envs.boat_lagoon import dynamics, geometry, level, solver
from proxylab_envs.boat_lagoon.dynamics import ABSENT, HIT_RADIUS
from proxylab_envs.boat_lagoon.level import NUM_SPOKES, Level, read_level, write_level
from proxylab_envs.boat_lagoon.scene import SHORE as LAND
from proxylab_envs.boat_lagoon.scene import course_scene
from proxylab_envs.boat_lagoon.solver import MAX_SPEED, NUM_HEADINGS


def current_level(env):
    """The :class:`Level` of the first environment."""
    core = env.core
    present = bool(core.timers[0, 0] != ABSENT)
    return Level(tuple(core.centre[0].tolist()), int(core.lagoon[0]), present)


def course_text(env):
    """The first level as text."""
    return write_level(current_level(env))


def place_course(env, text, index):
    """Start the level ``text`` in an environment; ``ValueError`` where it is none."""
    env.place_level(read_level(text), index)


def move_lagoon(env, spoke, targets):
    """Start the first level again with its lagoon elsewhere, with targets or empty."""
    env.place_level(Level(current_level(env).centre, spoke, targets), 0)


SPACING = 1.25
"""World units between the points of a field."""

SHORE = 0.3
"""World units that they keep off the walls."""

TIE = 1e-6
"""What makes the lower of two headings that are equally near the nearest."""

CRUISE = 0.6
"""Share of full speed at which agents are asked."""


def water_points(env):
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


def at_every_point(env, ask):
    """As ``walkers.at_every_cell``, for boats on a course that stands in every environment.

    Returns:
        (float64[N, 2] points, int64[N] headings, list of arrays [N, ...]).
    """
    points, headings = water_points(env)
    found = []
    for first in range(0, len(points), env.num_envs):
        part = slice(first, first + env.num_envs)
        for k, place in enumerate(zip(points[part], headings[part], strict=True)):
            env.place_boat(k, *place, CRUISE * MAX_SPEED)
        found.append(ask(env, np.arange(len(points[part]))))
    return points, headings, [np.concatenate(column) for column in zip(*found, strict=True)]


def course_facts(env):
    """The first level's shores, finish and targets, in world units from its top left corner."""
    found = course_scene(env.core)
    course = found.scene
    parts = ("outer", "inner", "targets", "finish")
    shapes = {name: getattr(course, name).round(3).tolist() for name in parts}
    facts = {"corner": list(found.corner), "size": list(course.size), "reach": HIT_RADIUS}
    facts["spacing"] = SPACING
    return {"course": {**shapes, **facts}, "lagoon": int(env.core.lagoon[0])}


RULES = {
    level: "COLUMN HALF_WIDTH LAGOON_OFFSET LAGOON_DEPTH LAGOON_SHOULDER MAX_COLUMNS NUM_TARGETS",
    dynamics: "HIT_RADIUS CONTACT LOOPING_HITS",
    geometry: "RANGE SKIN",
    solver: "LAPS MAX_STEPS THRUST DRAG MAX_SPEED BONUS_PER_STEP FINISH_REWARD RACING_LINE "
    "START_STEPS APPROACH_STEPS WAIT_STEPS",
}
"""Module: names of its numbers that the page has to know to play the game itself."""


def lagoon_rules(config):
    """The numbers of the boat lagoon for static/lagoon.js, by their names in lower case."""
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
