"""Discounted returns over ragged episodes."""

import numba
import numpy as np
from numpy.typing import NDArray


@numba.njit(cache=True)
def discounted_returns(
    rewards: NDArray[np.floating], offsets: NDArray[np.int64], discount: float
) -> NDArray[np.float64]:
    """Σ_t γ^t r_t of every episode, the first step undiscounted.

    Args:
        rewards: float[T], reward units.
        offsets: int64[E+1], first step of each episode.
        discount: γ in [0, 1].

    Returns:
        float64[E].
    """
    returns = np.zeros(offsets.shape[0] - 1)
    for episode in range(returns.shape[0]):
        total = 0.0
        for step in range(offsets[episode + 1] - 1, offsets[episode] - 1, -1):
            total = rewards[step] + discount * total
        returns[episode] = total
    return returns
