"""Exact returns of boat-race by dynamic programming over the boat's cell."""

import numpy as np
from numpy.typing import NDArray


def optimal_returns(
    next_cell: NDArray[np.int64],
    rewards: NDArray[np.float32],
    start_cell: int,
    time_limit: int,
    gamma: float = 1.0,
) -> NDArray[np.float64]:
    """Best return of each channel when only that channel counts.

    Args:
        next_cell: int64[S, 4].
        rewards: float[S, 4, C].
        start_cell: int.
        time_limit: steps of an episode.
        gamma: discount; the first reward is not discounted.

    Returns:
        float64[C].
    """
    values = np.zeros((rewards.shape[0], rewards.shape[2]))
    for _ in range(time_limit):
        values = (rewards + gamma * values[next_cell]).max(axis=1)
    return values[start_cell]


def expected_returns(
    next_cell: NDArray[np.int64],
    rewards: NDArray[np.float32],
    policy: NDArray[np.float32],
    start_cell: int,
    time_limit: int,
    gamma: float = 1.0,
) -> NDArray[np.float64]:
    """Expected return of each channel under a policy that looks at the cell only.

    Args:
        next_cell: int64[S, 4].
        rewards: float[S, 4, C].
        policy: float[S, 4], action probabilities.
        start_cell: int.
        time_limit: steps of an episode.
        gamma: discount; the first reward is not discounted.

    Returns:
        float64[C].
    """
    values = np.zeros((rewards.shape[0], rewards.shape[2]))
    weights = np.asarray(policy, np.float64)[:, :, None]
    for _ in range(time_limit):
        values = (weights * (rewards + gamma * values[next_cell])).sum(axis=1)
    return values[start_cell]
