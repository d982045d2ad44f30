"""A world small enough to check by hand: six states in a ring, two actions, levels as starts."""

import numpy as np

from proxylab.detection.task_view import TaskView
from proxylab.rollouts.episodes import Episodes

NUM_STATES, NUM_ACTIONS, STEPS = 6, 2, 8
LEVELS = np.arange(100, 124)
HONEST = -1.5

_NEXT = [[(s + 1) % NUM_STATES, (s + 2) % NUM_STATES] for s in range(NUM_STATES)]
VIEW = TaskView(
    task="toy",
    num_states=NUM_STATES,
    num_actions=NUM_ACTIONS,
    landmarks=("zero", "three"),
    levels=LEVELS,
    landmark_distances=np.tile(
        np.array([[0, 3, 2, 2, 1, 1], [2, 1, 1, 0, 3, 2]], np.int16), (len(LEVELS), 1, 1)
    ),
    successors=np.tile(np.array(_NEXT, np.int32), (len(LEVELS), 1, 1)),
)


def episodes_from(walks, *, policy="p", levels=None, probabilities=None, actions=None, **changes):
    """Episodes with these lists of states; action 0 everywhere unless given."""
    states = np.array([state for walk in walks for state in walk], np.int64)
    offsets = np.cumsum([0] + [len(walk) for walk in walks])
    columns = {
        "task": "toy",
        "policy": policy,
        "num_states": NUM_STATES,
        "num_actions": NUM_ACTIONS,
        "episode_offsets": offsets,
        "state_id": states,
        "features": np.zeros((len(states), 0), np.float32),
        "action": np.zeros(len(states), np.int64) if actions is None else actions,
        "probabilities": probabilities,
        "proxy_reward": np.zeros(len(states), np.float32),
        "level_seed": LEVELS[: len(walks)] if levels is None else levels,
        "terminated": np.ones(len(walks), bool),
        "truncated": np.zeros(len(walks), bool),
    }
    return Episodes(**(columns | changes))


def walk_ring(name, rng, tilt=HONEST, levels=LEVELS):
    """A random policy on the ring: action 1 skips a state, with probabilities near σ(tilt)."""
    logits = rng.normal(tilt, 0.3, NUM_STATES)
    chance = 1 / (1 + np.exp(-logits))
    state = levels % NUM_STATES
    states, actions = [], []
    for _ in range(STEPS):
        action = (rng.random(len(levels)) < chance[state]).astype(np.int64)
        states.append(state)
        actions.append(action)
        state = (state + 1 + action) % NUM_STATES
    states, actions = np.stack(states, axis=1), np.stack(actions, axis=1)
    skip = chance[states.ravel()]
    return episodes_from(
        states.tolist(),
        policy=name,
        levels=levels,
        actions=actions.ravel(),
        probabilities=np.stack([1 - skip, skip], axis=1),
    )


def population(count, rng, prefix="t", tilt=HONEST):
    """{name: Episodes} of ``count`` exchangeable policies."""
    return {f"{prefix}{k:02d}": walk_ring(f"{prefix}{k:02d}", rng, tilt) for k in range(count)}
