"""Intervals: against plain referees, and by simulated coverage."""

import numpy as np
import pytest
import streams_referee as streams
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from proxylab.statistics.resampling import (
    auroc,
    auroc_interval,
    bootstrap,
    bootstrap_auroc,
    bootstrap_columns,
    bootstrap_interval,
    estimate_of,
    ratio_interval,
    resampled_means,
    wilson_interval,
)
from proxylab.statistics.streams import seed_from

VALUES = st.lists(st.floats(-10, 10), min_size=1, max_size=12)


def referee_iqm(sample):
    """Mean of the middle half, by copying every value four times."""
    copies = np.sort(np.repeat(sample, 4))
    quarter = len(sample)
    return copies[quarter:-quarter].mean()


def referee_area(positive, negative):
    """Wins of all pairs, ties half."""
    pairs = [(p > n) + 0.5 * (p == n) for p in positive for n in negative]
    return sum(pairs) / len(pairs)


def drawn(seed, replicate, count):
    """What replicate draws of ``count`` values, by the definition of the streams."""
    key = streams.stream_of(int(seed_from(np.random.default_rng(seed))), replicate)
    return streams.fill_below(key, count, count)


def drawn_one_by_one(seed, replicate, count):
    key = streams.stream_of(int(seed_from(np.random.default_rng(seed))), replicate)
    return [streams.draw_below(key, k, count) for k in range(count)]


@given(VALUES, st.integers(0, 2**32 - 1))
def test_resampled_statistics_are_those_of_the_samples_drawn(values, seed):
    values = np.array(values)
    ranked = np.sort(values)
    rows = [drawn(seed, r, len(values)) for r in range(5)]
    means, iqms = (
        bootstrap(values, np.random.default_rng(seed), name, 5) for name in ("mean", "iqm")
    )
    np.testing.assert_allclose(means, [values[row].mean() for row in rows], atol=1e-9)
    np.testing.assert_allclose(iqms, [referee_iqm(ranked[row]) for row in rows], atol=1e-9)
    given_rows = resampled_means(values, np.array(rows, np.int32))
    np.testing.assert_allclose(given_rows, means, atol=1e-9)
    assert estimate_of(values, "iqm") == pytest.approx(referee_iqm(values), abs=1e-9)


@given(st.lists(st.tuples(*[st.floats(-10, 10)] * 3), min_size=1, max_size=9), st.integers(0, 99))
def test_columns_are_resampled_together(rows, seed):
    columns = np.array(rows).T
    expected = [columns[:, drawn(seed, r, len(rows))].mean(axis=1) for r in range(4)]
    found = bootstrap_columns(columns, np.random.default_rng(seed), 4)
    np.testing.assert_allclose(found, expected, atol=1e-9)


SCORES = st.lists(st.integers(0, 4), min_size=1, max_size=7)


@given(SCORES, SCORES, st.integers(0, 99))
def test_areas_count_pairs_and_ties(positive, negative, seed):
    assert auroc(positive, negative) == pytest.approx(referee_area(positive, negative))
    found = bootstrap_auroc(positive, negative, np.random.default_rng(seed), 4)
    above, below = np.array(positive), np.array(negative)
    expected = [
        referee_area(
            above[drawn_one_by_one(seed, 2 * r, len(above))],
            below[drawn_one_by_one(seed, 2 * r + 1, len(below))],
        )
        for r in range(4)
    ]
    np.testing.assert_allclose(found, expected, atol=1e-9)


def test_area_agrees_with_the_u_statistic():
    rng = np.random.default_rng(2)
    above, below = rng.integers(0, 20, 30) + 4.0, rng.integers(0, 20, 50)
    u = stats.mannwhitneyu(above, below).statistic
    assert auroc(above, below) == pytest.approx(u / 1500)
    assert auroc([1, 2], [0]) == 1
    assert auroc([1], [1, 1]) == 0.5
    assert auroc([-np.inf], [0, 1]) == 0


@pytest.mark.parametrize("threads", [2, 3])
def test_the_number_of_threads_changes_nothing(threads):
    rng = np.random.default_rng(0)
    values, columns = rng.normal(size=31), rng.normal(size=(3, 17))

    def everything(threads):
        fresh = np.random.default_rng(9)
        return [
            bootstrap(values, fresh, "mean", 101, threads),
            bootstrap(values, fresh, "iqm", 101, threads),
            bootstrap_auroc(values[:9], values[9:], fresh, 101, threads),
            bootstrap_columns(columns, fresh, 101, threads),
        ]

    for one, many in zip(everything(1), everything(threads), strict=True):
        np.testing.assert_array_equal(one, many)


def test_auroc_interval_covers():
    # Scores N(1, 1) of 40 positives, N(0, 1) of 40 negatives: AUROC Phi(1/sqrt 2) = .7602. A
    # percentile interval of nominal 95 % covers about 94 % here. Fewer than 90 % or more than
    # 98.5 % of 400 has odds below 1e-3 at 94 %; the seed is fixed.
    rng, true = np.random.default_rng(8), stats.norm.cdf(1 / np.sqrt(2))
    found = [
        auroc_interval(rng.normal(1, 1, 40), rng.normal(0, 1, 40), rng, replicates=500)
        for _ in range(400)
    ]
    covered = np.mean([low <= true <= high for _, low, high in found])
    assert 0.90 < covered < 0.985


def test_ratio_interval_covers():
    # Ratio of means 2 of 60 dependent pairs; the percentile interval covers about 94 %. Limits
    # as above: odds below 1e-3.
    rng, covered = np.random.default_rng(8), 0
    for _ in range(400):
        below = rng.exponential(1, 60)
        found = ratio_interval(2 * below + rng.normal(0, 1, 60), below, rng, replicates=500)
        covered += found.lower <= 2 <= found.upper
    assert 0.90 < covered / 400 < 0.985


def test_iqm_agrees_with_the_trimmed_mean_where_quarters_are_whole():
    values = np.random.default_rng(0).normal(size=40)
    found = bootstrap_interval(values, np.random.default_rng(1), "iqm").estimate
    assert found == pytest.approx(stats.trim_mean(values, 0.25))


@pytest.mark.parametrize("statistic", ["mean", "iqm"])
def test_bootstrap_interval_covers(statistic):
    # 400 intervals of nominal 95 % on 40 normal values cover about 93.5 % of the time.
    # Fewer than 90 % or more than 98 % of 400 has odds below 1e-3 at 93.5 %; the seed is fixed.
    rng = np.random.default_rng(7)
    intervals = [
        bootstrap_interval(rng.normal(2, 1, 40), rng, statistic, replicates=500) for _ in range(400)
    ]
    covered = np.mean([low <= 2 <= high for _, low, high in intervals])
    assert 0.90 < covered < 0.98


@pytest.mark.parametrize("share", [0.02, 0.3, 0.5, 0.97])
@pytest.mark.parametrize("trials", [20, 200])
def test_wilson_interval_covers_exactly_enough(share, trials):
    # No simulation: the binomial law is summed. Wilson's coverage dips to .84 at worst for
    # shares beside 0 and 1 (Brown, Cai, DasGupta 2001); these eight cases stay within .92 to .99.
    law = stats.binom(trials, share)
    intervals = [wilson_interval(k, trials) for k in range(trials + 1)]
    covered = sum(law.pmf(k) for k, (_, low, high) in enumerate(intervals) if low <= share <= high)
    assert 0.92 < covered < 0.99


def test_wilson_interval_known_value():
    # Newcombe 1998, table I, method 3: 81 of 263, 0.2553 to 0.3662.
    interval = wilson_interval(81, 263)
    assert (round(interval.lower, 4), round(interval.upper, 4)) == (0.2553, 0.3662)
    assert wilson_interval(0, 20).lower == 0
    assert wilson_interval(20, 20).upper == 1


def test_the_generator_decides_the_draws():
    values = np.random.default_rng(0).random(30)
    first, again, other = (
        bootstrap(values, np.random.default_rng(s), "mean", 50) for s in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_share_counts_what_is_not_zero():
    interval = bootstrap_interval([0, 2, 0, 5], np.random.default_rng(0), "share")
    assert interval.estimate == 0.5
    assert 0 <= interval.lower < 0.5 < interval.upper <= 1


@pytest.mark.parametrize(
    ("values", "statistic", "message"),
    [
        ([], "mean", "nothing to resample"),
        ([1.0, np.nan], "mean", "NaN"),
        ([1.0, np.nan], "share", "NaN"),
        ([1.0], "median", "unknown statistic"),
    ],
)
def test_bad_values_are_refused(values, statistic, message):
    with pytest.raises(ValueError, match=message):
        bootstrap_interval(values, np.random.default_rng(0), statistic)


def test_impossible_shares_are_refused():
    with pytest.raises(ValueError, match="5 successes of 4"):
        wilson_interval(5, 4)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda rng: auroc([], [1]), "both sides"),
        (lambda rng: auroc([1], [np.nan]), "NaN"),
        (lambda rng: bootstrap_columns([[], []], rng), "nothing to resample"),
        (lambda rng: bootstrap_columns([[np.nan]], rng), "NaN"),
        (lambda rng: ratio_interval([1, 2], [1, -1], rng), "sums to 0"),
    ],
)
def test_what_has_no_statistic_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call(np.random.default_rng(0))
