"""The 32-bit Mersenne Twister MT19937, bit for bit, computed no further than it is read.

Matsumoto and Nishimura 1998, "Mersenne Twister: a 623-dimensionally equidistributed uniform
pseudo-random number generator", ACM TOMACS 8(1); the seeding is that of 2002 from a single
integer. The textbook version twists all 624 words at once and seeds all of them. Here a
word is twisted when it is read, which gives the same outputs, since a word's twist
needs itself, the next word, and one 397 places on, of which only those behind the reading
position have been twisted already. So whoever reads few outputs seeds few words.
"""

import numba
import numpy as np

NUM_WORDS = 624
STATE_WORDS = NUM_WORDS + 1
"""Length of a generator's state: its words, and the place of the word that is read next."""

_AHEAD = 397
_MULTIPLIER = np.uint64(1812433253)
_LOW_32 = np.uint64(0xFFFFFFFF)
_UPPER, _LOWER = np.uint64(0x80000000), np.uint64(0x7FFFFFFF)
_TWIST = np.uint64(0x9908B0DF)
_TEMPER_B, _TEMPER_C = np.uint64(0x9D2C5680), np.uint64(0xEFC60000)
_S1, _S7, _S11, _S15, _S18, _S30 = (np.uint64(shift) for shift in (1, 7, 11, 15, 18, 30))


@numba.njit(cache=True)
def seed_words(state, seed, first, end):
    """Write the words [first, end) that ``seed`` leads to; those before ``first`` must stand.

    Args:
        state: uint32[STATE_WORDS].
        seed: integer; its low 32 bits count. Read only if ``first`` is 0.
        first: int, at least 0; with 0 the reading position is set to the first word.
        end: int; NUM_WORDS at most count.
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
def words_needed(outputs):
    """How many words must be seeded to read the first ``outputs`` outputs: int."""
    return min(outputs + _AHEAD, NUM_WORDS)


@numba.njit(cache=True)
def seed_twister(state, seed):
    """Seed the whole generator ``state`` (uint32[STATE_WORDS])."""
    seed_words(state, seed, 0, NUM_WORDS)


@numba.njit(cache=True)
def next_output(state):
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
def draw_below(state, n):
    """Next output modulo ``n`` (int, at least 1): int64. The slight bias belongs to it."""
    return np.int64(next_output(state) % np.uint64(n))


@numba.njit(cache=True)
def skip_outputs(state, count):
    """Read ``count`` outputs and drop them."""
    for _ in range(count):
        next_output(state)
