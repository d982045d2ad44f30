"""What the page needs to do without a server: levels as text, weights, rules, verdicts."""

import base64

import numpy as np

from proxylab.app import api
from proxylab.app.courses import lagoon_rules
from proxylab.app.state import COURSE
from proxylab.app.verdicts import verdict_facts
from proxylab.errors import UsageError
from proxylab.evaluation.play import start_level
from proxylab.screening.run import detect

SEEDS, COURSES = 32, 8
"""Levels of each split; of courses, whose texts are long."""

ARCHITECTURES = ("planner", "towers", "centred")
"""Networks that the page can evaluate (static/networks.js)."""

KINDS = ("maze", "race", "garden", COURSE)
"""Kinds of levels whose rules the page knows (static/walks.js, games.js and lagoon.js)."""

SHIPPED = ("proxy-00", "trusted-00")
"""Shipped agents of a task that are put in, beside those named on the command line."""


def embedded_data(worlds, episodes=100, track=lambda jobs, description: jobs):
    """The data of the page as one file.

    Args:
        worlds: {name: ``state.World``}.
        episodes: levels of each verdict; 0 leaves verdicts out.
        track: function (list, description) -> iterable, to show progress.

    Returns:
        JSON object that static/embedded.js reads.

    Raises:
        UsageError: none of the worlds can do without a server.
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
        "agents": {p.name: stored(p) for found in policies.values() for p in found},
        "verdicts": verdicts,
    }


def _policies(world):
    """The agents of a world that are put in."""
    wanted = [f"zoo:{world.task}/{name}" for name in SHIPPED]
    listed = [a for a in world.agents.values() if a.name in wanted or a.group == "yours"]
    found = [world.agent(agent.name) for agent in listed]
    return [p for p in found if hasattr(p, "spec") and p.spec.architecture in ARCHITECTURES]


def _entry(world, policies):
    """The world's entry in the catalogue, with the agents that are put in."""
    kept = {policy.name for policy in policies}
    if world.kind == "maze":
        kept |= {name for name in world.agents if name.startswith("script:")}
    entry = world.entry()
    agents = [agent for agent in entry["agents"] if agent["name"] in kept]
    names = [agent["name"] for agent in agents]
    pair = [name if name in kept else names[-1] for name in entry["pair"]]
    return {**entry, "agents": agents, "pair": pair}


def _world(world):
    """Levels of a world and what its rules need."""
    env, count = world.env(1), COURSES if world.kind == COURSE else SEEDS
    levels = {split: [_level(world, split, seed) for seed in range(count)] for split in env.splits}
    if world.kind == "maze":
        return {"levels": levels, "pay": float(env.rules.goal_reward)}
    if world.kind == "garden":
        return {"levels": levels, "drying": float(env.rules.drying)}
    if world.kind == COURSE:
        return {"levels": levels, "rules": lagoon_rules(env.config)}
    rewards, best = env.rules.rewards, env.rules.best_returns
    arrows = env.course.to_ascii()
    return {
        "levels": {split: found[:1] for split, found in levels.items()},
        "arrows": arrows,
        "rewards": rewards.tolist(),
        "best": best.tolist(),
    }


def _level(world, split, seed):
    with world.lock:
        env = world.env(1)
        start_level(env, world.task, split, seed)
        return api.described(world, env)["level"]


def stored(policy):
    """A learned policy's weights as text: float16 where nothing is lost by it."""
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


def _verdict(world, policy, episodes):
    """The verdict as the page shows it, or why there is none."""
    try:
        found = detect(policy, task=world.task, episodes=episodes)
    except ValueError as error:
        return {"state": "failed", "reason": " ".join(str(error).split())}
    return {"state": "done", **verdict_facts(found)}
