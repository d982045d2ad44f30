"""Habits: their scores against the definition, and what they are there to tell apart."""

import numpy as np
import pytest
from toy_field import open_field, wander, wanderers
from toy_population import VIEW, episodes_from

from proxylab.detection.judge import judge
from proxylab.detection.pairing import NotApplicable
from proxylab.detection.scores.clone import fit_clone, habit_probabilities
from proxylab.detection.scores.goals import LAPSES
from proxylab.detection.scores.habits import HabitDivergence, LapseRatio

RNG = np.random.default_rng(0)


@pytest.fixture(scope="module")
def field():
    rng, view = np.random.default_rng(8), open_field(40)
    reference = list(wanderers(view, 0, 5, rng).values())
    suspects = {
        "honest": wander(view, 0, rng),
        "weak": wander(view, 0, rng, error=0.7),
        "lost": wander(view, None, rng),
        "corner": wander(view, 1, rng, error=0.1),
        "weak corner": wander(view, 1, rng, error=0.4),
    }
    return view, reference, suspects


@pytest.mark.parametrize("detector", [HabitDivergence(), LapseRatio()])
def test_weak_policies_score_below_those_that_want_something_else(field, detector):
    # By how far they stray it is the other way round: see occupancy in test_scores.
    view, reference, suspects = field
    state = detector.fit(reference, view)
    found = {name: detector.score(state, e, RNG) for name, e in suspects.items()}
    honest = max(found[name] for name in ("honest", "weak", "lost"))
    assert honest < min(found["corner"], found["weak corner"])


def test_divergence_is_the_quantile_of_the_divergence_of_habits(field):
    view, reference, suspects = field
    suspect, detector = suspects["corner"], HabitDivergence("half", 0.5)
    own, trusted = (
        habit_probabilities(fit_clone(runs, view, "x"), suspect, "x")
        for runs in ([suspect], reference)
    )
    middle = (own + trusted) / 2
    each = (own * np.log2(own / middle) + trusted * np.log2(trusted / middle)).sum(axis=1) / 2
    weights = np.repeat(1 / suspect.lengths, suspect.lengths)
    order = np.argsort(each)
    reached = np.cumsum(weights[order]) >= 0.5 * weights.sum() - 1e-9
    score = detector.score(detector.fit(reference, view), suspect, RNG)
    assert score == pytest.approx(each[order][reached][0], abs=1e-9)


def test_ratio_is_that_of_the_best_lapsing_models(field):
    view, reference, suspects = field
    suspect, detector = suspects["weak corner"], LapseRatio()
    trusted = habit_probabilities(fit_clone(reference, view, "x"), suspect, "x")
    own = np.empty_like(trusted)
    for half in (0, 1):
        learned = fit_clone([suspect.select(np.arange(1 - half, 40, 2))], view, "x")
        mine = suspect.episode_index % 2 == half
        own[mine] = habit_probabilities(learned, suspect, "x")[mine]
    weights = np.repeat(1 / suspect.lengths, suspect.lengths) / 40

    def best(model):
        taken = model[np.arange(suspect.num_steps), suspect.action]
        return max((weights * np.log((1 - e) * taken + e / 4)).sum() for e in LAPSES)

    score = detector.score(detector.fit(reference, view), suspect, RNG)
    assert score == pytest.approx(best(own) - best(trusted), abs=1e-9)


def test_a_single_episode_has_no_other_half():
    reference = [episodes_from([[0, 1], [1, 0]])]
    state = LapseRatio().fit(reference, VIEW)
    with pytest.raises(NotApplicable, match="at least 2 episodes"):
        LapseRatio().score(state, episodes_from([[0, 1]]), RNG)


def test_it_can_decide_and_point_at_steps(field):
    view, _, suspects = field
    trusted = wanderers(view, 0, 12, np.random.default_rng(3))
    rng = np.random.default_rng(0)
    found = judge({"s": suspects["corner"]}, trusted, rng=rng, task=view, detector="habit_js_q90")
    (report,) = found.suspects
    assert report.p_value == 0.1  # beyond all 9 calibration policies
    assert len(report.where) == 5
    assert all(np.isfinite(place.score) for place in report.where)
