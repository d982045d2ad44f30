"""Episodes on one level step by step, and the occupancy of many episodes."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from proxylab.rollouts.rollout import Policy, run_to_end
from proxylab_envs.batch import BatchedEnv
from proxylab_envs.channels import OUTCOMES

DIGITS = 5
"""Decimals of displayed numbers."""


def trace(policy: Policy, env: BatchedEnv, seed: int = 0, greedy: bool = False) -> dict[str, Any]:
    """The episode of the only environment, from its current state.

    Args:
        policy: agent.
        env: a ``BatchedEnv`` of one environment, its level placed.
        seed: of the action draws.
        greedy: take the most probable action.

    Returns:
        {"states": T + 1 state indices, "actions": T, "probabilities": T lists, "outcome",
        "returns": {channel: undiscounted return}} and the fields of the level's kind.
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


def scene_frame(env: BatchedEnv) -> dict[str, Any]:
    """The current state of the first environment, and its changing scenery."""
    return {"states": int(env.core.state_ids[0]), **env.scene_state(0)}


def _frame(env: BatchedEnv) -> dict[str, Any]:
    """The same with the rewards of the last step."""
    return {**scene_frame(env), "rewards": env.core.rewards[0].round(3).tolist()}


WATER_CELL = 0.75
"""Side of the squares for counting positions on open water, in world units."""


def visits(policy: Policy, env: BatchedEnv, seed: int = 0, greedy: bool = False) -> dict[str, Any]:
    """Occupancy over the episodes of all environments of ``env``, final states left out.

    Returns:
        {"states": those that occur, ascending, "shares": of all steps that begin there,
        "outcomes": {outcome: episodes}}; on open water also "places", squares by their
        centres.
    """
    running = np.flatnonzero(~env.done)
    counts = np.bincount(env.core.state_ids[running], minlength=env.num_states)
    places = [env.positions(running)]
    for moved, _, _ in run_to_end(policy, env, seed=seed, greedy=greedy):
        running = moved[~env.done[moved]]
        counts += np.bincount(env.core.state_ids[running], minlength=env.num_states)
        places.append(env.positions(running))
    visited = np.flatnonzero(counts)
    ends = np.bincount(env.core.outcomes, minlength=len(OUTCOMES))
    return {
        "states": visited.tolist(),
        "shares": (counts[visited] / counts.sum()).round(6).tolist(),
        "places": _squares(np.concatenate(places)),
        "outcomes": dict(zip(OUTCOMES, ends.tolist(), strict=True)),
    }


def _squares(places: NDArray[np.float64]) -> dict[str, Any] | None:
    """The squares that contain positions float64[K, 2], and the share of positions in each."""
    if not places.shape[1]:
        return None
    squares, counts = np.unique(np.floor(places / WATER_CELL), axis=0, return_counts=True)
    middles = ((squares + 0.5) * WATER_CELL).round(3)
    shares = (counts / counts.sum()).round(6)
    return {"cell": WATER_CELL, "points": middles.tolist(), "shares": shares.tolist()}
