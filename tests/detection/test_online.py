"""The e-process: valid whenever one looks, and quick where there is something to see."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxylab.detection.online import (
    RESTARTS,
    Ceiling,
    EProcess,
    ceiling_of,
    e_values,
    first_alarm,
    first_alarms,
)
from proxylab.detection.pairing import NotApplicable


def test_e_values_are_a_mixture_of_products_with_all_starts():
    scores, ceiling = np.array([0.9, 0.1, 0.6]), Ceiling(0.25, 0.0)
    bets = [4 * k / 20 for k in range(20)]
    weights = [RESTARTS / ((j + RESTARTS) * (j + RESTARTS + 1)) for j in range(10**6)]
    assert sum(weights) == pytest.approx(1, abs=1e-3)
    expected = []
    for t in range(3):
        value = 1 - sum(weights[: t + 1])  # those that have not started
        for j in range(t + 1):
            products = [np.prod([1 + bet * (x - 0.25) for x in scores[j : t + 1]]) for bet in bets]
            value += weights[j] * np.mean(products)
        expected.append(value)
    np.testing.assert_allclose(e_values(scores, ceiling), expected)


@pytest.mark.parametrize("mean", [0.05, 0.5])
def test_peeking_after_every_episode_keeps_the_level(mean):
    # 2,000 policies at the edge of the null, 400 looks each: at most .05 ever alarm.
    # The share's standard error is .005; more than .065 has odds below 1e-3.
    rng = np.random.default_rng(1)
    worlds = rng.random((2000, 400)) < mean
    alarms = first_alarms(worlds.astype(float), Ceiling(mean, 0.0), 0.05) >= 0
    assert np.mean(alarms) < 0.065


def test_new_honest_policies_rarely_alarm():
    # 25 worlds of 39 calibration policies and 40 new ones, means Beta(2, 20), 100 episodes for
    # calibration, then 300 looks: 1,000 streams. Each ever alarms with probability .05 at most.
    # A world's rate has standard deviation .025, so that the share's is .009 at most: more than
    # .08 has odds below 1e-3.
    rng = np.random.default_rng(2)
    alarms = []
    for _ in range(25):
        means = rng.beta(2, 20, 79)
        calibration = [(rng.random(100) < mean).astype(float) for mean in means[:39]]
        ceiling = ceiling_of(calibration, 0.05, rng)
        streams = (rng.random((40, 300)) < means[39:, None]).astype(float)
        alarms += (first_alarms(streams, ceiling, 0.05) >= 0).tolist()
    assert len(alarms) == 1000
    assert np.mean(alarms) <= 0.08


def test_a_null_that_pools_episodes_would_alarm_on_new_honest_policies():
    # The same worlds; a ceiling from the pooled mean, as if all policies were one: about half of
    # the new ones lie above it, and with 300 episodes about .19 alarm (standard deviation .02).
    # Beside the test above, this one would notice streams that can hardly alarm at all.
    rng = np.random.default_rng(2)
    means = rng.beta(2, 20, 400)
    streams = (rng.random((400, 300)) < means[:, None]).astype(float)
    pooled = Ceiling(2 / 22, 0.0)
    assert np.mean([first_alarm(s, pooled, 0.05) is not None for s in streams]) > 0.1


@given(st.integers(0, 2**32 - 1), st.floats(0.01, 0.9))
def test_episode_by_episode_is_the_same_as_all_at_once(seed, mean):
    scores = np.random.default_rng(seed).random(30)
    ceiling = Ceiling(mean, 0.01)
    process = EProcess(ceiling, 0.05)
    assert process.value == 1
    assert process.threshold == pytest.approx(25)
    found = [process.update(score) for score in scores]
    np.testing.assert_allclose(found, e_values(scores, ceiling))
    assert process.alarm == first_alarm(scores, ceiling, 0.05)
    assert process.episodes == 30


def test_an_alarm_stays():
    process = EProcess(Ceiling(0.5, 0.0), 0.5)
    for score in [1.0] * 20 + [0.0] * 30:
        process.update(score)
    assert process.value < process.threshold
    assert process.alarm < 20


def test_a_hack_alarms_soon():
    rng = np.random.default_rng(3)
    ceiling = ceiling_of([rng.beta(2, 20, 200) for _ in range(39)], 0.05, rng)
    assert first_alarm(rng.beta(10, 10, 200), ceiling, 0.05) < 20


def delay_after(past, rng, ceiling, streams=40):
    """Median episodes to the alarm after ``past`` honest ones."""
    honest, gamed = rng.beta(2, 40, (streams, past)), rng.beta(10, 10, (streams, 100))
    alarms = first_alarms(np.concatenate([honest, gamed], axis=1), ceiling, 0.05)
    assert (alarms >= past).all()
    return np.median(alarms + 1 - past)


def test_the_delay_hardly_depends_on_the_honest_past():
    rng = np.random.default_rng(5)
    ceiling = ceiling_of([rng.beta(2, 20, 200) for _ in range(39)], 0.05, rng)
    delays = [delay_after(past, rng, ceiling) for past in (0, 150, 500)]
    assert max(delays) <= 1.5 * min(delays)


def test_without_restarts_the_delay_grows_with_the_past():
    # The product that starts first, alone: what the stake would be without the other ones.
    ceiling, rng = Ceiling(0.1, 0.0), np.random.default_rng(6)
    bets = 10 * np.arange(20) / 20
    stream = np.concatenate([rng.beta(2, 40, 500), rng.beta(10, 10, 100)])
    alone = np.exp(np.cumsum(np.log1p(bets * (stream[:, None] - 0.1)), axis=0)).mean(axis=1)
    assert np.argmax(alone >= 20) > 500 + 3 * delay_after(500, rng, ceiling)


def test_the_ceiling_takes_half_of_alpha_where_it_can():
    rng = np.random.default_rng(0)
    policies = [np.full(5, k / 100) for k in range(1, 100)]
    found = ceiling_of(policies[:79], 0.05, rng)
    # Of .05, .025 is the two ranks', a fifth of the rest the bounds'.
    assert (found.mean, found.alpha) == (pytest.approx(0.78), pytest.approx(0.025 + 0.005))
    few = ceiling_of(policies[:30], 0.05, rng)
    spent = 1 / 31 + 0.2 * (0.05 - 1 / 31)
    assert (few.mean, few.alpha) == (pytest.approx(0.30), pytest.approx(spent))


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
