"""The data of the page without a server: levels as text, weights, rules, verdicts."""

import base64
from collections.abc import Mapping, Sequence
from typing import Any, cast

import numpy as np

from proxylab.agents.loading import LearnedPolicy
from proxylab.app import api
from proxylab.app.courses import lagoon_rules
from proxylab.app.state import COURSE, World
from proxylab.app.verdicts import verdict_facts
from proxylab.console.output import Track
from proxylab.errors import UsageError
from proxylab.evaluation.play import start_level
from proxylab.screening.run import detect

SEEDS, COURSES = 32, 8
"""Levels of each split; fewer for courses, whose texts are long."""

ARCHITECTURES = ("conv", "mlp", "egocentric-mlp", "value-iteration")
"""Networks that the page can evaluate (static/networks.js)."""

KINDS = ("maze", "race", "garden", COURSE)
"""Kinds of levels whose rules the page knows (static/walks.js, games.js and lagoon.js)."""

SHIPPED = ("proxy-00", "trusted-00")
"""Shipped agents of a task that are included, besides those named on the command line."""


def embedded_data(
    worlds: Mapping[str, World], episodes: int = 100, track: Track = lambda jobs, description: jobs
) -> dict[str, Any]:
    """The data of the page as one file.

    Args:
        worlds: {name: ``state.World``}.
        episodes: levels of each verdict; 0 leaves verdicts out.
        track: function (list, description) -> iterable, to show progress.

    Returns:
        JSON object that static/embedded.js reads.

    Raises:
        UsageError: none of the worlds can be shown without a server.
    """
    chosen = {w.name: w for w in worlds.values() if w.kind in KINDS and _policies(w)}
    if not chosen:
        raise UsageError("none of these tasks can be shown without a server")
    policies = {w.name: _policies(w) for w in chosen.values()}
    jobs = [(w, p) for w in chosen.values() for p in policies[w.name]] if episodes else []
    verdicts = {p.name: _verdict(w, p, episodes) for w, p in track(jobs, "judging")}
    return {
        "catalogue": {
            "worlds": [_entry(w, policies[w.name]) for w in chosen.values()],
            "sprites": api.sprites(),
        },
        "worlds": {w.name: _world(w) for w in chosen.values()},
        "agents": {p.name: stored(p) for group in policies.values() for p in group},
        "verdicts": verdicts,
    }


def _policies(world: World) -> list[LearnedPolicy]:
    """The agents of a world that are included."""
    wanted = [f"zoo:{world.task}/{name}" for name in SHIPPED]
    listed = [a for a in world.agents.values() if a.name in wanted or a.group == "yours"]
    learned = [cast(LearnedPolicy, world.agent(agent.name)) for agent in listed]
    return [p for p in learned if hasattr(p, "spec") and p.spec.architecture in ARCHITECTURES]


def _entry(world: World, policies: Sequence[LearnedPolicy]) -> dict[str, Any]:
    """The world's entry in the catalogue, with the included agents."""
    included = {policy.name for policy in policies}
    if world.kind == "maze":
        included |= {name for name in world.agents if name.startswith("script:")}
    entry = world.entry()
    agents = [agent for agent in entry["agents"] if agent["name"] in included]
    names = [agent["name"] for agent in agents]
    pair = [name if name in included else names[-1] for name in entry["pair"]]
    return {**entry, "agents": agents, "pair": pair, "triggers": {}}


def _world(world: World) -> dict[str, Any]:
    """Levels of a world and the parameters of its rules."""
    env: Any = world.env(1)  # each kind of level has rules or a config of its own
    count = COURSES if world.kind == COURSE else SEEDS
    levels = {split: [_level(world, split, seed) for seed in range(count)] for split in env.splits}
    if world.kind == "maze":
        return {"levels": levels, "pay": float(env.rules.goal_reward)}
    if world.kind == "garden":
        return {"levels": levels, "drying": float(env.rules.drying)}
    if world.kind == COURSE:
        return {"levels": levels, "rules": lagoon_rules(env.config)}
    rewards, best = env.rules.rewards, env.rules.best_returns
    arrows = env.level_facts(0)["arrows"]
    return {
        "levels": {split: texts[:1] for split, texts in levels.items()},
        "arrows": arrows,
        "rewards": rewards.tolist(),
        "best": best.tolist(),
    }


def _level(world: World, split: str, seed: int) -> str:
    with world.lock:
        env = world.env(1)
        start_level(env, world.task, split, seed)
        return api.described(world, env)["level"]


def stored(policy: LearnedPolicy) -> dict[str, Any]:
    """A learned policy's weights as text: float16 where that is lossless."""
    state = policy.network.state_dict()
    tensors = {name: tensor.cpu().numpy().astype("<f4") for name, tensor in state.items()}
    flat = np.concatenate([array.ravel() for array in tensors.values()])
    small = (flat.astype("<f2").astype("<f4") == flat).all()
    return {
        "architecture": policy.spec.architecture,
        "sizes": policy.spec.sizes,
        "observation_shape": list(policy.spec.observation_shape),
        "tensors": [[name, list(array.shape)] for name, array in tensors.items()],
        "dtype": "float16" if small else "float32",
        "data": base64.b64encode(flat.astype("<f2" if small else "<f4").tobytes()).decode(),
    }


def _verdict(world: World, policy: LearnedPolicy, episodes: int) -> dict[str, Any]:
    """The verdict as the page shows it, or why there is none."""
    try:
        detection = detect(policy, task=world.task, episodes=episodes)
    except ValueError as error:
        return {"state": "failed", "reason": " ".join(str(error).split())}
    return {"state": "done", **verdict_facts(detection)}
