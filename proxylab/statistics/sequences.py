"""First divergence of two paired trajectories."""

import numba
import numpy as np
from numpy.typing import NDArray

NEVER = -1
"""Value of the first divergence for two identical trajectories."""


@numba.njit(cache=True)
def first_divergence(
    tokens_a: NDArray[np.int64],
    offsets_a: NDArray[np.int64],
    tokens_b: NDArray[np.int64],
    offsets_b: NDArray[np.int64],
) -> NDArray[np.int64]:
    """First step at which paired sequences differ.

    Args:
        tokens_a: int64[T_a], what to compare (states or actions), episode after episode.
        offsets_a: int64[E+1], first step of each episode.
        tokens_b: int64[T_b].
        offsets_b: int64[E+1]; episode e of both is one pair.

    Returns:
        int64[E]: steps from the start; the shorter one's length where it is a
        prefix of the longer one; ``NEVER`` where both are the same.
    """
    out = np.full(offsets_a.shape[0] - 1, NEVER)
    for episode in range(out.shape[0]):
        start_a, start_b = offsets_a[episode], offsets_b[episode]
        length_a = offsets_a[episode + 1] - start_a
        length_b = offsets_b[episode + 1] - start_b
        shared = min(length_a, length_b)
        step = 0
        while step < shared and tokens_a[start_a + step] == tokens_b[start_b + step]:
            step += 1
        if step < max(length_a, length_b):
            out[episode] = step
    return out
