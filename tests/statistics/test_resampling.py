"""Intervals: against plain referees, and by simulated coverage."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from proxylab.statistics.resampling import (
    bootstrap,
    bootstrap_interval,
    resampled_iqms,
    resampled_means,
    wilson_interval,
)

VALUES = st.lists(st.floats(-10, 10), min_size=1, max_size=12)


def referee_iqm(sample):
    """Mean of the middle half, by copying every value four times."""
    copies = np.sort(np.repeat(sample, 4))
    quarter = len(sample)
    return copies[quarter:-quarter].mean()


@given(VALUES, st.integers(0, 2**32 - 1))
def test_resampled_statistics_are_those_of_the_samples_drawn(values, seed):
    values = np.array(values)
    indices = np.random.default_rng(seed).integers(0, len(values), (5, len(values)), np.int32)
    samples = [values[row] for row in indices]
    np.testing.assert_allclose(
        resampled_means(values, indices), [s.mean() for s in samples], atol=1e-9
    )
    np.testing.assert_allclose(
        resampled_iqms(values, indices), [referee_iqm(s) for s in samples], atol=1e-9
    )


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
