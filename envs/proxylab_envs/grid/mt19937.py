"""The 32-bit Mersenne Twister MT19937, bit for bit, evaluated lazily.

Matsumoto and Nishimura 1998, "Mersenne Twister: a 623-dimensionally equidistributed uniform
pseudo-random number generator", ACM TOMACS 8(1); the seeding is that of 2002 from a single
integer. The textbook version twists all 624 words at once and seeds all of them. Here a
word is twisted when it is read. The outputs are the same, because the twist of a word
depends on itself, the next word and the word 397 places ahead, of which only those behind
the reading position have been twisted already. Reading few outputs needs few seeded words.
"""

import numba
import numpy as np
from numpy.typing import NDArray

from proxylab_envs.streams import Integer

NUM_WORDS = 624
STATE_WORDS = NUM_WORDS + 1
"""Length of a generator's state: its words, and the index of the next word to read."""

_AHEAD = 397
_MULTIPLIER = np.uint64(1812433253)
_LOW_32 = np.uint64(0xFFFFFFFF)
_UPPER, _LOWER = np.uint64(0x80000000), np.uint64(0x7FFFFFFF)
_TWIST = np.uint64(0x9908B0DF)
_TEMPER_B, _TEMPER_C = np.uint64(0x9D2C5680), np.uint64(0xEFC60000)
_S1, _S7, _S11, _S15, _S18, _S30 = (np.uint64(shift) for shift in (1, 7, 11, 15, 18, 30))


@numba.njit(cache=True)
def seed_words(state: NDArray[np.uint32], seed: Integer, first: int, end: int) -> None:
    """Write the words [first, end) of ``seed``; those before ``first`` must already be set.

    Args:
        state: uint32[STATE_WORDS].
        seed: integer; only the low 32 bits are used. Read only if ``first`` is 0.
        first: int, at least 0; with 0 the reading position is set to the first word.
        end: int; values above NUM_WORDS are clipped.
    """
    if first == 0:
        state[0] = np.uint64(seed) & _LOW_32
        state[NUM_WORDS] = 0
        first = 1
    word = np.uint64(state[first - 1])
    for i in range(first, min(end, NUM_WORDS)):
        word = ((word ^ (word >> _S30)) * _MULTIPLIER + np.uint64(i)) & _LOW_32
        state[i] = word


@numba.njit(cache=True)
def words_needed(outputs: int) -> int:
    """Number of words to seed before reading the first ``outputs`` outputs."""
    return min(outputs + _AHEAD, NUM_WORDS)


@numba.njit(cache=True)
def seed_twister(state: NDArray[np.uint32], seed: Integer) -> None:
    """Seed the whole generator ``state`` (uint32[STATE_WORDS])."""
    seed_words(state, seed, 0, NUM_WORDS)


@numba.njit(cache=True)
def next_output(state: NDArray[np.uint32]) -> np.uint64:
    """Next output, an integer in [0, 2**32) as uint64; ``state`` is advanced."""
    i = np.int64(state[NUM_WORDS])
    after, ahead = i + 1, i + _AHEAD
    if after == NUM_WORDS:
        after = 0
    if ahead >= NUM_WORDS:
        ahead -= NUM_WORDS
    state[NUM_WORDS] = after
    both = (np.uint64(state[i]) & _UPPER) | (np.uint64(state[after]) & _LOWER)
    word = np.uint64(state[ahead]) ^ (both >> _S1) ^ ((both & np.uint64(1)) * _TWIST)
    state[i] = word
    word ^= word >> _S11
    word ^= (word << _S7) & _TEMPER_B
    word ^= (word << _S15) & _TEMPER_C
    return word ^ (word >> _S18)


@numba.njit(cache=True)
def draw_below(state: NDArray[np.uint32], n: Integer) -> np.int64:
    """Next output modulo ``n`` (int, at least 1): int64, slightly biased by the modulo."""
    return np.int64(next_output(state) % np.uint64(n))


@numba.njit(cache=True)
def skip_outputs(state: NDArray[np.uint32], count: int) -> None:
    """Discard ``count`` outputs."""
    for _ in range(count):
        next_output(state)
