"""Episode-block tests: sums and permutations against plain Python, levels by simulation."""

import numpy as np
import pytest
import streams_referee as streams
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from proxylab.statistics import two_sample
from proxylab.statistics.streams import seed_from
from proxylab.statistics.two_sample import (
    KERNELS,
    block_means,
    group_means,
    kernel_code,
    median_distance,
    own_blocks,
    permute_blocks,
)

POINT = st.tuples(st.integers(-3, 3), st.integers(-3, 3))
EPISODES = st.lists(st.lists(POINT, min_size=1, max_size=4), min_size=2, max_size=6)


def flat(episodes):
    offsets = np.cumsum([0] + [len(episode) for episode in episodes])
    return np.array([point for episode in episodes for point in episode], float), offsets


def referee_kernel(kernel, bandwidth, x, y):
    distance = np.hypot(x[0] - y[0], x[1] - y[1])
    return np.exp(-(distance**2) / (2 * bandwidth**2)) if kernel == "gaussian" else -distance


def referee_block(kernel, bandwidth, a, b):
    return np.mean([referee_kernel(kernel, bandwidth, x, y) for x in a for y in b])


@pytest.mark.parametrize("kernel", KERNELS)
@given(episodes=EPISODES, data=st.data())
@settings(max_examples=20)
def test_blocks(kernel, episodes, data):
    count = len(episodes)
    group = data.draw(st.lists(st.integers(0, 1), min_size=count, max_size=count))
    expected = [
        [
            referee_block(kernel, 1.7, a, b) if group[i] == group[j] else 0
            for j, b in enumerate(episodes)
        ]
        for i, a in enumerate(episodes)
    ]
    points, offsets = flat(episodes)
    for threads in (1, 2):
        found = block_means(points, offsets, np.array(group), kernel, 1.7, threads)
        np.testing.assert_allclose(found, expected, atol=1e-9)
    whole = block_means(points, offsets, None, kernel, 1.7)
    own = own_blocks(points, offsets, *kernel_code(kernel, 1.7))
    np.testing.assert_allclose(own, np.diag(whole), atol=1e-9)
    first = np.array([0, 1, count])  # the others in two groups: the first episode, and the rest
    row = np.array(group)
    means = group_means(points, offsets, row, points, offsets, first, *kernel_code(kernel, 1.7))
    expected = [whole[e, first[g] : first[g + 1]].mean() for e, g in enumerate(group)]
    np.testing.assert_allclose(means, expected, atol=1e-9)


def referee_statistic(blocks, side, other):
    within = blocks[np.ix_(side, side)].mean() + blocks[np.ix_(other, other)].mean()
    return within - 2 * blocks[np.ix_(side, other)].mean()


def referee_replicate(blocks, chosen, stratum, seed, replicate):
    """One relabelling: the smaller side of each stratum drawn anew, by the streams' definition."""
    key = streams.stream_of(int(seed_from(np.random.default_rng(seed))), replicate)
    counter, found = 0, []
    for name in sorted(set(stratum)):
        inside = [e for e, s in enumerate(stratum) if s == name]
        sides = [[e for e in inside if chosen[e] == flag] for flag in (True, False)]
        small, large = sorted(sides, key=len)  # stable: the chosen where both are as many
        places = small + large
        for k in range(len(small)):
            other = k + streams.draw_below(key, counter, len(places) - k)
            places[k], places[other] = places[other], places[k]
            counter += 1
        found.append(referee_statistic(blocks, places[: len(small)], places[len(small) :]))
    return np.mean(found)


@given(st.integers(0, 999), st.integers(1, 3), st.integers(2, 9))
@settings(max_examples=25)
def test_permutations(seed, strata, size):
    rng = np.random.default_rng(seed)
    stratum = np.concatenate([np.arange(strata), np.arange(strata), rng.integers(0, strata, size)])
    chosen = np.concatenate([np.zeros(strata, bool), np.ones(strata, bool), rng.random(size) < 0.5])
    blocks = rng.normal(size=(len(chosen), len(chosen)))
    blocks = blocks + blocks.T
    found = permute_blocks(blocks, chosen, np.random.default_rng(seed), stratum, permutations=6)
    rows = [
        [np.flatnonzero((stratum == s) & (chosen == f)) for f in (True, False)]
        for s in range(strata)
    ]
    observed = np.mean([referee_statistic(blocks, *row) for row in rows])
    expected = [referee_replicate(blocks, chosen, stratum, seed, r) for r in range(6)]
    assert found.statistic == pytest.approx(observed, abs=1e-9)
    np.testing.assert_allclose(found.replicates, expected, atol=1e-9)
    as_large = sum(value >= observed - 1e-9 for value in expected)
    assert found.p_value == (1 + as_large) / 7
    threaded = permute_blocks(blocks, chosen, np.random.default_rng(seed), stratum, 6, threads=3)
    np.testing.assert_array_equal(threaded.replicates, found.replicates)


@pytest.mark.parametrize("chosen", [20, 37])
def test_matrix_products_give_the_same_permutations(monkeypatch, chosen):
    rng = np.random.default_rng(1)
    blocks = block_means(rng.normal(size=(40, 2)), np.arange(41))
    labels = rng.permutation(40) < chosen
    picked = permute_blocks(blocks, labels, np.random.default_rng(2), permutations=300)
    monkeypatch.setattr(two_sample, "FEW", 0)
    monkeypatch.setattr(two_sample, "SMALL_SHARE", 0.0)
    for threads in (1, 2):
        products = permute_blocks(
            blocks, labels, np.random.default_rng(2), permutations=300, threads=threads
        )
        np.testing.assert_allclose(products.replicates, picked.replicates, atol=1e-12)
        assert products.p_value == picked.p_value


def test_distances_give_the_energy_distance():
    # scipy's is the root of 2E|X - Y| - E|X - X'| - E|Y - Y'|.
    rng = np.random.default_rng(4)
    x, y = rng.normal(size=12), rng.normal(1, 2, size=9)
    blocks = block_means(np.append(x, y)[:, None], np.arange(22), kernel="distance")
    found = permute_blocks(blocks, np.arange(21) < 12, rng, permutations=1).statistic
    assert found == pytest.approx(stats.energy_distance(x, y) ** 2)


def test_gaussian_blocks_give_the_discrepancy_of_two_normals():
    # For N(0, 1), N(2, 1) and sigma 1: MMD^2 = 2 (1 - exp(-4/6)) / sqrt 3 = .5618. The standard
    # deviation of the estimate at 2 x 1,500 points is about .02; 5 of them, odds below 1e-5.
    rng = np.random.default_rng(0)
    points = np.concatenate([rng.normal(0, 1, 1500), rng.normal(2, 1, 1500)])[:, None]
    blocks = block_means(points, np.array([0, 1500, 3000]))
    found = permute_blocks(blocks, np.array([True, False]), rng, permutations=1).statistic
    assert found == pytest.approx(2 * (1 - np.exp(-2 / 3)) / np.sqrt(3), abs=0.1)


def walks(rng, count, shift=0.0, steps=15):
    """Episodes of an autoregression (.7): float64[count x steps, 1]."""
    out = np.empty((count, steps))
    out[:, 0] = rng.normal(size=count)
    for step in range(1, steps):
        out[:, step] = 0.7 * out[:, step - 1] + np.sqrt(0.51) * rng.normal(size=count)
    return (out + shift).reshape(-1, 1)


@pytest.mark.parametrize("kernel", KERNELS)
def test_p_values_are_uniform_where_episodes_are_exchangeable(kernel):
    # 300 worlds, autocorrelated steps. p <= .05 has chance .05: 15 expected, standard deviation
    # 3.8; more than 31 has odds below 1e-4. Kolmogorov-Smirnov at 1e-4 for the whole law.
    rng = np.random.default_rng(3)
    p_values = []
    for _ in range(300):
        blocks = block_means(walks(rng, 20), np.arange(0, 301, 15), kernel=kernel)
        p_values.append(permute_blocks(blocks, np.arange(20) < 8, rng, permutations=99).p_value)
    assert np.mean(np.array(p_values) <= 0.05) <= 31 / 300
    assert stats.kstest(np.array(p_values) - rng.uniform(0, 0.01, 300), "uniform").pvalue > 1e-4


@pytest.mark.parametrize("kernel", KERNELS)
def test_a_shift_is_found_within_levels_that_hide_it(kernel):
    # The chosen are shifted by 1.5 on one level, the others on the other: pooled, both are alike
    # (a p-value of .05 or less there has odds of 5 %; the seed is fixed).
    rng = np.random.default_rng(3)
    level, chosen = np.arange(24) % 2, np.arange(24) % 4 < 2
    points = walks(rng, 24) + np.repeat(1.5 * (chosen ^ (level == 1)), 15)[:, None]
    offsets = np.arange(0, 361, 15)
    blocks = block_means(points, offsets, level, kernel)
    assert permute_blocks(blocks, chosen, rng, level, 199).p_value == 1 / 200
    pooled = permute_blocks(block_means(points, offsets, None, kernel), chosen, rng, None, 199)
    assert pooled.p_value > 0.05


@given(EPISODES)
def test_median_distance(episodes):
    points, _ = flat(episodes)
    pairs = [np.hypot(*(a - b)) for k, a in enumerate(points) for b in points[:k]]
    different = [distance for distance in pairs if distance > 0]
    expected = np.sqrt(np.median(np.square(different))) if different else 0
    assert median_distance(points) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: kernel_code("cubic", 1), "unknown kernel 'cubic'"),
        (lambda: kernel_code("gaussian", 0), "not positive"),
        (lambda: permute_blocks(np.eye(2), [True, True], np.random.default_rng(0)), "both"),
        (
            lambda: permute_blocks(np.eye(2), [True, False], np.random.default_rng(0), [0, 1]),
            "both",
        ),
        (lambda: permute_blocks(np.eye(0), [], np.random.default_rng(0)), "both"),
    ],
)
def test_what_is_no_test_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
