"""Streams of replicates: by the definition, evenly spread, the same on any number of threads."""

import numpy as np
import pytest
import streams_referee as referee
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from proxylab.statistics.streams import (
    draw_below,
    fill_below,
    in_parts,
    scramble,
    seed_from,
    stream_of,
    word,
)

WORDS = st.integers(0, 2**64 - 1)


def test_the_mixing_function_is_splitmix():
    # First outputs of SplitMix64 seeded with 0, as its authors' C code prints them.
    known = [0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4, 0x06C45D188009454F]
    assert [int(word(np.uint64(0), k)) for k in range(3)] == known
    assert [referee.word(0, k) for k in range(3)] == known


@given(WORDS, st.integers(0, 2**40), st.integers(1, 2**31))
def test_draws(seed, replicate, n):
    assert int(scramble(np.uint64(seed))) == referee.scramble(seed)
    key = np.uint64(stream_of(np.uint64(seed), replicate))
    assert int(key) == referee.stream_of(seed, replicate)
    assert draw_below(key, 7, n) == referee.draw_below(int(key), 7, n)
    for count in (1, 4, 5):
        out = np.empty(count, np.uint32)
        fill_below(key, n, out)
        assert out.tolist() == referee.fill_below(int(key), count, n)
        assert (out < n).all()


def test_draws_are_even_within_a_stream_and_across_streams():
    # Two chi-square tests at 1e-4 each; the seed is fixed.
    out = np.empty(70_001, np.uint32)
    fill_below(np.uint64(stream_of(np.uint64(5), 0)), 7, out)
    keys = [np.uint64(stream_of(np.uint64(5), r)) for r in range(7_000)]
    firsts = [draw_below(key, 0, 7) for key in keys]
    for drawn in (out, firsts):
        assert stats.chisquare(np.bincount(drawn, minlength=7)).pvalue > 1e-4


@pytest.mark.parametrize("threads", [1, 2, 3, 50])
def test_parts_cover_every_replicate_once(threads):
    counts = np.zeros(20, int)

    def part(first, last):
        counts[first:last] += 1

    in_parts(part, 20, threads)
    assert (counts == 1).all()


def test_a_part_that_fails_is_heard():
    def part(first, last):
        raise ValueError(f"part {first}")

    with pytest.raises(ValueError, match="part"):
        in_parts(part, 4, threads=2)


def test_the_generator_gives_the_seed():
    seeds = [seed_from(np.random.default_rng(k)) for k in (1, 1, 2)]
    assert seeds[0] == seeds[1] != seeds[2]
