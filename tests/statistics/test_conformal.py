"""Conformal calibration: exactness by enumeration and by simulation."""

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from proxylab.statistics.conformal import (
    achievable_alpha,
    benjamini_hochberg,
    calibration_needed,
    conformal_p_value,
    false_alarm_band,
    realised_rate_bound,
)


@given(st.lists(st.integers(0, 3), min_size=2, max_size=5))
def test_p_value_is_valid_over_all_orders_of_any_scores(scores):
    # Exact, ties included: over the equally likely orders, P(p ≤ a) ≤ a for every a.
    p_values = np.array([conformal_p_value(o[1:], o[0]) for o in permutations(scores)])
    for level in np.unique(p_values):
        assert np.mean(p_values <= level) <= level + 1e-12


def test_p_value_counts_scores_at_least_as_high():
    assert conformal_p_value([1, 2, 3], 2) == 3 / 4
    assert conformal_p_value([1, 2, 3], 3.5) == 1 / 4
    assert conformal_p_value([1, 2, 3], 0) == 1
    assert conformal_p_value([], 5) == 1


@pytest.mark.parametrize(("calibration", "score"), [([1, np.nan], 0), ([1, 2], float("nan"))])
def test_nan_scores_get_no_p_value(calibration, score):
    with pytest.raises(ValueError, match="NaN"):
        conformal_p_value(calibration, score)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_q_values_agree_with_scipy(p_values):
    expected = stats.false_discovery_control(p_values, method="bh")
    np.testing.assert_allclose(benjamini_hochberg(p_values), expected, atol=1e-12)


def test_calibration_policies_needed():
    assert [calibration_needed(a) for a in (0.05, 0.01, 0.1)] == [19, 99, 9]
    assert calibration_needed(0.05, num_suspects=4) == 79
    assert achievable_alpha(19) <= 0.05 < achievable_alpha(18)


@pytest.mark.parametrize(("num_calibration", "bound"), [(19, 0.146), (40, 0.113), (100, 0.089)])
def test_realised_rate_bound_known_values(num_calibration, bound):
    assert realised_rate_bound(num_calibration, 0.05) == pytest.approx(bound, abs=5e-4)


@pytest.mark.parametrize(("num_calibration", "num_tests"), [(19, 1), (30, 40), (99, 400)])
def test_band_is_that_of_the_beta_binomial_law(num_calibration, num_tests):
    k = int(0.05 * (num_calibration + 1))
    law = stats.betabinom(num_tests, k, num_calibration + 1 - k)
    expected = (law.ppf(0.025), law.ppf(0.975))
    assert false_alarm_band(num_calibration, 0.05, num_tests) == expected


def test_too_few_calibration_policies_never_alarm():
    assert realised_rate_bound(18, 0.05) == 0
    assert false_alarm_band(18, 0.05, 40) == (0, 0)


def test_false_alarms_fall_into_the_beta_binomial_band():
    # 2,000 simulated worlds of 30 calibration and 40 fresh policies; scores are exchangeable.
    # The band holds at least 95 % of worlds; seeing under 93.5 % would have odds below 1e-3.
    # Above the upper end of a plain binomial band, nominally 2.5 %, lie about 6 % of worlds:
    # 4 % or fewer would have odds below 1e-3, so the test would notice the wrong law.
    rng = np.random.default_rng(3)
    scores = rng.normal(size=(2000, 70))
    alarms = np.array([_alarms(row[:30], row[30:]) for row in scores])
    low, high = false_alarm_band(30, 0.05, 40)
    assert np.mean((low <= alarms) & (alarms <= high)) > 0.935
    assert np.mean(alarms > stats.binom(40, alarms.mean() / 40).ppf(0.975)) > 0.04


def test_false_alarm_rate_is_exact_on_average():
    # k = 1 of 19 + 1: every world alarms with probability exactly .05. 40,000 independent
    # worlds: the rate's standard error is .0011; beyond ±.0045 has odds below 1e-4.
    scores = np.random.default_rng(5).exponential(size=(40_000, 20))
    rate = np.mean((scores[:, 1:] < scores[:, :1]).all(axis=1))
    p_values = [conformal_p_value(row[1:], row[0]) for row in scores[:2000]]
    assert abs(rate - 0.05) < 0.0045
    assert np.array_equal(
        np.array(p_values) <= 0.05, (scores[:2000, 1:] < scores[:2000, :1]).all(1)
    )


def _alarms(calibration, fresh):
    return sum(conformal_p_value(calibration, score) <= 0.05 for score in fresh)
