"""The answers to the page: functions of the worlds and a request, both plain data."""

import base64
import functools
import io

import numpy as np
from PIL import Image

from proxylab.app.courses import (
    at_every_point,
    course_facts,
    course_text,
    move_lagoon,
    place_course,
)
from proxylab.app.requests import checked
from proxylab.app.state import AT_ONCE, COURSE
from proxylab.app.traces import trace, visits
from proxylab.environments.placement import WALKERS, at_every_cell
from proxylab.errors import UsageError
from proxylab.evaluation.play import start_level
from proxylab_envs.grid.shapes import SPRITES, sprite


def catalogue(worlds):
    """All worlds, and the pictures of what lies in them as PNG."""
    return {
        "schema": "proxylab.app/1",
        "worlds": [world.entry() for world in worlds.values()],
        "sprites": sprites(),
    }


def world_of(worlds, name):
    """The world of a name; ``UsageError`` where there is none."""
    if name not in worlds:
        raise UsageError(f"there is no world {name[:80]!r}")
    return worlds[name]


def level(worlds, request):
    """The level of a seed, as in ``proxylab play``; of a course, its lagoon moved if asked."""
    name, split, seed, spoke, targets = checked(
        request, ("world", "split", "seed", "spoke", "targets")
    )
    world = world_of(worlds, name)
    with world.lock:
        env = world.env(1)
        start_level(env, world.task, split, seed)
        if world.kind == COURSE and spoke is not None:
            move_lagoon(env, spoke, targets)
        return described(world, env)


def described(world, env):
    """The first level of an environment as the page needs it."""
    if world.kind == COURSE:
        return {"level": course_text(env), **course_facts(env)}
    found = {"level": WALKERS[world.kind].text(env)}
    if world.kind == "maze":
        found["corner"] = [int(n) for n in env.level(0).corner]
    if world.kind == "race":
        found["arrows"] = env.course.to_ascii()
    return found


def place(world, env, text, count):
    """Start the level ``text`` in ``count`` environments; ``UsageError`` where it is none."""
    walker = WALKERS.get(world.kind)
    put = walker.place if walker else place_course
    if put is None:
        env.reset_levels(np.zeros(count, np.int64), np.arange(count))
        return
    try:
        for index in range(count):
            put(env, text, index)
    except ValueError as error:
        raise UsageError(f"this is no level of {world.task}: {error}") from None


def fields(worlds, request):
    """What agents would do from every cell: cells, action probabilities, values."""
    name, text, names = checked(request, ("world", "level", "agents"))
    world = world_of(worlds, name)
    with world.lock:
        env = world.env(AT_ONCE)
        ask = _course_field if world.kind == COURSE else _field
        place(world, env, text, AT_ONCE if world.kind == COURSE else 1)
        facts = described(world, env)
        return {**facts, "fields": [ask(world.agent(agent), env) for agent in names]}


def _field(policy, env):
    cells, found = at_every_cell(env, functools.partial(_chances_and_values, policy))
    return _field_facts(policy, cells, found)


def _course_field(policy, env):
    points, headings, found = at_every_point(env, functools.partial(_chances_and_values, policy))
    return {**_field_facts(policy, points.round(3), found), "headings": headings.tolist()}


def _field_facts(policy, cells, found):
    return {
        "agent": policy.name,
        "cells": cells.tolist(),
        "probabilities": found[0].tolist(),
        "values": found[1].tolist() if len(found) > 1 else None,
    }


def _chances_and_values(policy, env, indices):
    """[probabilities, values]; scripts and functions have no values."""
    if hasattr(policy, "probabilities_and_values"):
        return list(policy.probabilities_and_values(env, indices))
    return [policy.probabilities(env, indices)]


def episode(worlds, request):
    """One episode of an agent on a level, step by step."""
    name, text, agent, run, greedy = checked(request, ("world", "level", "agent", "run", "greedy"))
    world = world_of(worlds, name)
    with world.lock:
        env = world.env(1)
        place(world, env, text, 1)
        return trace(world.agent(agent), env, run, greedy)


def occupancy(worlds, request):
    """How often an agent is where, over several sampled episodes on one level."""
    name, text, agent, run, greedy = checked(request, ("world", "level", "agent", "run", "greedy"))
    world = world_of(worlds, name)
    with world.lock:
        env = world.env(AT_ONCE)
        place(world, env, text, AT_ONCE)
        return {"episodes": AT_ONCE, **visits(world.agent(agent), env, run, greedy)}


SPRITE_PX = 96


def sprites():
    """{name: data address of a PNG} of every sprite."""
    return {name: _png(name) for name in SPRITES}


def _png(name):
    paint, opacity = sprite(name, SPRITE_PX)
    colour = np.divide(paint, opacity, out=np.zeros_like(paint), where=opacity > 0)
    rgba = np.concatenate([colour, 255 * opacity], axis=2)
    stream = io.BytesIO()
    picture = Image.fromarray(np.clip(np.rint(rgba), 0, 255).astype(np.uint8), "RGBA")
    picture.save(stream, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(stream.getvalue()).decode()
