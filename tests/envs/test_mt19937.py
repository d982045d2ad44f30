"""The lazily twisted MT19937 against the textbook's and against the standard library's."""

import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from procgen_referee import Twister

from proxylab_envs.grid.mt19937 import (
    NUM_WORDS,
    STATE_WORDS,
    draw_below,
    next_output,
    seed_twister,
    seed_words,
    skip_outputs,
    words_needed,
)


def outputs(seed, count):
    state = np.zeros(STATE_WORDS, np.uint32)
    seed_twister(state, np.uint64(seed))
    return [int(next_output(state)) for _ in range(count)]


def test_the_ten_thousandth_output_of_the_c_plus_plus_standard():
    # [rand.predef]: the 10,000th output of a default mt19937 (seed 5489) is 4123659995.
    assert outputs(5489, 10_000)[-1] == 4123659995


@pytest.mark.parametrize("seed", [0, 1, 5489, 2**31 - 1, 2**32 - 1])
def test_outputs_are_those_of_numpy_and_of_the_textbook(seed):
    ours = outputs(seed, 3 * 624 + 5)
    numpys = np.random.RandomState(seed)
    assert ours == [int(numpys.randint(0, 2**32, dtype=np.uint32)) for _ in ours]
    textbook = Twister(seed)
    assert ours == [textbook.output() for _ in ours]


def test_the_standard_library_goes_on_from_our_state():
    state = np.zeros(STATE_WORDS, np.uint32)
    seed_twister(state, np.uint64(77))
    theirs = random.Random()
    theirs.setstate((3, (*state[:NUM_WORDS].tolist(), 624), None))
    for _ in range(1500):
        assert int(next_output(state)) == theirs.getrandbits(32)


@given(seed=st.integers(0, 2**32 - 1), count=st.integers(0, 700), cut=st.integers(0, 700))
def test_seeding_no_further_than_needed_changes_no_output(seed, count, cut):
    state = np.full(STATE_WORDS, 0xDEADBEEF, np.uint32)
    seed_words(state, np.uint64(seed), 0, words_needed(min(cut, count)))
    read = [int(next_output(state)) for _ in range(min(cut, count))]
    seed_words(state, 0, words_needed(min(cut, count)), words_needed(count))
    read += [int(next_output(state)) for _ in range(count - len(read))]
    textbook = Twister(seed)
    assert read == [textbook.output() for _ in range(count)]


@given(seed=st.integers(0, 2**32 - 1), skip=st.integers(0, 1300), n=st.integers(1, 2**31))
def test_skipping_and_drawing(seed, skip, n):
    state = np.zeros(STATE_WORDS, np.uint32)
    seed_twister(state, np.uint64(seed))
    skip_outputs(state, skip)
    textbook = Twister(seed)
    for _ in range(skip):
        textbook.output()
    assert draw_below(state, n) == textbook.draw(n)


def test_only_the_low_32_bits_of_a_seed_count():
    assert outputs(2**32 + 9, 5) == outputs(9, 5)
