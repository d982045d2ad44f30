"""The boat's course for the page: its shores, its targets, its lagoon moved."""

from proxylab.level_scenes import course_scene
from proxylab_envs.boat_lagoon.dynamics import ABSENT, HIT_RADIUS
from proxylab_envs.boat_lagoon.level import Level, read_level, write_level


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


def course_facts(env):
    """The first level's shores, finish and targets, in world units from its top left corner."""
    found = course_scene(env.core)
    course = found.scene
    parts = ("outer", "inner", "targets", "finish")
    shapes = {name: getattr(course, name).round(3).tolist() for name in parts}
    facts = {"corner": list(found.corner), "size": list(course.size), "reach": HIT_RADIUS}
    return {"course": {**shapes, **facts}, "lagoon": int(env.core.lagoon[0])}
