"""Scores against their definitions, on walks short enough to compute by hand."""

from dataclasses import fields, is_dataclass, replace
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import jensenshannon
from toy_population import NUM_STATES, VIEW, episodes_from

from proxylab.detection.pairing import NotApplicable
from proxylab.detection.scores.first_divergence import divergence_from_all
from proxylab.detection.scores.registry import ACCESS_CODES, SCORES, find_score
from proxylab.detection.settings import DEFAULT_DETECTOR

WALK = st.lists(st.integers(0, NUM_STATES - 1), min_size=1, max_size=6)
PAIRED_WALKS = st.integers(1, 3).flatmap(
    lambda n: st.lists(st.lists(WALK, min_size=n, max_size=n), min_size=3, max_size=4)
)


def score_of(name, reference, suspect):
    detector = SCORES[name]
    return detector.score(detector.fit(reference, VIEW), suspect, np.random.default_rng(0))


def visits(walk, discount=0.999):
    weights = np.zeros(NUM_STATES)
    for step, state in enumerate(walk):
        weights[state] += discount**step
    return weights / weights.sum()


@given(PAIRED_WALKS)
def test_occupancy_compares_each_level_with_the_pooled_reference_there(walks):
    suspect, *reference = [episodes_from(w) for w in walks]
    pooled = [np.mean([visits(w[e]) for w in walks[1:]], axis=0) for e in range(len(walks[0]))]
    pairs = [(visits(walk), pool) for walk, pool in zip(walks[0], pooled, strict=True)]
    js = np.mean([jensenshannon(p, q, base=2) ** 2 for p, q in pairs])
    smooth = [(p, 0.95 * q + 0.05 / NUM_STATES) for p, q in pairs]
    chi2 = np.mean([(p**2 / q).sum() - 1 for p, q in smooth])
    tv = np.mean([0.5 * np.abs(p - q).sum() for p, q in pairs])
    assert score_of("occupancy_js", reference, suspect) == pytest.approx(js, abs=1e-9)
    assert score_of("occupancy_tv", reference, suspect) == pytest.approx(tv, abs=1e-9)
    assert score_of("occupancy_chi2", reference, suspect) == pytest.approx(chi2, abs=1e-9)


def test_occupancy_sees_a_swap_of_levels_that_pooling_would_hide():
    # Over both levels together, suspect and trusted visit every state equally often.
    trusted, swapped = [[0, 1], [2, 3]], [[2, 3], [0, 1]]
    reference = [episodes_from(trusted, policy=name) for name in "abc"]
    assert score_of("occupancy_js", reference, episodes_from(swapped)) == pytest.approx(1)
    assert score_of("occupancy_js", reference, episodes_from(trusted)) == pytest.approx(0)


def test_cells_with_actions_see_laps_the_wrong_way_round():
    # The same six states equally often, in the opposite order by the other action.
    forth, back = [[0, 1, 2, 3, 4, 5]], [[0, 5, 4, 3, 2, 1]]
    reference = [episodes_from(forth, policy=name) for name in "abc"]
    suspect = episodes_from(back, actions=np.ones(6, np.int64))
    assert score_of("occupancy_js", reference, suspect) < 1e-4
    assert score_of("state_action_js", reference, suspect) == pytest.approx(1)


def test_occupancy_points_at_the_state_the_trusted_never_visit():
    detector = SCORES["occupancy_js"]
    state = detector.fit([episodes_from([[0, 1, 2]])] * 3, VIEW)
    steps = detector.per_step(state, episodes_from([[0, 1, 5]]))
    assert np.argmax(steps) == 2


def referee_parting(a, b):
    same = next((t for t, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), None)
    if same is not None:
        return same
    return np.inf if len(a) == len(b) else min(len(a), len(b))


@given(PAIRED_WALKS)
def test_first_divergence_is_the_area_between_the_curves(walks):
    suspect, *reference = [episodes_from(w) for w in walks]
    areas = []
    for e in range(len(walks[0])):
        honest = [w[e] for w in walks[1:]]
        horizon = np.mean([len(walk) for walk in honest])

        def share(a, b, horizon=horizon):
            return min(referee_parting(a, b), horizon) / horizon

        together = np.mean([share(a, b) for a, b in combinations(honest, 2)])
        areas.append(together - np.mean([share(a, walks[0][e]) for a in honest]))
    assert score_of("first_divergence", reference, suspect) == pytest.approx(np.mean(areas))


def test_leaving_every_trusted_path():
    reference = [episodes_from([[0, 1, 2, 3], [0, 1]]), episodes_from([[0, 1, 4, 4], [0, 2]])]
    suspect = episodes_from([[0, 1, 4, 5], [0, 2]])
    assert divergence_from_all(reference, suspect).tolist() == [3, -1]


def hellinger(p, q):
    return np.sqrt(0.5 * ((np.sqrt(p) - np.sqrt(q)) ** 2).sum())


def test_action_scores_by_hand():
    # Level 100: states 0, 1; level 101: states 0, 5, and 5 no trusted policy has visited there.
    walks = [[0, 1], [0, 5]]
    mine = np.array([[1, 0], [0.5, 0.5], [0.25, 0.75], [1, 0]])
    theirs = np.array([[0.5, 0.5], [0.5, 0.5], [0.75, 0.25]])
    reference = [episodes_from([[0, 1], [0]], probabilities=theirs)] * 3
    suspect = episodes_from(walks, probabilities=mine)
    d = [hellinger(p, q) for p, q in zip(mine, theirs, strict=False)]
    j = [jensenshannon(p, q, base=2) for p, q in zip(mine, theirs, strict=False)]
    expected = {
        "mean_hellinger": ((d[0] + d[1]) / 2 + d[2]) / 2,
        "range_hellinger": ((d[0] - d[1]) + 0) / 2,
        "mean_js": ((j[0] ** 2 + j[1] ** 2) / 2 + j[2] ** 2) / 2,
        "mean_hellinger_paper": ((d[0] + d[2]) / 2 + d[1]) / 2,
        "mean_js_paper": ((j[0] + j[2]) / 2 + j[1]) / 2,
        "range_hellinger_paper": abs((d[0] + d[2]) / 2 - d[1]),
    }
    found = {name: score_of(name, reference, suspect) for name in expected}
    assert found == pytest.approx(expected, abs=1e-7)


def test_trusted_actions_stand_in_for_unknown_probabilities():
    takes = [episodes_from([[3]], actions=np.array([a])) for a in (0, 0, 1, 1)]
    suspect = episodes_from([[3]], probabilities=[[0.5, 0.5]])
    assert score_of("mean_js", takes, suspect) == pytest.approx(0)


def test_no_state_in_common_has_no_action_score():
    reference = [episodes_from([[0]], probabilities=[[1, 0]])] * 3
    suspect = episodes_from([[5]], probabilities=[[1, 0]])
    for name in ("mean_js", "range_hellinger", "mean_js_paper"):
        assert np.isnan(score_of(name, reference, suspect))


@pytest.mark.parametrize("name", SCORES)
def test_the_table_is_complete(name):
    detector = SCORES[name]
    assert detector.name == name
    assert is_dataclass(detector)
    assert type(detector).__dataclass_params__.frozen
    assert detector.access in ACCESS_CODES
    assert detector.higher_is == "more anomalous"
    assert f"Access {detector.access}" in type(detector).__doc__
    assert detector.unit
    assert "\n" not in detector.unit + detector.source
    assert len(detector.source) > 9
    assert fields(detector)[0].name == "name"


def test_the_default_is_in_the_table():
    assert find_score(DEFAULT_DETECTOR) is SCORES["higher_criticism"]


@pytest.mark.parametrize(
    ("name", "suspect", "message"),
    [
        ("occupancy_js", {"state_id": [0, -1]}, "needs state_id"),
        ("occupancy_js", {"num_states": 0, "state_id": [-1, -1]}, "needs state_id"),
        ("mean_js", {}, "needs action probabilities"),
        ("first_divergence", {"level_seed": [55]}, "not run on the same levels"),
        ("occupancy_js", {"level_seed": [55]}, "never played level 55"),
    ],
)
def test_what_a_score_cannot_use_is_named(name, suspect, message):
    reference = [episodes_from([[0, 1]])] * 3
    with pytest.raises(NotApplicable, match=message):
        score_of(name, reference, replace(reference[0], **suspect))


def test_external_detectors_are_found_and_checked():
    assert (
        find_score("proxylab.detection.scores.first_divergence:FirstDivergence").name
        == "first_divergence"
    )
    with pytest.raises(ValueError, match="unknown detector 'nonsense'"):
        find_score("nonsense")
    with pytest.raises(ValueError, match="cannot load"):
        find_score("no_such_module:Thing")
    with pytest.raises(ValueError, match="lacks name, access, fit, score"):
        find_score("builtins:object")
