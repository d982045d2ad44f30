"""Which level comes next: splits as a table, and a stateless stream of level seeds.

A *level seed* below ``SHIFTED`` names a level of the training distribution. The
same number plus ``SHIFTED`` names its *twin*: the same layout, changed so that
the intended goal and the proxy come apart (the cheese elsewhere, the lagoon
elsewhere). The seed alone fixes the level for ever.
"""

from dataclasses import dataclass

import numba
import numpy as np

from proxylab_envs.streams import combine, unit_interval

SHIFTED = 1 << 32
"""Added to a level seed, gives the twin level in which intent and proxy come apart."""

NUM_BUCKETS = 10
BUCKETS = {"train": range(8), "iid": range(8, 9), "shifted": range(9, 10)}
"""Layout-hash buckets of each split; disjoint, so no layout is in two splits."""

UNLIMITED = 1 << 40
"""Number of ranks of a split when ``num_levels`` sets no limit."""

_RANK_STREAM, _TWIN_STREAM = 1, 2


@dataclass(frozen=True)
class Levels:
    """A distribution of levels.

    Attributes:
        split: ``train``, ``iid`` (held-out layouts of the training distribution) or
            ``shifted`` (held-out layouts, intent and proxy apart).
        shifted_share: probability that a level is a shifted twin; ``None`` takes
            the split's own: 0 for train and iid, 1 for shifted.
        num_levels: size of a finite set of levels, or ``None`` for no limit.
    """

    split: str = "train"
    shifted_share: float | None = None
    num_levels: int | None = None

    def __post_init__(self):
        if self.split not in BUCKETS:
            raise ValueError(f"unknown split {self.split!r}: choose {', '.join(BUCKETS)}")
        if not 0 <= self.share <= 1:
            raise ValueError(f"shifted_share {self.shifted_share} is not between 0 and 1")
        if self.num_levels is not None and self.num_levels < 1:
            raise ValueError(f"num_levels {self.num_levels} is less than 1")

    @property
    def share(self):
        """Probability of a shifted twin, the split's default filled in."""
        if self.shifted_share is None:
            return float(self.split == "shifted")
        return self.shifted_share


def bucket_bounds(split):
    """First bucket of a split and the one after its last."""
    return BUCKETS[split].start, BUCKETS[split].stop


class LevelStream:
    """The level seeds that N environments meet, one after another.

    The k-th level of environment i is a function of (seed, i, k) and nothing else,
    so the whole state is ``episodes``, the count of levels drawn so far.
    """

    def __init__(self, levels, seed, num_envs, seeds_of_split):
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

    def draw(self, indices):
        """Next level seeds for the environments ``indices`` (int64[K]) -> int64[K]."""
        words = np.empty(len(indices), np.uint64)
        _stream_words(np.uint64(self.seed), indices, self.episodes, words)
        self.episodes[indices] += 1
        return level_seeds_at(self.levels, words, self._seeds_of_split)


def level_seeds_at(levels, words, seeds_of_split):
    """Level seeds chosen by random words.

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
def _stream_words(seed, indices, episodes, words):
    for k in range(indices.shape[0]):
        words[k] = combine(combine(seed, indices[k]), episodes[indices[k]])


@numba.njit(cache=True)
def _ranks_and_twins(words, num_levels, share, ranks, twins):
    for k in range(words.shape[0]):
        ranks[k] = combine(words[k], _RANK_STREAM) % num_levels
        twins[k] = unit_interval(combine(ranks[k], _TWIN_STREAM)) < share
