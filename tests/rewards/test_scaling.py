"""The forms of overoptimisation: known coefficients come back, the wrong form shows."""

import math

import numpy as np
import pytest

from proxylab.rewards.scaling import BEST_OF_N, RL, fit_scaling

D = np.linspace(0, 4, 21)
FORMS = {
    BEST_OF_N: lambda d, a, b: d * (a - b * d),
    RL: lambda d, a, b: np.array([x * (a - b * math.log(x)) if x else 0 for x in d]),
}


def made_up(form, alpha=0.7, beta=0.2, seeds=12, noise=0.0, spread=0.0):
    """(distances, gains), each float64[seeds, 21]; ``spread`` varies α between seeds."""
    rng = np.random.default_rng(0)
    rows = [
        FORMS[form](D, alpha + spread * rng.normal(), beta) + noise * rng.normal(size=len(D))
        for _ in range(seeds)
    ]
    return np.tile(D, (seeds, 1)), np.array(rows)


def fitted(form, distances, gains):
    return fit_scaling(distances, gains, form, np.random.default_rng(1), replicates=500)


@pytest.mark.parametrize("form", FORMS)
def test_known_coefficients_are_recovered(form):
    fit = fitted(form, *made_up(form))
    assert fit.alpha == pytest.approx((0.7, 0.7, 0.7))
    assert fit.beta == pytest.approx((0.2, 0.2, 0.2))
    assert fit.rms == pytest.approx(0, abs=1e-9)
    assert fit.r_squared == pytest.approx(1)
    assert (fit.seeds, fit.points) == (12, 12 * 21)
    assert fit.gain(D) == pytest.approx(FORMS[form](D, 0.7, 0.2))


@pytest.mark.parametrize("form", FORMS)
def test_the_intervals_contain_the_truth_and_widen_with_the_spread_of_seeds(form):
    fit = fitted(form, *made_up(form, noise=0.1, spread=0.2))
    tight = fitted(form, *made_up(form, noise=0.1))
    for known, interval in ((0.7, fit.alpha), (0.2, fit.beta)):
        assert interval.lower < known < interval.upper
        assert interval.lower < interval.estimate < interval.upper
    assert fit.alpha.upper - fit.alpha.lower > 2 * (tight.alpha.upper - tight.alpha.lower)


@pytest.mark.parametrize(("form", "other"), [(BEST_OF_N, RL), (RL, BEST_OF_N)])
def test_the_wrong_form_leaves_residuals(form, other):
    """The control: the same points by the other form."""
    data = made_up(form, alpha=1.0, beta=0.5)
    assert fitted(other, *data).rms > 0.02
    assert fitted(form, *data).rms < 1e-9


def test_a_curve_of_neither_form_fits_badly():
    gains = np.tile(np.sin(4 * D), (5, 1))
    assert fitted(RL, np.tile(D, (5, 1)), gains).r_squared < 0.3


@pytest.mark.parametrize("form", FORMS)
def test_the_peak_is_the_maximum_of_the_form(form):
    fine = np.linspace(0.01, 30, 30_000)
    fit = fitted(form, *made_up(form, alpha=0.5, beta=0.3))
    assert fit.peak.estimate == pytest.approx(fine[np.argmax(fit.gain(fine))], abs=2e-3)


@pytest.mark.parametrize("form", FORMS)
def test_what_does_not_turn_peaks_nowhere(form):
    fit = fitted(form, *made_up(form, beta=-0.1))
    assert fit.peak == (math.inf, math.inf, math.inf)


def test_seeds_may_have_other_distances_and_missing_points():
    distances, gains = made_up(RL, seeds=3)
    distances = distances * np.array([[1], [0.5], [2]])
    gains = np.array([FORMS[RL](row, 0.7, 0.2) for row in distances])
    distances[0, 3] = gains[1, 5] = np.nan
    fit = fitted(RL, distances, gains)
    assert (fit.alpha.estimate, fit.beta.estimate) == pytest.approx((0.7, 0.2))
    assert fit.points == 3 * 21 - 2


@pytest.mark.parametrize(
    ("distances", "gains", "form", "message"),
    [
        ([[1, 2]], [[1, 2]], "cubic", "unknown form"),
        ([[1, 2]], [[1]], RL, "must be of one"),
        ([[-1, 2, 3]], [[1, 2, 3]], RL, "negative"),
        ([[1, 2], [0, 1]], [[1, 2], [0, 1]], RL, "two different"),
        (np.empty((0, 3)), np.empty((0, 3)), RL, "two different"),
    ],
)
def test_what_cannot_be_fitted_is_refused(distances, gains, form, message):
    with pytest.raises(ValueError, match=message):
        fitted(form, distances, gains)
