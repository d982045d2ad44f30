"""The order in which the original game plays its levels, by ``rand_seed``."""

import numba
import numpy as np
from numpy.typing import NDArray

from proxylab_envs.grid.mt19937 import STATE_WORDS, draw_below, next_output, seed_twister
from proxylab_envs.procgen_maze.level import GAME_SEEDS


class LevelOrder:
    """The sequence of level seeds of each of N environments of the original game.

    A generator seeded with ``rand_seed`` seeds the generator of each environment in turn. At
    every reset, the next output of the latter selects the level: ``start_level`` + output
    modulo ``num_levels``; with ``num_levels`` 0, output modulo 2³¹ - 1 (``start_level`` then
    has no effect).
    """

    def __init__(
        self, num_envs: int, *, num_levels: int = 0, start_level: int = 0, rand_seed: int = 0
    ) -> None:
        """Start the sequences of ``num_envs`` environments.

        Raises:
            ValueError: an argument outside the range of the original.
        """
        if num_levels < 0 or start_level < 0 or start_level + num_levels > GAME_SEEDS:
            raise ValueError(
                f"start_level {start_level} and num_levels {num_levels} must be at least 0 "
                f"and their sum at most {GAME_SEEDS}"
            )
        self.first = start_level if num_levels else 0
        self.count = num_levels or GAME_SEEDS
        self.twisters = np.empty((num_envs, STATE_WORDS), np.uint32)
        _seed_all(np.uint64(rand_seed & 0xFFFFFFFF), self.twisters)

    def draw(self, indices: NDArray[np.int64]) -> NDArray[np.int64]:
        """Next level seeds of the environments ``indices`` (int64[K]) -> int64[K]."""
        out = np.empty(len(indices), np.int64)
        _draw_all(self.twisters, indices, self.count, out)
        return out + self.first

    def snapshot(self) -> NDArray[np.uint32]:
        """uint32[N, STATE_WORDS]: a copy of the mutable state."""
        return self.twisters.copy()

    def restore(self, state: NDArray[np.uint32]) -> None:
        """Restore a :meth:`snapshot`; ``ValueError`` if its shape or dtype differs."""
        if state.shape != self.twisters.shape or state.dtype != self.twisters.dtype:
            raise ValueError(
                f"{state.dtype}{state.shape} is not a state of {len(self.twisters)} environments"
            )
        self.twisters[...] = state


@numba.njit(cache=True)
def _seed_all(seed: np.uint64, twisters: NDArray[np.uint32]) -> None:
    source = np.empty(STATE_WORDS, np.uint32)
    seed_twister(source, seed)
    for i in range(twisters.shape[0]):
        seed_twister(twisters[i], next_output(source))


@numba.njit(cache=True)
def _draw_all(
    twisters: NDArray[np.uint32], indices: NDArray[np.int64], count: int, out: NDArray[np.int64]
) -> None:
    for k in range(indices.shape[0]):
        out[k] = draw_below(twisters[indices[k]], count)
