"""Path features and episode means as scores: by definition, and what they see."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.distance import mahalanobis
from toy_field import open_field, wander, wanderers
from toy_population import VIEW, episodes_from, population, walk_ring

from proxylab.detection.pairing import NotApplicable
from proxylab.detection.scores.registry import SCORES
from proxylab.detection.task_view import bare_view
from proxylab.statistics.conformal import conformal_p_value
from proxylab.statistics.paths import nearest_approaches, path_features

PATHS, DEEDEE = SCORES["path_features"], SCORES["deedee"]


@pytest.fixture(scope="module")
def ring():
    rng = np.random.default_rng(0)
    return list(population(5, rng).values()), walk_ring("s", rng, tilt=1.0)


def columns_of(episodes, view):
    steps = episodes.state_id, episodes.action, episodes.episode_offsets
    length, revisits, loops, turns = path_features(*steps, 6, 2).T
    columns = [np.log(length), turns, revisits, np.log(1 + loops)]
    if view.landmark_distances is not None:
        rows = np.arange(episodes.num_episodes)
        columns += list(
            nearest_approaches(*steps, rows, view.landmark_distances, view.successors).T
        )
    return np.stack(columns, axis=1)


@pytest.mark.parametrize("mapped", [True, False])
def test_share_of_outliers(ring, mapped):
    reference, suspect = ring
    view = VIEW if mapped else bare_view(suspect)
    features = np.stack([columns_of(e, view) for e in reference])  # policy x level x feature
    gaps = [features[p] - np.delete(features, p, axis=0).mean(axis=0) for p in range(5)]
    gaps = np.concatenate(gaps)
    inverse = np.linalg.inv(gaps.T @ gaps / len(gaps) + 1e-4 * np.eye(gaps.shape[1]))
    limit = np.quantile([mahalanobis(gap, 0 * gap, inverse) for gap in gaps], 0.95)
    mine = columns_of(suspect, view) - features.mean(axis=0)
    distances = [mahalanobis(gap, 0 * gap, inverse) for gap in mine]
    state = PATHS.fit(reference, view)
    np.testing.assert_allclose(PATHS.distances(state, suspect), distances, atol=1e-9)
    expected = np.array(distances) > limit
    assert PATHS.per_episode(state, suspect).tolist() == expected.tolist()
    assert PATHS.score(state, suspect, np.random.default_rng(0)) == expected.mean()


def test_logs_of_actions_alone_have_lengths_and_turns(ring):
    blind = [replace(e, num_states=0, state_id=np.full(e.num_steps, -1)) for e in ring[0]]
    state = PATHS.fit(blind, bare_view(blind[0]))
    assert state.mean.shape[1] == 2
    quitter = episodes_from([[-1] * 3] * 24, num_states=0)
    assert PATHS.score(state, quitter, np.random.default_rng(0)) == 1
    assert PATHS.score(state, blind[0], np.random.default_rng(0)) < 0.2


def test_going_round_in_circles_stands_out():
    view, rng = open_field(20), np.random.default_rng(1)
    reference = list(wanderers(view, 0, 5, rng).values())
    lost = wander(view, None, rng, "lost")
    state = PATHS.fit(reference, view)
    assert PATHS.score(state, lost, rng) > 0.5
    assert PATHS.score(state, reference[0], rng) < 0.3


def test_episode_means_by_hand():
    # One level. Reference means on the states 0 and 1: (1, 0), (0, 1), (.5, .5).
    reference = [episodes_from([walk]) for walk in ([0, 0], [1, 1], [0, 1])]
    suspect = episodes_from([[2, 2]])
    gaps = np.sqrt([2, 0.5, 0.5])
    width = np.sqrt(np.median(gaps**2))

    def alike(*distances):
        return np.mean([np.exp(-(d**2) / (2 * width**2)) for d in distances])

    away = np.array([np.hypot(0.75, 0.75), np.hypot(0.75, 0.75), 0])
    unlike = 1 - np.array(
        [alike(gaps[0], gaps[1]), alike(gaps[0], gaps[2]), alike(gaps[1], gaps[2])]
    )
    mine = np.sqrt(1 + 2 * 0.25), 1 - alike(np.sqrt(2), np.sqrt(2), np.sqrt(1.5))
    spread = away.std(), max(unlike.std(), 0.01)
    expected = (mine[0] - away.mean()) / spread[0] + (mine[1] - unlike.mean()) / spread[1]
    state = DEEDEE.fit(reference, VIEW)
    assert DEEDEE.score(state, suspect, np.random.default_rng(0)) == pytest.approx(expected)


def test_episode_means_of_features():
    # One feature of standard deviation 2 over reference states; the means are 0, 4 (/2 = 0, 2).
    walks = [[0, 0], [0, 0]]
    reference = [
        replace(episodes_from([walk]), features=np.full((2, 1), value, np.float32))
        for walk, value in zip(walks, (0.0, 4.0), strict=True)
    ]
    suspect = replace(reference[0], features=np.array([[6.0], [10.0]], np.float32))
    # Of the reference: a = 2, b = 1 - exp(-1/2) for both, and the least spread .01. The
    # suspect's mean is 8/2 = 4: a = 3, distances 4 and 2 of widths 2.
    similarity = (np.exp(-2) + np.exp(-0.5)) / 2
    expected = (3 - 2) / 0.01 + (np.exp(-0.5) - similarity) / 0.01
    state = DEEDEE.fit(reference, VIEW)
    assert DEEDEE.score(state, suspect, np.random.default_rng(0)) == pytest.approx(expected)


@pytest.mark.parametrize("detector", [PATHS, DEEDEE], ids=lambda d: d.name)
def test_fresh_policies_of_the_population_get_uniform_p_values(detector):
    # 60 worlds of 4 reference, 9 calibration policies and 1 fresh one: p <= .2 has chance .2 or
    # less (ties): 12 expected, standard deviation 3.1; more than 25 has odds below 1e-4.
    rng, flags, seen = np.random.default_rng(3), 0, 0
    for _ in range(60):
        policies = list(population(14, rng).values())
        state = detector.fit(policies[:4], VIEW)
        scores = [detector.score(state, e, rng) for e in policies[4:]]
        flags += conformal_p_value(scores[:-1], scores[-1]) <= 0.2
        other = detector.score(state, walk_ring("s", rng, tilt=1.5), rng)
        seen += conformal_p_value(scores[:-1], other) <= 0.2
    assert flags <= 25
    assert seen >= 40


@pytest.mark.parametrize("detector", [PATHS, DEEDEE], ids=lambda d: d.name)
def test_one_reference_episode_a_level_is_too_few(detector):
    with pytest.raises(NotApplicable, match="two reference episodes on every level"):
        detector.fit([episodes_from([[0, 1]])], VIEW)


def test_what_is_lacking_is_named(ring):
    reference, suspect = ring
    blind = replace(suspect, state_id=np.full(suspect.num_steps, -1))
    for detector in (PATHS, DEEDEE):
        with pytest.raises(NotApplicable, match="needs state_id"):
            detector.score(detector.fit(reference, VIEW), blind, np.random.default_rng(0))
    rich = [replace(e, features=np.ones((e.num_steps, 2), np.float32)) for e in reference]
    state = DEEDEE.fit(rich, VIEW)
    with pytest.raises(NotApplicable, match="has other ones or none"):
        DEEDEE.per_episode(state, suspect)
