"""Predicted failures: against plain-Python referees, and what must not hold."""

from fractions import Fraction
from itertools import permutations

import numpy as np
import pytest

from proxylab.statistics.failures import (
    BINS,
    calibration_error,
    fit_failure_curve,
    reliability_sums,
    risk_at_coverage,
)


def pooled(scores, failed):
    """Pool adjacent violators in fractions: {score: probability}."""
    blocks = []
    for score in sorted(set(scores)):
        own = [bad for s, bad in zip(scores, failed, strict=True) if s == score]
        blocks.append(([score], Fraction(sum(own)), len(own)))
        while len(blocks) > 1 and blocks[-2][1] / blocks[-2][2] >= blocks[-1][1] / blocks[-1][2]:
            right, left = blocks.pop(), blocks.pop()
            blocks.append((left[0] + right[0], left[1] + right[1], left[2] + right[2]))
    return {score: bad / count for members, bad, count in blocks for score in members}


@pytest.fixture
def sample():
    rng = np.random.default_rng(3)
    scores = rng.integers(0, 12, 80) / 4
    return scores, rng.random(80) < scores / 4


def test_the_failure_curve_is_that_of_pooling_in_fractions(sample):
    curve, told = fit_failure_curve(*sample), pooled(*(values.tolist() for values in sample))
    assert curve.score.tolist() == sorted(told)
    expected = [float(told[score]) for score in curve.score.tolist()]
    assert curve.probability == pytest.approx(expected, abs=1e-12)
    assert (np.diff(curve.probability) >= 0).all()
    assert curve.at(sample[0]).mean() == pytest.approx(sample[1].mean())


def test_between_and_beyond_the_scores_of_the_fit():
    curve = fit_failure_curve([1, 3], [False, True])
    assert curve.at([-9, 1, 2, 3, 99]).tolist() == [0, 0, 0.5, 1, 1]


def test_a_score_that_points_the_wrong_way_gives_the_base_rate():
    curve = fit_failure_curve([1, 2, 3, 4], [True, True, False, False])
    assert curve.probability.tolist() == [0.5] * 4


def test_the_calibration_error_is_that_of_a_loop_over_bins(sample):
    rng = np.random.default_rng(4)
    said, failed = np.append(rng.random(79), 1.0), sample[1]
    total = 0.0
    for k in range(BINS):
        inside = [i for i, p in enumerate(said) if min(int(p * BINS), BINS - 1) == k]
        if inside:
            gap = np.mean(failed[inside]) - np.mean(said[inside])
            total += len(inside) / len(said) * abs(gap)
    sums = reliability_sums(said, failed)
    assert float(calibration_error(sums)) == pytest.approx(total)
    assert calibration_error([sums, 2 * sums]) == pytest.approx([total, total])
    halves = reliability_sums(said[:30], failed[:30]) + reliability_sums(said[30:], failed[30:])
    assert halves == pytest.approx(sums)


def test_the_calibration_error_sees_a_shift_of_the_failure_rate():
    rng = np.random.default_rng(5)
    said = rng.random(20_000)
    right, wrong = rng.random(20_000) < said, rng.random(20_000) < said**4
    assert float(calibration_error(reliability_sums(said, right))) < 0.02
    assert float(calibration_error(reliability_sums(said, wrong))) > 0.2


def test_risk_at_coverage_is_the_mean_over_all_orders_of_equal_scores():
    scores, failed = [2, 1, 1, 2, 1], [True, False, True, False, True]
    ranked = sorted(scores)
    orders = [o for o in permutations(range(5)) if [scores[k] for k in o] == ranked]
    for kept in range(1, 6):
        told = np.mean([np.mean([failed[k] for k in order[:kept]]) for order in orders])
        assert risk_at_coverage(scores, failed, [kept / 5])[0] == pytest.approx(told)


def test_a_score_that_knows_keeps_no_failure_until_it_must(sample):
    failed = sample[1]
    base = failed.mean()
    assert risk_at_coverage(failed, failed, [1 - base])[0] == 0
    assert risk_at_coverage(~failed, failed, [base])[0] == 1
    assert risk_at_coverage(np.zeros(80), failed, [0.1, 0.5, 1]) == pytest.approx([base] * 3)


@pytest.mark.parametrize("wrong", [([], []), ([1.0], [True, False]), ([np.nan], [True])])
def test_what_is_no_sample_is_refused(wrong):
    for function in (fit_failure_curve, reliability_sums):
        with pytest.raises(ValueError, match=r"length|NaN"):
            function(*wrong)
