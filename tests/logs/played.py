"""Episodes of two policies to write and read: what a log may hold, and what it may lack."""

import numpy as np

from proxylab.logs import RecordedEpisodes
from proxylab.rollouts.episodes import Episodes

NUM_STATES, NUM_ACTIONS = 30, 4


def played(policy="a", lengths=(3, 1, 4), seed=0, full=True, task="somewhere", **changes):
    """Random episodes; ``full`` ones have features, probabilities and the proxy reward."""
    rng = np.random.default_rng(seed)
    count = sum(lengths)
    ended = rng.random(len(lengths)) < 0.5
    probabilities = rng.dirichlet(np.ones(NUM_ACTIONS), count).astype(np.float32)
    columns = {
        "task": task,
        "policy": policy,
        "num_states": NUM_STATES,
        "num_actions": NUM_ACTIONS,
        "episode_offsets": np.concatenate(([0], np.cumsum(lengths))),
        "state_id": rng.integers(0, NUM_STATES, count),
        "features": rng.normal(size=(count, 2 if full else 0)).astype(np.float32),
        "action": rng.integers(0, NUM_ACTIONS, count),
        "probabilities": probabilities if full else None,
        "proxy_reward": rng.normal(size=count).astype(np.float32) if full else None,
        "level_seed": rng.integers(0, 1 << 40, len(lengths)),
        "terminated": ended,
        "truncated": ~ended,
        "sha256": "ab" * 32,
    }
    return RecordedEpisodes(**{**columns, **changes})


def same(one, other):
    """Whether two logs hold the same episodes, array by array."""
    names = (*Episodes.__dataclass_fields__, "sha256")
    return all(_equal(getattr(one, name), getattr(other, name)) for name in names)


def _equal(a, b):
    if isinstance(a, np.ndarray) and isinstance(b, np.ndarray):
        return a.dtype == b.dtype and np.array_equal(a, b)
    return type(a) is type(b) and a == b
