"""Uniformly random mazes: the kernel against plain Python, perfect mazes, their distribution."""

import hashlib
from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chisquare

from proxylab_envs.grid.counting import spanning_trees
from proxylab_envs.grid.mazes import carve_tree, carve_uniform
from proxylab_envs.levels import SHIFTED
from proxylab_envs.maze_corner import MazeConfig, MazeConfigV0, MazeCorner, MazeCornerV0
from proxylab_envs.streams import seed_stream

MASK = 2**64 - 1
GOLDEN = 0x9E3779B97F4A7C15
MOVES = ((-1, 0), (1, 0), (0, -1), (0, 1))


class Stream:
    """The random stream in Python's own integers."""

    def __init__(self, key):
        self.state = self.scramble(key + GOLDEN)

    @staticmethod
    def scramble(z):
        z &= MASK
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 & MASK
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB & MASK
        return z ^ (z >> 31)

    def draw(self, n):
        self.state = (self.state + GOLDEN) & MASK
        return (self.scramble(self.state) >> 32) * n >> 32


def wilson(key, side):
    """Passages of a uniform spanning tree: {frozenset of two rooms}, by erasing loops."""
    stream, passages = Stream(key), set()
    tree = {divmod(stream.draw(side * side), side)}
    for start in [(row, col) for row in range(side) for col in range(side)]:
        walk = [start]
        while walk[-1] not in tree:
            down, right = MOVES[stream.draw(4)]
            room = (walk[-1][0] + down, walk[-1][1] + right)
            if min(room) < 0 or max(room) >= side:
                continue
            if room in walk:
                walk = walk[: walk.index(room)]
            walk.append(room)
        tree |= set(walk)
        passages |= {frozenset(pair) for pair in pairwise(walk)}
    return passages


def carved(key, side, carve=carve_uniform):
    walls = np.zeros((2 * side + 1, 2 * side + 1), bool)
    stream = np.empty(1, np.uint64)
    seed_stream(stream, np.uint64(key))
    carve(stream, walls, np.empty(side * side, np.int64))
    return walls


def passages_of(walls):
    """The open cells between two rooms as pairs of rooms."""
    size, passages = len(walls), set()
    for row, col in np.argwhere(~walls[1:-1, 1:-1]) + 1:
        if (row + col) % 2:
            ends = ((row, col - 1), (row, col + 1)) if row % 2 else ((row - 1, col), (row + 1, col))
            assert all(0 < r < size and 0 < c < size for r, c in ends)
            passages.add(frozenset((r // 2, c // 2) for r, c in ends))
    return passages


@given(seed=st.integers(0, 2**63 - 1), side=st.integers(2, 8))
def test_kernel_equals_wilsons_algorithm_in_plain_python(seed, side):
    assert passages_of(carved(seed, side)) == wilson(seed, side)


@given(seed=st.integers(0, 2**63 - 1), side=st.integers(2, 31))
def test_a_uniform_maze_is_perfect(seed, side):
    """All rooms are joined by one passage fewer than rooms: a tree."""
    walls = carved(seed, side)
    assert not walls[1::2, 1::2].any()
    assert walls[::2, ::2].all()
    assert walls[[0, -1]].all()
    assert walls[:, [0, -1]].all()
    passages = passages_of(walls)
    assert len(passages) == side * side - 1
    reached, frontier = {(0, 0)}, [(0, 0)]
    while frontier:
        row, col = frontier.pop()
        for down, right in MOVES:
            room = (row + down, col + right)
            if room not in reached and frozenset(((row, col), room)) in passages:
                reached.add(room)
                frontier.append(room)
    assert len(reached) == side * side


def tree_counts(carve, draws=38_400):
    """How often each maze of 3x3 rooms is made from fixed seeds, commonest first."""
    made = Counter(carved(key, 3, carve).tobytes() for key in range(draws))
    return [count for _, count in made.most_common()]


def test_every_tree_of_nine_rooms_is_equally_likely():
    counts = tree_counts(carve_uniform)
    assert len(counts) == spanning_trees(3) == 192
    assert chisquare(counts).pvalue > 0.001


def test_depth_first_search_fails_the_same_check():
    counts = tree_counts(carve_tree, 9_600)
    assert len(counts) == 88
    assert chisquare(counts).pvalue < 1e-9


# Versions


def digest(env):
    """Hash of 1,000 levels, half of them shifted: observations and layouts."""
    found, index = hashlib.sha256(), np.arange(500)
    for twin in (0, SHIFTED):
        env.reset_levels(index + twin, index)
        found.update(env.core.observations.tobytes())
        found.update(env.layout_hashes(index + twin).astype("<u8").tobytes())
    return found.hexdigest()[:16]


GOLDEN_V0 = [
    ({}, "de8ad61930fbe7bd"),
    ({"size": 13}, "1bb2c646efb23496"),
    ({"corner_size": 3}, "dde91b8c549a3741"),
    ({"generator": "blocks"}, "9d2fa56167ad2939"),
    ({"generator": "blocks", "size": 13, "corner_size": 4}, "67b9eb77e0df22b1"),
]
"""Computed with the code before version 1 was added (commit 96b8322)."""


@pytest.mark.parametrize(("env_kwargs", "golden"), GOLDEN_V0)
def test_levels_of_version_0_are_what_they_were(env_kwargs, golden):
    assert digest(MazeCornerV0(500, MazeConfigV0(**env_kwargs))) == golden


@pytest.mark.parametrize("generator", ["tree", "blocks", "uniform"])
def test_versions_differ_in_the_default_generator_only(generator):
    first = MazeCornerV0(500, MazeConfigV0(generator=generator))
    second = MazeCorner(500, MazeConfig(generator=generator))
    assert digest(first) == digest(second)


def test_default_generators():
    assert digest(MazeCornerV0(500)) == digest(MazeCorner(500, MazeConfig(generator="tree")))
    assert digest(MazeCorner(500)) == digest(MazeCorner(500, MazeConfig(generator="uniform")))
    assert digest(MazeCorner(500)) != digest(MazeCornerV0(500))


@pytest.mark.parametrize(("size", "layouts"), [(5, 4), (7, 192), (9, 100_352), (11, 557_568_000)])
def test_number_of_layouts(size, layouts):
    assert MazeCorner(1, MazeConfig(size=size)).num_layouts() == layouts


@pytest.mark.parametrize(("size", "generator"), [(17, "uniform"), (13, "tree"), (9, "blocks")])
def test_number_of_layouts_that_is_not_counted(size, generator):
    assert MazeCorner(1, MazeConfig(size=size, generator=generator)).num_layouts() is None
    assert MazeCorner(1, MazeConfig(size=15)).num_layouts() == spanning_trees(7)


def test_an_even_size_is_refused_for_perfect_mazes():
    for generator in ("tree", "uniform"):
        with pytest.raises(ValueError, match=f"{generator} mazes need an odd size"):
            MazeConfig(generator=generator, size=10)
    assert MazeConfig(generator="blocks", size=10).size == 10
