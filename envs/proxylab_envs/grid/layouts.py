"""Wall layouts of levels with objects: drawn by level seed, hashed, found by split.

Shared by environments whose objects lie anywhere in a connected layout. A level seed and that of
its shifted twin have the same walls.
"""

from typing import Protocol

import numba
import numpy as np
from numpy.typing import NDArray

from proxylab_envs.grid.mazes import carve_uniform, hash_walls, scatter_blocks
from proxylab_envs.grid.paths import free_cells, is_connected, moves_of
from proxylab_envs.levels import NUM_BUCKETS, SHIFTED
from proxylab_envs.streams import Integer, combine, seed_stream

GENERATORS = ("blocks", "uniform")
BLOCKS, UNIFORM = range(2)
LEVEL_BITS = np.uint64(SHIFTED - 1)
"""The bits of a level seed that it shares with its twin."""
TWIN = np.uint64(SHIFTED)
"""The bit of a level seed that makes it the shifted twin."""
_WALLS_STREAM, PLACES_STREAM = 1, 2


class LayoutRules(Protocol):
    """The fields of an environment's rules that the functions of this module read."""

    @property
    def generator(self) -> int:
        """``BLOCKS`` or ``UNIFORM``."""

    @property
    def size(self) -> int:
        """S."""

    @property
    def wall_share(self) -> float:
        """Of ``BLOCKS``: probability of a wall."""


@numba.njit(cache=True)
def make_walls(
    rules: LayoutRules,
    objects: int,
    level_seed: Integer,
    walls: NDArray[np.bool_],
    scratch: NDArray[np.int64],
) -> None:
    """The layout of a level seed and of its shifted twin: walls bool[S, S], overwritten.

    Blocks are redrawn until the free cells are connected and more than ``objects``.

    Args:
        rules: LayoutRules.
        objects: number of objects, besides the agent.
        level_seed: int.
        walls: bool[S, S], overwritten.
        scratch: int64[S * S], overwritten.
    """
    stream, distances = np.empty(1, np.uint64), np.empty(walls.shape, np.int16)
    level, attempt = np.uint64(level_seed) & LEVEL_BITS, 0
    while True:
        seed_stream(stream, combine(combine(level, _WALLS_STREAM), attempt))
        if rules.generator == UNIFORM:
            carve_uniform(stream, walls, scratch)
            return
        scatter_blocks(stream, walls, rules.wall_share)
        free = free_cells(walls, scratch)
        if free > objects and is_connected(walls, scratch[0], distances, scratch):
            return
        attempt += 1


@numba.njit(cache=True)
def layouts_of(
    rules: LayoutRules, objects: int, level_seeds: NDArray[np.int64], out: NDArray[np.uint64]
) -> None:
    """Hashes of the walls of ``level_seeds`` (int64[K]): out uint64[K]."""
    walls = np.empty((rules.size, rules.size), np.bool_)
    scratch = np.empty(walls.size, np.int64)
    for k in range(level_seeds.shape[0]):
        make_walls(rules, objects, level_seeds[k], walls, scratch)
        out[k] = hash_walls(walls)


@numba.njit(cache=True)
def find_level_seeds(
    rules: LayoutRules,
    objects: int,
    ranks: NDArray[np.uint64],
    bounds: tuple[int, int],
    out: NDArray[np.int64],
) -> None:
    """Level seeds at ``ranks`` (uint64[K]) of the layouts in the buckets of ``bounds``.

    Args:
        rules: LayoutRules.
        objects: number of objects, besides the agent.
        ranks: uint64[K].
        bounds: (first bucket, the one after the last).
        out: int64[K], overwritten.
    """
    walls = np.empty((rules.size, rules.size), np.bool_)
    scratch = np.empty(walls.size, np.int64)
    for k in range(ranks.shape[0]):
        attempt = 0
        while True:
            seed = combine(ranks[k], attempt) & LEVEL_BITS
            make_walls(rules, objects, seed, walls, scratch)
            bucket = (hash_walls(walls) >> np.uint64(32)) % np.uint64(NUM_BUCKETS)
            if bounds[0] <= bucket < bounds[1]:
                out[k] = np.int64(seed)
                break
            attempt += 1


@numba.njit(cache=True)
def next_cells(
    rules: LayoutRules, objects: int, level_seeds: NDArray[np.int64], out: NDArray[np.int32]
) -> None:
    """The cell that each move leads to: out int32[K, S * S, 4], -1 from walls, overwritten."""
    walls = np.empty((rules.size, rules.size), np.bool_)
    scratch = np.empty(walls.size, np.int64)
    for k in range(level_seeds.shape[0]):
        make_walls(rules, objects, level_seeds[k], walls, scratch)
        moves_of(walls, out[k])
