"""Splits and level streams: which level an environment starts next.

A *level seed* below ``SHIFTED`` denotes a level of the training distribution. The
same number plus ``SHIFTED`` denotes its *shifted twin*: the same layout, changed so
that the intended goal and the proxy goal differ (the cheese elsewhere, the lagoon
elsewhere). The level seed alone determines the level.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from proxylab_envs.streams import combine, unit_interval

SHIFTED = 1 << 32
"""Offset from a level seed to the seed of its shifted twin."""

NUM_BUCKETS = 10
BUCKETS = {"train": range(8), "iid": range(8, 9), "shifted": range(9, 10)}
"""Layout-hash buckets of each split; disjoint, so no layout is in two splits."""

SeedsOfSplit = Callable[[str, NDArray[np.uint64]], NDArray[np.int64]]
"""Function (split, uint64[K] ranks) -> int64[K] level seeds."""

UNLIMITED = 1 << 40
"""Number of ranks of a split when ``num_levels`` sets no limit."""

_RANK_STREAM, _TWIN_STREAM = 1, 2


@dataclass(frozen=True)
class Levels:
    """A distribution of levels.

    Attributes:
        split: ``train``, ``iid`` (held-out layouts of the training distribution) or
            ``shifted`` (held-out layouts on which the two goals differ).
        shifted_share: probability that a level is a shifted twin; ``None`` means
            the default of the split: 0 for train and iid, 1 for shifted.
        num_levels: size of a finite set of levels, or ``None`` for no limit.
    """

    split: str = "train"
    shifted_share: float | None = None
    num_levels: int | None = None

    def __post_init__(self) -> None:
        if self.split not in BUCKETS:
            raise ValueError(f"unknown split {self.split!r}: choose {', '.join(BUCKETS)}")
        if not 0 <= self.share <= 1:
            raise ValueError(f"shifted_share {self.shifted_share} is not between 0 and 1")
        if self.num_levels is not None and self.num_levels < 1:
            raise ValueError(f"num_levels {self.num_levels} is less than 1")

    @property
    def share(self) -> float:
        """Probability of a shifted twin, with the default of the split applied."""
        if self.shifted_share is None:
            return float(self.split == "shifted")
        return self.shifted_share


def bucket_bounds(split: str) -> tuple[int, int]:
    """(first, stop) of the buckets of a split."""
    return BUCKETS[split].start, BUCKETS[split].stop


class LevelStream:
    """The sequence of level seeds of each of N environments.

    The k-th level of environment i is a function of (seed, i, k) only, so the whole
    state is ``episodes``, the number of levels drawn so far.
    """

    def __init__(
        self, levels: Levels, seed: int, num_envs: int, seeds_of_split: SeedsOfSplit
    ) -> None:
        """Make a stream.

        Args:
            levels: the distribution.
            seed: int, the stream's seed.
            num_envs: N.
            seeds_of_split: function (split, uint64[K] ranks) -> int64[K] level seeds.
        """
        self.levels = levels
        self.seed = seed
        self.episodes = np.zeros(num_envs, np.int64)
        self._seeds_of_split = seeds_of_split

    def draw(self, indices: NDArray[np.int64]) -> NDArray[np.int64]:
        """Next level seeds for the environments ``indices`` (int64[K]) -> int64[K]."""
        words = self.words(indices)
        self.episodes[indices] += 1
        return level_seeds_at(self.levels, words, self._seeds_of_split)

    def words(self, indices: NDArray[np.int64]) -> NDArray[np.uint64]:
        """uint64[K]: a random word of each environment and its number of levels so far."""
        words = np.empty(len(indices), np.uint64)
        _stream_words(np.uint64(self.seed), indices, self.episodes, words)
        return words


def level_seeds_at(
    levels: Levels, words: NDArray[np.uint64], seeds_of_split: SeedsOfSplit
) -> NDArray[np.int64]:
    """Level seeds selected by random words.

    Args:
        levels: the distribution.
        words: uint64[K]; equal words give equal levels.
        seeds_of_split: function (split, uint64[K] ranks) -> int64[K] level seeds.

    Returns:
        int64[K].
    """
    ranks = np.empty_like(words)
    twins = np.empty(len(words), np.int64)
    _ranks_and_twins(words, np.uint64(levels.num_levels or UNLIMITED), levels.share, ranks, twins)
    return seeds_of_split(levels.split, ranks) + SHIFTED * twins


@numba.njit(cache=True)
def _stream_words(
    seed: np.uint64,
    indices: NDArray[np.int64],
    episodes: NDArray[np.int64],
    words: NDArray[np.uint64],
) -> None:
    for k in range(indices.shape[0]):
        words[k] = combine(combine(seed, indices[k]), episodes[indices[k]])


@numba.njit(cache=True)
def _ranks_and_twins(
    words: NDArray[np.uint64],
    num_levels: np.uint64,
    share: float,
    ranks: NDArray[np.uint64],
    twins: NDArray[np.int64],
) -> None:
    for k in range(words.shape[0]):
        ranks[k] = combine(words[k], _RANK_STREAM) % num_levels
        twins[k] = unit_interval(combine(ranks[k], _TWIN_STREAM)) < share


def fitting(name: str, value: NDArray[Any], array: NDArray[Any]) -> NDArray[Any]:
    """``value``, which replaces ``array``; ``ValueError`` names the field whose shape differs."""
    value = np.asarray(value)
    if value.shape != array.shape or value.dtype != array.dtype:
        raise ValueError(
            f"{name}: {value.dtype}{value.shape} does not match {array.dtype}{array.shape}"
        )
    return value
