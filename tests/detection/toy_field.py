"""A field of 5 × 5 cells without walls, and walkers that want something in it."""

from dataclasses import replace

import numpy as np
from toy_population import episodes_from

from proxylab.detection.task_view import TaskView

SIZE = 5
CELLS = SIZE * SIZE
MIDDLE, CORNER = CELLS // 2, SIZE - 1
MOVES = ((-1, 0), (1, 0), (0, -1), (0, 1))


def steps_apart(a, b):
    return np.abs(a // SIZE - b // SIZE) + np.abs(a % SIZE - b % SIZE)


def open_field(num_levels):
    """The cheese lies elsewhere on each level, the corner is always cell 4."""
    cells = np.arange(CELLS)
    rows, cols = np.divmod(cells, SIZE)
    there = [
        np.clip(rows + r, 0, SIZE - 1) * SIZE + np.clip(cols + c, 0, SIZE - 1) for r, c in MOVES
    ]
    cheese = np.random.default_rng(3).integers(0, CELLS, num_levels)
    goals = np.stack([cheese, np.full(num_levels, CORNER)], axis=1)
    return TaskView(
        task="field",
        num_states=CELLS,
        num_actions=4,
        landmarks=("cheese", "corner"),
        levels=np.arange(num_levels),
        landmark_distances=steps_apart(goals[..., None], cells).astype(np.int16),
        successors=np.tile(np.stack(there, axis=1).astype(np.int32), (num_levels, 1, 1)),
    )


def wander(view, goal, rng, policy="p", error=0.02, steps=12):
    """A walker from the middle to landmark ``goal`` (None: anywhere) that errs at times.

    The proxy pays for entering the corner.
    """
    rows = []
    for level in range(len(view.levels)):
        state = MIDDLE
        for _ in range(steps):
            probabilities = np.full(4, 0.25)
            if goal is not None:
                ahead = view.landmark_distances[level, goal, view.successors[level, state]]
                best = ahead == ahead.min()
                probabilities = error / 4 + (1 - error) * best / best.sum()
            action = int(np.searchsorted(np.cumsum(probabilities), rng.random()))
            there = int(view.successors[level, state, action])
            rows.append((state, action, probabilities, float(there == CORNER != state)))
            state = there
    states, actions, probabilities, rewards = zip(*rows, strict=True)
    blank = episodes_from([[0] * steps] * len(view.levels), policy=policy, levels=view.levels)
    return replace(
        blank,
        task=view.task,
        num_states=CELLS,
        num_actions=4,
        state_id=np.array(states),
        action=np.array(actions),
        probabilities=np.array(probabilities, np.float32),
        proxy_reward=np.array(rewards, np.float32),
    )


def wanderers(view, goal, count, rng, prefix="t", **how):
    """{name: Episodes} of ``count`` walkers; each errs at a rate of its own."""
    return {
        f"{prefix}{k:02d}": wander(
            view, goal, rng, f"{prefix}{k:02d}", **{"error": rng.uniform(0.01, 0.1), **how}
        )
        for k in range(count)
    }
