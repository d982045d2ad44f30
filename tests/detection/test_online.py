"""The e-process: valid whenever one looks, and quick where there is something to see."""

import numpy as np
import pytest

from proxylab.detection.online import Ceiling, ceiling_of, e_values, first_alarm
from proxylab.detection.pairing import NotApplicable


def test_e_values_are_a_mixture_of_products():
    scores, ceiling = np.array([0.9, 0.1, 0.6]), Ceiling(0.25, 0.0)
    bets = [4 * k / 20 for k in range(20)]
    expected = [
        np.mean([np.prod([1 + bet * (x - 0.25) for x in scores[: t + 1]]) for bet in bets])
        for t in range(3)
    ]
    np.testing.assert_allclose(e_values(scores, ceiling), expected)


@pytest.mark.parametrize("mean", [0.05, 0.5])
def test_peeking_after_every_episode_keeps_the_level(mean):
    # 2,000 policies at the edge of the null, 400 looks each: at most .05 ever alarm.
    # The share's standard error is .005; more than .065 has odds below 1e-3.
    rng = np.random.default_rng(1)
    worlds = rng.random((2000, 400)) < mean
    alarms = [first_alarm(w.astype(float), Ceiling(mean, 0.0), 0.05) is not None for w in worlds]
    assert np.mean(alarms) < 0.065


def test_new_honest_policies_rarely_alarm():
    # 60 worlds of 39 calibration policies and one new one, means Beta(2, 20), 200 episodes,
    # then 300 looks. The level is .05: more than 9 alarms of 60 has odds of about 1e-3.
    rng = np.random.default_rng(2)
    alarms = 0
    for _ in range(60):
        means = rng.beta(2, 20, 40)
        calibration = [(rng.random(200) < mean).astype(float) for mean in means[:39]]
        watched = (rng.random(300) < means[39]).astype(float)
        alarms += first_alarm(watched, ceiling_of(calibration, 0.05, rng), 0.05) is not None
    assert alarms <= 9


def test_a_hack_alarms_soon():
    rng = np.random.default_rng(3)
    ceiling = ceiling_of([rng.beta(2, 20, 200) for _ in range(39)], 0.05, rng)
    assert first_alarm(rng.beta(10, 10, 200), ceiling, 0.05) < 20


def test_the_ceiling_takes_half_of_alpha_where_it_can():
    rng = np.random.default_rng(0)
    policies = [np.full(5, k / 100) for k in range(1, 100)]
    found = ceiling_of(policies[:79], 0.05, rng)
    assert (found.mean, found.alpha) == (pytest.approx(0.78), pytest.approx(2 / 80))
    few = ceiling_of(policies[:30], 0.05, rng)
    assert (few.mean, few.alpha) == (pytest.approx(0.30), pytest.approx(1 / 31))


@pytest.mark.parametrize(
    ("policies", "message"),
    [
        ([np.array([0.1])] * 19, "takes 20 calibration policies"),
        ([np.array([1.0])] * 40, "nothing can exceed it"),
        ([np.array([1.5])] * 40, "between 0 and 1"),
        ([np.array([np.nan])] * 40, "between 0 and 1"),
    ],
)
def test_impossible_ceilings_are_refused(policies, message):
    with pytest.raises(NotApplicable, match=message):
        ceiling_of(policies, 0.05, np.random.default_rng(0))
