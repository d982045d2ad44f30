"""Episodes on one given level, step by step; and where many of them spend their steps."""

import numpy as np

from proxylab.rollouts.rollout import run_to_end
from proxylab_envs.channels import OUTCOMES

DIGITS = 5
"""Decimals of what the page only shows."""


def trace(policy, env, seed=0, greedy=False):
    """The episode of the only environment, from where it stands.

    Args:
        policy: agent.
        env: a ``BatchedEnv`` of one environment, its level placed.
        seed: of the action draws.
        greedy: take the most probable action.

    Returns:
        {"states": T + 1 state indices, "actions": T, "probabilities": T lists, "outcome",
        "returns": {channel: undiscounted return}} and what the level's kind shows beside.
    """
    frames, probabilities, actions = [_frame(env)], [], []
    for _, rows, chosen in run_to_end(policy, env, seed=seed, greedy=greedy):
        frames.append(_frame(env))
        probabilities.append(rows[0].round(DIGITS).tolist())
        actions.append(int(chosen[0]))
    return {
        "agent": policy.name,
        **{name: [frame[name] for frame in frames] for name in frames[0]},
        "probabilities": probabilities,
        "actions": actions,
        "outcome": OUTCOMES[env.core.outcomes[0]],
        "returns": {n: float(env.core.returns[0, k]) for k, n in enumerate(env.channels)},
    }


def _frame(env):
    """What is seen of the first environment now: its state, and what beside it changes."""
    core = env.core
    found = {"states": int(core.state_ids[0]), "rewards": core.rewards[0].round(3).tolist()}
    if hasattr(env, "garden"):
        found["watered"] = core.watered[0].tolist()
    if hasattr(core, "position"):
        found["positions"] = core.position[0].round(3).tolist()
        found["headings"] = int(core.heading[0])
        found["timers"] = core.timers[0].tolist()
    return found


WATER_CELL = 0.75
"""World units a side of the squares in which places on open water are counted."""


def visits(policy, env, seed=0, greedy=False):
    """Where the episodes of all environments of ``env`` spend their steps, ends left out.

    Returns:
        {"states": those that occur, ascending, "shares": of all steps that begin there,
        "outcomes": {outcome: episodes}}; on open water also "places", squares by their
        middles.
    """
    running = np.flatnonzero(~env.done)
    counts = np.bincount(env.core.state_ids[running], minlength=env.num_states)
    places = [_positions(env, running)]
    for moved, _, _ in run_to_end(policy, env, seed=seed, greedy=greedy):
        running = moved[~env.done[moved]]
        counts += np.bincount(env.core.state_ids[running], minlength=env.num_states)
        places.append(_positions(env, running))
    found = np.flatnonzero(counts)
    ends = np.bincount(env.core.outcomes, minlength=len(OUTCOMES))
    return {
        "states": found.tolist(),
        "shares": (counts[found] / counts.sum()).round(6).tolist(),
        "places": _squares(np.concatenate(places)),
        "outcomes": dict(zip(OUTCOMES, ends.tolist(), strict=True)),
    }


def _positions(env, indices):
    """float64[K, 2] on open water, else float64[K, 0]."""
    core = env.core
    return core.position[indices] if hasattr(core, "position") else np.empty((len(indices), 0))


def _squares(places):
    """The squares that hold places float64[K, 2], and the share of places in each."""
    if not places.shape[1]:
        return None
    squares, counts = np.unique(np.floor(places / WATER_CELL), axis=0, return_counts=True)
    middles = ((squares + 0.5) * WATER_CELL).round(3)
    shares = (counts / counts.sum()).round(6)
    return {"cell": WATER_CELL, "points": middles.tolist(), "shares": shares.tolist()}
