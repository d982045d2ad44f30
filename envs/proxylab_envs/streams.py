"""Counter-based random streams: a number in, a random number out, no hidden state.

Every random choice of a level is a function of its ``level_seed``, and every
choice of the *next* level a function of (seed, environment, episode). Nothing
here holds state, so any number of environments or threads draw the same values.

The mixing function is SplitMix64 (Steele, Lea and Flood 2014, "Fast splittable
pseudorandom number generators", OOPSLA).
"""

import numba
import numpy as np

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)


@numba.njit(cache=True)
def scramble(value):
    """The SplitMix64 finaliser: a bijection of uint64 that looks random."""
    z = np.uint64(value)
    z = (z ^ (z >> np.uint64(30))) * _MIX_1
    z = (z ^ (z >> np.uint64(27))) * _MIX_2
    return z ^ (z >> np.uint64(31))


@numba.njit(cache=True)
def combine(key, counter):
    """A random uint64 for the pair (key, counter); chain calls for longer keys."""
    return scramble(scramble(np.uint64(key) + _GOLDEN) + np.uint64(counter) * _GOLDEN)


@numba.njit(cache=True)
def seed_stream(stream, key):
    """Point the one-word generator ``stream`` (uint64[1]) at ``key``."""
    stream[0] = scramble(np.uint64(key) + _GOLDEN)


@numba.njit(cache=True)
def draw(stream, n):
    """Next integer in [0, n) from ``stream`` (uint64[1], advanced in place)."""
    stream[0] += _GOLDEN
    high = scramble(stream[0]) >> np.uint64(32)
    return np.int64((high * np.uint64(n)) >> np.uint64(32))


@numba.njit(cache=True)
def uniform(stream):
    """Next float64 in [0, 1) from ``stream`` (uint64[1], advanced in place)."""
    stream[0] += _GOLDEN
    return np.float64(scramble(stream[0]) >> np.uint64(11)) * 2.0**-53


@numba.njit(cache=True)
def unit_interval(word):
    """The float64 in [0, 1) that a random uint64 stands for."""
    return np.float64(np.uint64(word) >> np.uint64(11)) * 2.0**-53


@numba.njit(cache=True)
def uniform_table(key, rows, column, out):
    """Fill ``out[k]`` with the uniform number of (key, rows[k], column).

    Used for action draws: two policies run with the same key on the same
    levels see the same numbers, whatever the batch they run in.

    Args:
        key: stream seed.
        rows: int64[K], for instance episode indices.
        column: int, for instance the step.
        out: float64[K], written in place.
    """
    for k in range(rows.shape[0]):
        word = combine(combine(key, rows[k]), column)
        out[k] = np.float64(word >> np.uint64(11)) * 2.0**-53
