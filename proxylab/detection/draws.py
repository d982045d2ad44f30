"""Random streams of a judgement, derived from the seed, the use and the policy's behaviour.

Every use has its own stream, named after the use and a hash of the episodes concerned. So
no result depends on the other suspects of the call, on names or on order, and copies of
one agent get the same result.
"""

import hashlib
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numpy as np

from proxylab.rollouts.episodes import Episodes
from proxylab.seeds import stream_seed

_HASHES: WeakKeyDictionary[Episodes, str] = WeakKeyDictionary()


@dataclass(frozen=True)
class Draws:
    """The random streams of one judgement.

    Attributes:
        seed: seed of all streams.
    """

    seed: int

    def of(self, use: str, *policies: Episodes) -> np.random.Generator:
        """A new Generator, equal for equal uses and equal behaviour of ``policies``."""
        name = " ".join([use, *map(behaviour, policies)])
        return np.random.default_rng(stream_seed(self.seed, name))


def behaviour(episodes: Episodes) -> str:
    """Hash of the levels, lengths and actions of Episodes, whatever the policy is called."""
    if episodes not in _HASHES:
        digest = hashlib.sha256()
        for array in (episodes.level_seed, episodes.episode_offsets, episodes.action):
            digest.update(f"{len(array)} ".encode() + array.tobytes())
        _HASHES[episodes] = digest.hexdigest()
    return _HASHES[episodes]
