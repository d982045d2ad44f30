"""The order in which the real game plays its levels, by ``rand_seed``."""

import numba
import numpy as np

from proxylab_envs.grid.mt19937 import STATE_WORDS, draw_below, next_output, seed_twister
from proxylab_envs.procgen_maze.level import GAME_SEEDS


class LevelOrder:
    """The level seeds that each of N environments of the game meets, one after another.

    A generator seeded with ``rand_seed`` gives each environment in turn the seed of its own
    generator. At every reset that one's next output chooses the level:
    ``start_level`` + output modulo ``num_levels``; with ``num_levels`` 0, all the game's
    levels, output modulo 2³¹ - 1 (``start_level`` is then without effect).
    """

    def __init__(self, num_envs, *, num_levels=0, start_level=0, rand_seed=0):
        """Make the order of ``num_envs`` environments, from their first levels.

        Raises:
            ValueError: an argument that the game does not take.
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

    def draw(self, indices):
        """Next level seeds of the environments ``indices`` (int64[K]) -> int64[K]."""
        out = np.empty(len(indices), np.int64)
        _draw_all(self.twisters, indices, self.count, out)
        return out + self.first

    def snapshot(self):
        """uint32[N, STATE_WORDS]: a copy of all that changes."""
        return self.twisters.copy()

    def restore(self, state):
        """Put a :meth:`snapshot` back; ``ValueError`` where it does not fit."""
        if state.shape != self.twisters.shape or state.dtype != self.twisters.dtype:
            raise ValueError(f"{state.dtype}{state.shape} is no state of {len(self.twisters)} envs")
        self.twisters[...] = state


@numba.njit(cache=True)
def _seed_all(seed, twisters):
    source = np.empty(STATE_WORDS, np.uint32)
    seed_twister(source, seed)
    for i in range(twisters.shape[0]):
        seed_twister(twisters[i], next_output(source))


@numba.njit(cache=True)
def _draw_all(twisters, indices, count, out):
    for k in range(indices.shape[0]):
        out[k] = draw_below(twisters[indices[k]], count)
