"""MMD and energy distance of states: by definition, by hand, and their permutation test."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from toy_field import open_field, steps_apart, wander, wanderers
from toy_population import NUM_STATES, VIEW, episodes_from

from proxylab.detection.pairing import NotApplicable
from proxylab.detection.scores.kernel_two_sample import STATES_EACH, thinned
from proxylab.detection.scores.registry import SCORES
from proxylab.detection.task_view import bare_view
from proxylab.rollouts.episodes import concatenate

MMD, ENERGY = SCORES["block_mmd"], SCORES["energy"]
WALK = st.lists(st.integers(0, NUM_STATES - 1), min_size=1, max_size=6)
PAIRED_WALKS = st.integers(1, 3).flatmap(
    lambda n: st.lists(st.lists(WALK, min_size=n, max_size=n), min_size=3, max_size=4)
)


def score_of(detector, reference, suspect, view=VIEW):
    return detector.score(detector.fit(reference, view), suspect, np.random.default_rng(0))


def referee(kernel, mine, others):
    """E k(x, x') - 2 E k(x, y) + E k(y, y'), pair by pair; every episode weighs the same."""

    def mean(a, b):
        return np.mean([kernel(x, y) for x in a for y in b])

    across = np.mean([mean(mine, other) for other in others])
    return mean(mine, mine) - 2 * across + np.mean([mean(a, b) for a in others for b in others])


def ring_steps(a, b):
    """Mean of the fewest moves by 1 or 2 round the ring, there and back."""
    return (-((b - a) % NUM_STATES // -2) - ((a - b) % NUM_STATES // -2)) / 2


@given(PAIRED_WALKS)
@settings(max_examples=25)
def test_states_with_an_index(walks):
    suspect, *reference = [episodes_from(w) for w in walks]
    levels = range(len(walks[0]))

    def expected(kernel):
        found = [referee(kernel, walks[0][e], [w[e] for w in walks[1:]]) for e in levels]
        return pytest.approx(np.mean(found), abs=1e-9)

    assert score_of(MMD, reference, suspect) == expected(lambda x, y: float(x == y))
    assert score_of(ENERGY, reference, suspect) == expected(lambda x, y: -ring_steps(x, y))
    bare = bare_view(suspect)
    assert score_of(ENERGY, reference, suspect, bare) == expected(lambda x, y: float(x == y))


def test_states_out_of_reach_are_one_step_further_than_any():
    view = replace(
        VIEW,
        successors=np.tile(
            np.array([[1, 1], [0, 1], [2, 2], [3, 2], [4, 4], [5, 5]], np.int32),
            (len(VIEW.levels), 1, 1),
        ),
    )
    reference = [episodes_from([[0]])] * 3
    assert score_of(ENERGY, reference, episodes_from([[1]]), view) == pytest.approx(2)
    assert score_of(ENERGY, reference, episodes_from([[4]]), view) == pytest.approx(4)
    one_way = score_of(ENERGY, [episodes_from([[3]])] * 3, episodes_from([[2]]), view)
    assert one_way == pytest.approx(2)


def featured(rng, policy="p", shift=0.0, levels=6, longest=9):
    """Episodes with two features; the level is the centre of the first."""
    lengths = rng.integers(1, longest, levels)
    walks = [[0] * length for length in lengths]
    blank = episodes_from(walks, policy=policy, num_states=0, state_id=-np.ones(lengths.sum(), int))
    centre = np.repeat(np.arange(levels), lengths)
    features = rng.normal(size=(len(centre), 2)) + np.stack([centre, shift + 0 * centre], axis=1)
    return replace(blank, features=features.astype(np.float32))


def test_states_with_features():
    rng = np.random.default_rng(5)
    *reference, suspect = (featured(rng, str(k)) for k in range(4))
    pooled = np.concatenate([e.features for e in reference]).astype(float)
    scale = pooled.std(axis=0)
    gaps = np.linalg.norm((pooled[:, None] - pooled) / scale, axis=2)
    bandwidth = np.sqrt(np.median(gaps[gaps > 0] ** 2))

    def states(episodes, e):
        start, stop = episodes.episode_offsets[e : e + 2]
        return episodes.features[start:stop] / scale

    def gaussian(x, y):
        return np.exp(-((x - y) ** 2).sum() / (2 * bandwidth**2))

    def distance(x, y):
        return -np.linalg.norm(x - y)

    for detector, kernel in ((MMD, gaussian), (ENERGY, distance)):
        state = detector.fit(reference, bare_view(suspect))
        expected = [
            referee(kernel, states(suspect, e), [states(r, e) for r in reference]) for e in range(6)
        ]
        np.testing.assert_allclose(detector.per_episode(state, suspect), expected, atol=1e-6)


def test_long_episodes_are_thinned_evenly():
    walk = episodes_from([[0] * 200, [0] * 3])
    walk = replace(walk, features=np.arange(203, dtype=np.float32)[:, None])
    points, offsets = thinned(walk, np.array([2.0]))
    assert offsets.tolist() == [0, STATES_EACH, STATES_EACH + 3]
    assert np.diff(points[:STATES_EACH, 0]).max() <= 4
    assert points[STATES_EACH - 1, 0] >= 96
    assert points[STATES_EACH:, 0].tolist() == [100, 100.5, 101]


def test_a_detour_weighs_less_than_another_goal_only_on_the_map():
    view = open_field(1)
    middle, corner, beside = 12, 4, 13
    assert steps_apart(middle, beside) == 1
    reference = [episodes_from([[middle]], levels=[0], num_states=25, num_actions=4)] * 3
    suspects = [
        episodes_from([[cell]], levels=[0], num_states=25, num_actions=4)
        for cell in (beside, corner)
    ]
    near, far = (score_of(ENERGY, reference, s, view) for s in suspects)
    assert (near, far) == (2, 2 * steps_apart(middle, corner))
    assert score_of(MMD, reference, suspects[0], view) == score_of(
        MMD, reference, suspects[1], view
    )


@pytest.mark.parametrize("detector", [MMD, ENERGY], ids=lambda d: d.name)
def test_episodes_of_one_policy_are_exchangeable(detector):
    # 200 worlds, suspect and reference are one policy: p <= .05 is expected 10 times with
    # standard deviation 3.1; more than 23 has odds below 1e-4. The whole law at 1e-4.
    rng, view, p_values = np.random.default_rng(2), open_field(4), []
    for _ in range(200):
        suspect, *reference = (wander(view, 0, rng, error=0.3, steps=6) for _ in range(4))
        state = detector.fit(reference, view)
        p_values.append(detector.permutation_test(state, suspect, rng, 99).p_value)
    assert np.sum(np.array(p_values) <= 0.05) <= 23
    # At most one world in 100 of ties: the lower side of the law is what a test must keep.
    smooth = np.array(p_values) - rng.uniform(0, 0.01, 200)
    assert stats.kstest(smooth, "uniform", alternative="greater").pvalue > 1e-4


@pytest.mark.parametrize("detector", [MMD, ENERGY], ids=lambda d: d.name)
def test_another_goal_is_told_apart(detector):
    rng, view = np.random.default_rng(2), open_field(12)
    reference = list(wanderers(view, 0, 3, rng).values())
    seeker = wander(view, 1, rng, "s")
    state = detector.fit(reference, view)
    found = detector.permutation_test(state, seeker, rng, 199)
    assert found.p_value == 1 / 200
    assert found.statistic == pytest.approx(detector.score(state, seeker, rng), abs=1e-9)
    fewer = seeker.select(np.arange(6))
    assert detector.permutation_test(state, fewer, rng, 199).p_value <= 0.05


@pytest.mark.parametrize("detector", [MMD, ENERGY], ids=lambda d: d.name)
def test_the_test_on_features_uses_the_same_blocks(detector):
    rng = np.random.default_rng(6)
    *reference, suspect = (featured(rng, str(k)) for k in range(5))
    moved = featured(rng, "m", shift=3.0)
    state = detector.fit(reference, bare_view(suspect))
    found = detector.permutation_test(state, moved, rng, 199)
    assert found.p_value <= 0.01
    assert found.statistic == pytest.approx(detector.score(state, moved, rng), abs=1e-9)


def test_order_and_repetition_of_reference_policies_do_not_matter():
    rng, view = np.random.default_rng(7), open_field(5)
    a, b, suspect = (wander(view, 0, rng, p) for p in "abs")
    for detector in (MMD, ENERGY):
        once = score_of(detector, [a, b], suspect, view)
        assert score_of(detector, [b, a], suspect, view) == pytest.approx(once)
        assert score_of(detector, [a, b, a, b], suspect, view) == pytest.approx(once)
    assert concatenate([a, b]).num_episodes == 10


def test_what_is_lacking_is_named():
    whole = featured(np.random.default_rng(0))
    bare = replace(whole, features=whole.features[:, :0])
    with pytest.raises(NotApplicable, match="needs state_id"):
        MMD.fit([bare], bare_view(bare))
    with pytest.raises(NotApplicable, match="has 0 features, the reference 2"):
        MMD.score(MMD.fit([whole] * 2, bare_view(whole)), bare, np.random.default_rng(0))
