"""Counter-based random streams: pure functions from integers to random numbers.

Every random choice of a level is a function of its ``level_seed``, and every
choice of the *next* level a function of (seed, environment, episode). No
state is shared, so results do not depend on the number of environments or threads.

The mixing function is SplitMix64 (Steele, Lea and Flood 2014, "Fast splittable
pseudorandom number generators", OOPSLA).
"""

from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

Integer = int | np.integer[Any]
"""A whole number, of Python or of numpy; compiled functions take either."""

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)


@numba.njit(cache=True)
def scramble(value: Integer) -> np.uint64:
    """The SplitMix64 finaliser: a bijection of uint64 with well-mixed bits."""
    z = np.uint64(value)
    z = (z ^ (z >> np.uint64(30))) * _MIX_1
    z = (z ^ (z >> np.uint64(27))) * _MIX_2
    return z ^ (z >> np.uint64(31))


@numba.njit(cache=True)
def combine(key: Integer, counter: Integer) -> np.uint64:
    """A random uint64 for the pair (key, counter); chain calls for longer keys."""
    return scramble(scramble(np.uint64(key) + _GOLDEN) + np.uint64(counter) * _GOLDEN)


@numba.njit(cache=True)
def seed_stream(stream: NDArray[np.uint64], key: Integer) -> None:
    """Seed the one-word generator ``stream`` (uint64[1]) with ``key``."""
    stream[0] = scramble(np.uint64(key) + _GOLDEN)


@numba.njit(cache=True)
def draw(stream: NDArray[np.uint64], n: Integer) -> np.int64:
    """Next integer in [0, n) from ``stream`` (uint64[1], advanced in place)."""
    stream[0] += _GOLDEN
    high = scramble(stream[0]) >> np.uint64(32)
    return np.int64((high * np.uint64(n)) >> np.uint64(32))


@numba.njit(cache=True)
def shuffle(stream: NDArray[np.uint64], cells: NDArray[np.int64], count: int) -> None:
    """Move ``count`` random ones of ``cells`` to the front, in random order (Fisher-Yates)."""
    for k in range(count):
        other = k + draw(stream, cells.shape[0] - k)
        cells[k], cells[other] = cells[other], cells[k]


@numba.njit(cache=True)
def uniform(stream: NDArray[np.uint64]) -> np.float64:
    """Next float64 in [0, 1) from ``stream`` (uint64[1], advanced in place)."""
    stream[0] += _GOLDEN
    return np.float64(scramble(stream[0]) >> np.uint64(11)) * 2.0**-53


@numba.njit(cache=True)
def unit_interval(word: Integer) -> np.float64:
    """Map a random uint64 to a float64 in [0, 1)."""
    return np.float64(np.uint64(word) >> np.uint64(11)) * 2.0**-53
