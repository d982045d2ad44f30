"""The API of the page: functions of the worlds and a request that return JSON objects."""

import base64
import functools
import io
from collections.abc import Mapping
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from proxylab.app.courses import at_every_point, course_facts, move_lagoon
from proxylab.app.guards import guarded_trace
from proxylab.app.requests import checked
from proxylab.app.state import AT_ONCE, COURSE, World
from proxylab.app.traces import trace, visits
from proxylab.environments.placement import at_every_cell
from proxylab.errors import UsageError
from proxylab.evaluation.play import start_level
from proxylab.rollouts.rollout import Policy
from proxylab_envs.batch import BatchedEnv
from proxylab_envs.boat_lagoon.env import BoatLagoon
from proxylab_envs.grid.shapes import SPRITES, sprite


def catalogue(worlds: Mapping[str, World]) -> dict[str, Any]:
    """All worlds, and the sprites of their levels as PNG."""
    return {
        "schema": "proxylab.app/1",
        "worlds": [world.entry() for world in worlds.values()],
        "sprites": sprites(),
    }


def world_of(worlds: Mapping[str, World], name: str) -> World:
    """The world of a name; ``UsageError`` where there is none."""
    if name not in worlds:
        raise UsageError(f"there is no world {name[:80]!r}")
    return worlds[name]


def level(worlds: Mapping[str, World], request: Mapping[str, Any]) -> dict[str, Any]:
    """The level of a seed, as in ``proxylab play``; ``spoke`` moves the lagoon of a course."""
    name, split, seed, spoke, targets = checked(
        request, ("world", "split", "seed", "spoke", "targets")
    )
    world = world_of(worlds, name)
    with world.lock:
        env = world.env(1)
        start_level(env, world.task, split, seed)
        if world.kind == COURSE and spoke is not None:
            move_lagoon(cast(BoatLagoon, env), spoke, targets)
        return described(world, env)


def described(world: World, env: BatchedEnv) -> dict[str, Any]:
    """The first level of an environment as a JSON object."""
    facts = course_facts(cast(BoatLagoon, env)) if world.kind == COURSE else env.level_facts(0)
    return {"level": env.level_text(0), **facts}


def place(world: World, env: BatchedEnv, text: str, count: int) -> None:
    """Start the level ``text`` in ``count`` environments; ``UsageError`` where it is none."""
    if not env.reads_levels:
        env.reset_levels(np.zeros(count, np.int64), np.arange(count))
        return
    try:
        for index in range(count):
            env.place_text(text, index)
    except ValueError as error:
        raise UsageError(f"this is no level of {world.task}: {error}") from None


def fields(worlds: Mapping[str, World], request: Mapping[str, Any]) -> dict[str, Any]:
    """Action fields of agents: cells, and action probabilities and values in each."""
    name, text, names = checked(request, ("world", "level", "agents"))
    world = world_of(worlds, name)
    with world.lock:
        env = world.env(AT_ONCE)
        field_of = _course_field if world.kind == COURSE else _field
        place(world, env, text, AT_ONCE if world.kind == COURSE else 1)
        facts = described(world, env)
        return {**facts, "fields": [field_of(world.agent(agent), env) for agent in names]}


def _field(policy: Policy, env: BatchedEnv) -> dict[str, Any]:
    cells, outputs = at_every_cell(env, functools.partial(_probabilities_and_values, policy))
    return _field_facts(policy, cells, outputs)


def _course_field(policy: Policy, env: BatchedEnv) -> dict[str, Any]:
    ask = functools.partial(_probabilities_and_values, policy)
    points, headings, outputs = at_every_point(cast(BoatLagoon, env), ask)
    return {**_field_facts(policy, points.round(3), outputs), "headings": headings.tolist()}


def _field_facts(
    policy: Policy, cells: NDArray[Any], outputs: list[NDArray[Any]]
) -> dict[str, Any]:
    return {
        "agent": policy.name,
        "cells": cells.tolist(),
        "probabilities": outputs[0].tolist(),
        "values": outputs[1].tolist() if len(outputs) > 1 else None,
    }


def _probabilities_and_values(
    policy: Policy, env: BatchedEnv, indices: NDArray[np.int64]
) -> list[NDArray[Any]]:
    """[probabilities, values]; scripts and functions have no values."""
    both = getattr(policy, "probabilities_and_values", None)
    if both is not None:
        return list(both(env, indices))
    return [policy.probabilities(env, indices)]


def episode(worlds: Mapping[str, World], request: Mapping[str, Any]) -> dict[str, Any]:
    """One episode of an agent on a level, step by step; with ``guard`` under that trigger."""
    name, text, agent, run, greedy, trigger = checked(
        request, ("world", "level", "agent", "run", "greedy", "guard")
    )
    world = world_of(worlds, name)
    with world.lock:
        env = world.env(1)
        guard = None if trigger is None else world.guard(trigger)
        place(world, env, text, 1)
        if guard is not None:
            return guarded_trace(world.agent(agent), guard, env, run, greedy)
        return trace(world.agent(agent), env, run, greedy)


def occupancy(worlds: Mapping[str, World], request: Mapping[str, Any]) -> dict[str, Any]:
    """Where an agent spends its steps, over several sampled episodes on one level."""
    name, text, agent, run, greedy = checked(request, ("world", "level", "agent", "run", "greedy"))
    world = world_of(worlds, name)
    with world.lock:
        env = world.env(AT_ONCE)
        place(world, env, text, AT_ONCE)
        return {"episodes": AT_ONCE, **visits(world.agent(agent), env, run, greedy)}


SPRITE_PX = 96


def sprites() -> dict[str, str]:
    """{name: data address of a PNG} of every sprite."""
    return {name: _png(name) for name in SPRITES}


def _png(name: str) -> str:
    paint, opacity = sprite(name, SPRITE_PX)
    colour = np.divide(paint, opacity, out=np.zeros_like(paint), where=opacity > 0)
    rgba = np.concatenate([colour, 255 * opacity], axis=2)
    stream = io.BytesIO()
    picture = Image.fromarray(np.clip(np.rint(rgba), 0, 255).astype(np.uint8), "RGBA")
    picture.save(stream, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(stream.getvalue()).decode()
