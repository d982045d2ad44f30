"""Mixture divergence, controls and kappa by hand."""

import numpy as np
import pytest
from scipy.spatial.distance import jensenshannon
from scipy.stats import entropy, ks_2samp
from toy_population import VIEW, episodes_from, population, walk_ring

from proxylab.detection.pairing import NotApplicable
from proxylab.detection.scores.registry import SCORES
from proxylab.detection.shift import shift_from, trusted_visits
from proxylab.rollouts.episodes import concatenate


def score_of(name, reference, suspect):
    detector = SCORES[name]
    return detector.score(detector.fit(reference, VIEW), suspect, np.random.default_rng(0))


def js(p, q):
    return jensenshannon(p, q, base=2) ** 2


def test_mixture_by_hand():
    # Level 100: the trusted spend 2/3 of the steps in state 0 and 1/3 in state 1; the suspect
    # 1/2 in 0 (two visits) and 1/2 in 5, where no trusted policy has been. Level 101: 3 only.
    theirs = np.array([[0.5, 0.5], [0.75, 0.25], [0.5, 0.5], [1, 0]])
    reference = [episodes_from([[0, 0, 1], [3]], probabilities=theirs)] * 3
    mine = np.array([[0.9, 0.1], [0.7, 0.3], [1, 0], [1, 0], [0.2, 0.8]])
    suspect = episodes_from([[0, 0, 5, 5], [3]], probabilities=mine)
    first, second = js([0.8, 0.2], [0.625, 0.375]), js([0.2, 0.8], [1, 0])
    assert score_of("mixture_js", reference, suspect) == pytest.approx((first + second) / 2)
    for name in ("mixture_js_q90", "mixture_js_q99"):
        assert score_of(name, reference, suspect) == pytest.approx(max(first, second), abs=1e-7)


def test_mixture_weighs_states_by_both_sides():
    # States 0 and 1 are shared: the suspect's shares are 1/2 and 1/2, the trusted ones 3/4, 1/4.
    theirs = np.array([[0.5, 0.5]] * 3 + [[1, 0]])
    reference = [episodes_from([[0, 0, 0, 1]], probabilities=theirs)] * 3
    suspect = episodes_from([[0, 1]], probabilities=[[0.9, 0.1], [0.1, 0.9]])
    expected = 0.625 * js([0.9, 0.1], [0.5, 0.5]) + 0.375 * js([0.1, 0.9], [1, 0])
    assert score_of("mixture_js", reference, suspect) == pytest.approx(expected, abs=1e-7)


def test_mixture_without_a_shared_state_is_undefined():
    reference = [episodes_from([[0]], probabilities=[[1, 0]])] * 3
    suspect = episodes_from([[5]], probabilities=[[1, 0]])
    assert np.isnan(score_of("mixture_js", reference, suspect))
    assert np.isnan(score_of("mixture_js_q90", reference, suspect))


def test_uncertainty_by_hand():
    probabilities = np.array([[0.7, 0.3], [1, 0], [0.4, 0.6]], np.float32)
    suspect = episodes_from([[0, 1], [2]], probabilities=probabilities)
    per_step = {
        "uncertainty_max": [0.3, 0, 0.4],
        "uncertainty_margin": [0.6, 0, 0.8],
        "uncertainty_entropy": [entropy(row, base=2) for row in probabilities],
    }
    for name, (a, b, c) in per_step.items():
        expected = ((a + b) / 2 + c) / 2
        assert score_of(name, [suspect], suspect) == pytest.approx(expected, abs=1e-6)


def test_proxy_stream_is_the_distance_of_two_distributions():
    rng = np.random.default_rng(3)
    runs = [
        episodes_from([[0, 1], [2], [3, 4, 5]], proxy_reward=rng.integers(0, 3, 6) * 0.1)
        for _ in range(4)
    ]
    returns = [np.add.reduceat(e.proxy_reward.astype(float), [0, 2, 3]).round(6) for e in runs]
    expected = ks_2samp(returns[0], np.concatenate(returns[1:])).statistic
    assert score_of("proxy_stream", runs[1:], runs[0]) == pytest.approx(expected)


def test_proxy_stream_sees_nothing_where_the_proxy_is_matched():
    # The walks differ entirely; what they are paid does not.
    reference = [episodes_from([[0, 1], [2, 3]])] * 3
    assert score_of("proxy_stream", reference, episodes_from([[5, 5], [4, 4]])) == 0
    assert score_of("occupancy_js", reference, episodes_from([[5, 5], [4, 4]])) > 0.999


def test_kappa_is_the_cosine_on_each_level():
    rng = np.random.default_rng(1)
    runs = [*population(12, rng, tilt=0.0).values(), walk_ring("s", rng, tilt=0.5)]
    paid = [
        episodes_from(
            e.state_id.reshape(-1, 8).tolist(),
            actions=e.action,
            proxy_reward=(e.state_id == 2).astype(float),
        )
        for e in runs
    ]
    pooled = concatenate(paid[:-1])
    state = SCORES["kappa"].fit(paid[:-1], VIEW)
    found = SCORES["kappa"].per_level(state, paid[-1])
    shift = shift_from(trusted_visits([pooled]), paid[-1])
    for level in range(24):
        if not np.isfinite(shift.chi2[level]):
            assert found[level] == 1
            continue
        spread = np.sqrt(shift.second[level] - shift.first[level] ** 2)
        kappa = shift.gain[level] / spread / np.sqrt(shift.chi2[level])
        assert -1 <= kappa <= 1
        assert found[level] == pytest.approx(1 - kappa)
    assert np.isfinite(shift.chi2).any()


def test_kappa_is_zero_where_nothing_changed():
    e = episodes_from([[0, 1, 2]], proxy_reward=[0, 0, 1.0])
    assert score_of("kappa", [e] * 3, e) == 0


@pytest.mark.parametrize(
    ("name", "lacking", "message"),
    [
        ("mixture_js", "probabilities", "needs action probabilities"),
        ("uncertainty_max", "probabilities", "needs action probabilities"),
        ("proxy_stream", "proxy_reward", "needs proxy rewards"),
        ("kappa", "proxy_reward", "needs proxy rewards"),
    ],
)
def test_what_is_lacking_is_named(name, lacking, message):
    whole = episodes_from([[0, 1]], probabilities=[[1, 0], [0, 1]])
    with pytest.raises(NotApplicable, match=message):
        score_of(name, [whole] * 3, episodes_from([[0, 1]], **{lacking: None}))
