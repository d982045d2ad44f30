"""Rare gaming: what higher criticism over episodes sees that a mean does not."""

import numpy as np
import pytest
from toy_field import open_field, wanderers

from proxylab.detection.pairing import NotApplicable
from proxylab.detection.scores.clone import clone_probabilities, fit_clone, probabilities_without
from proxylab.detection.scores.registry import SCORES
from proxylab.rollouts.episodes import concatenate
from proxylab.statistics.conformal import conformal_p_value
from proxylab.statistics.rare import higher_criticism

RARE, MEAN = SCORES["higher_criticism"], SCORES["occupancy_js"]
LEVELS, GAMED = 100, 2


@pytest.fixture(scope="module")
def field():
    rng, view = np.random.default_rng(8), open_field(LEVELS)
    trusted = list(wanderers(view, 0, 6 + 24, rng, steps=8).values())
    fresh = list(wanderers(view, 0, 10, rng, steps=8).values())
    seekers = list(wanderers(view, 1, 10, rng, steps=8).values())
    return view, trusted[:6], trusted[6:], fresh, seekers


def mixture(honest, seeker, number):
    chosen = np.arange(LEVELS)
    chosen[np.random.default_rng(number).permutation(LEVELS)[:GAMED]] += LEVELS
    return concatenate([honest, seeker], f"mixture-{number}").select(chosen)


def flags(detector, field, suspects):
    view, reference, calibration, _, _ = field
    state, rng = detector.fit(reference, view), np.random.default_rng(0)
    known = [detector.score(state, e, rng) for e in calibration]
    return sum(conformal_p_value(known, detector.score(state, e, rng)) <= 0.05 for e in suspects)


def test_two_gamed_episodes_of_a_hundred_are_seen_where_the_mean_does_not_see_them(field):
    suspects = [mixture(*pair, k) for k, pair in enumerate(zip(field[3], field[4], strict=True))]
    assert flags(RARE, field, suspects) >= 8
    assert flags(MEAN, field, suspects) <= 5
    assert flags(RARE, field, field[3]) <= 2  # the same policies without the gamed episodes


def test_the_score_is_the_higher_criticism_of_the_episode_p_values(field):
    view, reference, _, fresh, _ = field
    state = RARE.fit(reference, view)
    p = RARE.episode_p_values(state, fresh[0])
    assert ((p > 0) & (p <= 1)).all()
    score = RARE.score(state, fresh[0], np.random.default_rng(0))
    assert score == pytest.approx(higher_criticism(p))


def test_a_reference_policy_is_compared_with_the_others(field):
    view, reference, _, _, _ = field
    for name in ("occupancy_js", "state_action_js"):
        score, own = SCORES[name], reference[2]
        without = score.fit([e for e in reference if e is not own], view)
        found = score.per_episode_left_out(score.fit(reference, view), own)
        np.testing.assert_allclose(found, score.per_episode(without, own), atol=1e-9)
    clone, own = fit_clone(reference, view, "x"), reference[2]
    others = fit_clone([e for e in reference if e is not own], view, "x")
    behind = clone._replace(levels=others.levels, row=others.row, seen=others.seen)
    expected = clone_probabilities(behind, own, "x")
    np.testing.assert_allclose(probabilities_without(clone, own, "x"), expected, atol=1e-12)
    assert not np.allclose(clone_probabilities(clone, own, "x"), expected)


def test_one_reference_policy_is_not_enough(field):
    view, reference, _, _, _ = field
    with pytest.raises(NotApplicable, match="two reference policies"):
        RARE.fit(reference[:1], view)
