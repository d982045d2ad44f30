"""Counter-based random numbers: one independent stream per replicate of a seed.

A resampling kernel asks for word k of replicate r. Streams share no
state, so replicates may be computed in any order, in parts and on any number of
threads, with the same result. The mixing function is SplitMix64
(Steele, Lea and Flood 2014, "Fast splittable pseudorandom number generators",
OOPSLA, figure 16).
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numba
import numpy as np
from numpy.typing import NDArray

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)
_LOW = np.uint64(0xFFFFFFFF)
_HALF = np.uint64(32)


@numba.njit(cache=True)
def scramble(value: int | np.uint64) -> np.uint64:
    """The SplitMix64 finaliser: a bijection of uint64 that looks random."""
    z = np.uint64(value)
    z = (z ^ (z >> np.uint64(30))) * _MIX_1
    z = (z ^ (z >> np.uint64(27))) * _MIX_2
    return z ^ (z >> np.uint64(31))


@numba.njit(cache=True)
def stream_of(seed: int | np.uint64, replicate: int) -> np.uint64:
    """Key (uint64) of the stream of a replicate."""
    return scramble(scramble(np.uint64(seed) + _GOLDEN) + np.uint64(replicate) * _GOLDEN)


@numba.njit(cache=True)
def word(key: np.uint64, counter: int) -> np.uint64:
    """Random word ``counter`` (uint64) of the stream ``key``."""
    return scramble(np.uint64(key) + (np.uint64(counter) + np.uint64(1)) * _GOLDEN)


@numba.njit(cache=True)
def below(half: np.uint64, n: int) -> np.int64:
    """Integer in [0, n) from a random 32-bit ``half`` of a word.

    By multiplication (Lemire 2019, ACM TOMACS 29, 3); probabilities differ by less than n/2³².
    """
    return np.int64((np.uint64(half) * np.uint64(n)) >> _HALF)


@numba.njit(cache=True)
def draw_below(key: np.uint64, counter: int, n: int) -> np.int64:
    """Integer in [0, n) number ``counter`` of the stream ``key``."""
    return below(word(key, counter) >> _HALF, n)


@numba.njit(cache=True)
def fill_below(key: np.uint64, n: int, out: NDArray[np.uint32]) -> None:
    """Integers in [0, n): ``out`` uint32[K], two per word of the stream ``key``."""
    pairs = out.shape[0] // 2
    for k in range(pairs):
        both = word(key, k)
        out[2 * k] = below(both >> _HALF, n)
        out[2 * k + 1] = below(both & _LOW, n)
    if out.shape[0] % 2:
        out[-1] = draw_below(key, pairs, n)


def seed_from(rng: np.random.Generator) -> np.uint64:
    """Seed (uint64) of the streams of one resampling, drawn from a numpy Generator."""
    return np.uint64(rng.integers(0, 1 << 64, dtype=np.uint64))


def in_parts(kernel: Callable[[int, int], object], replicates: int, threads: int = 1) -> None:
    """Call ``kernel(first, last)`` for parts of the replicates 0 to ``replicates`` − 1.

    Args:
        kernel: function that fills its own part of the result; compiled with ``nogil``
            for threads to run in parallel.
        replicates: number of replicates.
        threads: largest number of threads.
    """
    edges = np.linspace(0, replicates, max(1, min(threads, replicates)) + 1).astype(np.int64)
    if len(edges) == 2:
        kernel(0, replicates)
        return
    with ThreadPoolExecutor(len(edges) - 1) as pool:
        list(pool.map(kernel, edges[:-1], edges[1:]))
