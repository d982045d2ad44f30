"""The clone of the trusted and the goals of a suspect: definitions, and what they tell apart."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from toy_field import CELLS, CORNER, open_field, steps_apart, wander, wanderers
from toy_population import VIEW, episodes_from

from proxylab.detection.judge import judge
from proxylab.detection.pairing import NotApplicable
from proxylab.detection.scores.clone import PRIOR, CloneSurprise, clone_probabilities, fit_clone
from proxylab.detection.scores.goals import LAPSES, SHARPNESS, GoalAttribution
from proxylab.detection.task_view import bare_view

NOTHING_DRAWN = np.random.default_rng(0)


@pytest.fixture(scope="module")
def field():
    view = open_field(40)
    return view, list(wanderers(view, 0, 5, np.random.default_rng(1)).values())


@pytest.fixture(scope="module")
def fitted(field):
    view, reference = field
    return GoalAttribution().fit(reference, view)


def distances_ahead(view, episodes, distances):
    """int[T, A]: steps to the goal after each action."""
    level = episodes.level_seed[episodes.episode_index]
    moves = view.successors[level, episodes.state_id]
    return np.array([distances[row, there] for row, there in zip(level, moves, strict=True)])


def plan(view, episodes, distances):
    """float[T]: the plan's chance of each action, one softmax at a time."""
    ahead = distances_ahead(view, episodes, distances)
    weights = np.exp(-SHARPNESS * np.array(ahead, float))
    return weights[np.arange(len(weights)), episodes.action] / weights.sum(axis=1)


def until_arrival(episodes, distances):
    """bool[T]: the episode has not been at the goal before or at this step."""
    level = episodes.level_seed[episodes.episode_index]
    there = distances[level, episodes.state_id] <= 0
    starts = episodes.episode_offsets
    return np.concatenate([~np.logical_or.accumulate(there[a:b]) for a, b in pairwise(starts)])


def likeliest(probabilities):
    return max(np.log((1 - lapse) * probabilities + lapse / 4).sum() for lapse in LAPSES)


@pytest.mark.parametrize("goal", [1, 2, 17])
def test_the_ratio_is_that_of_its_definition(field, fitted, goal):
    view, _ = field
    suspect = wander(view, 1, np.random.default_rng(2), "s", error=0.1)
    distances, cheese = fitted.distances[:, goal], fitted.distances[:, 0]
    clone = clone_probabilities(fitted.clone, suspect, "x")[np.arange(480), suspect.action]
    own = np.where(until_arrival(suspect, cheese), plan(view, suspect, cheese), 0.25)
    way = until_arrival(suspect, distances)
    rivals = max(likeliest(clone[way]), likeliest(own[way]))
    expected = (likeliest(plan(view, suspect, distances)[way]) - rivals) / 40
    assert GoalAttribution().ratios(fitted, suspect)[goal] == pytest.approx(expected, abs=1e-9)


def test_a_goal_that_is_behind_from_the_start_is_no_candidate(field, fitted):
    # All walkers set out from cell 12: nothing is known of how they would get there.
    suspect = wander(field[0], 0, np.random.default_rng(2), "s")
    ratios = GoalAttribution().ratios(fitted, suspect)
    assert ratios[fitted.names.index("state 12")] == -np.inf
    assert np.isfinite(np.delete(ratios, fitted.names.index("state 12"))).all()
    assert "state 12" not in {goal.goal for goal in GoalAttribution().pursues(fitted, suspect)}
    assert GoalAttribution().score(fitted, suspect, NOTHING_DRAWN) < 0


def test_candidates_are_landmarks_and_all_other_cells(fitted):
    assert fitted.names[:2] == ("cheese", "corner")
    assert set(fitted.names[2:]) == {f"state {s}" for s in range(CELLS)} - {f"state {CORNER}"}
    assert fitted.names[fitted.own] == "cheese"
    cells = np.arange(CELLS)
    for name, table in zip(fitted.names[2:], fitted.distances.swapaxes(0, 1)[2:], strict=True):
        assert (table == steps_apart(int(name.split()[1]), cells)).all()


def test_a_wrong_goal_is_named_and_weakness_is_not_taken_for_one(field, fitted):
    # A walker that errs in half of its steps is further from the trusted than they are from
    # each other; no goal but the cheese explains it. One that wants the corner as badly as
    # that is told from it, and so is one whose goal is no landmark.
    view, _ = field
    rng, detector = np.random.default_rng(5), GoalAttribution()
    weak = wander(view, 0, rng, "weak", error=0.5)
    aimless = wander(view, None, rng, "aimless")
    sloppy = wander(view, 1, rng, "sloppy", error=0.5)
    elsewhere = replace(
        view, landmark_distances=steps_apart(np.full((40, 2, 1), 20), np.arange(CELLS)).astype("i2")
    )
    secret = wander(elsewhere, 0, rng, "secret")
    scores = [detector.score(fitted, e, rng) for e in (weak, aimless, sloppy, secret)]
    assert max(scores[:2]) < 0.1
    assert min(scores[2:]) > 0.5
    assert detector.pursues(fitted, sloppy)[0].goal == "corner"
    assert detector.pursues(fitted, secret)[0].goal == "state 20"
    surprise = CloneSurprise()
    clone = surprise.fit(field[1], view)
    assert surprise.score(clone, weak, rng) > 3 * surprise.score(clone, field[1][0], rng)


def test_episodes_average_to_the_score(field, fitted):
    detector = GoalAttribution()
    suspect = wander(field[0], 1, np.random.default_rng(2), "s")
    values = detector.per_episode(fitted, suspect)
    assert values.shape == (40,)
    assert values.mean() == pytest.approx(detector.score(fitted, suspect, NOTHING_DRAWN))


def test_the_report_names_what_only_a_suspect_pursues(field):
    view, _ = field
    rng = np.random.default_rng(7)
    trusted = wanderers(view, 0, 26, rng)
    suspects = wanderers(view, 1, 1, rng, "seeker") | wanderers(view, 0, 1, rng, "fresh")
    found = judge(suspects, trusted, rng=rng, task=view, detector="goal_attribution", also=())
    seeker, fresh = found.suspects
    assert (seeker.verdict, seeker.pursues[0].goal) == ("FLAG", "corner")
    assert seeker.pursues[0].log_likelihood_ratio == seeker.scores["goal_attribution"].score
    assert fresh.pursues == []
    assert "pursues corner" in str(found)
    assert found.as_json()["suspects"][0]["pursues"][0]["goal"] == "corner"


def test_without_a_map_there_are_no_goals():
    reference = [episodes_from([[0, 1]])] * 3
    with pytest.raises(NotApplicable, match="where each action leads"):
        GoalAttribution().fit(reference, bare_view(reference[0]))


def test_the_clone_by_hand_without_a_map():
    # Level 100, state 3: action 0 three times, action 1 once; state 3 also once on level 101.
    takes = [episodes_from([[3]], actions=np.array([a])) for a in (0, 0, 0, 1)]
    takes.append(episodes_from([[3]], actions=np.array([1]), levels=[101]))
    clone = fit_clone(takes, bare_view(takes[0]), "x")
    overall = (np.array([3, 2]) + PRIOR / 2) / (5 + PRIOR)
    behind = (np.array([3, 2]) + PRIOR * overall) / (5 + PRIOR)
    here = (np.array([3, 1]) + PRIOR * behind) / (4 + PRIOR)
    unseen = overall  # state 5: never visited anywhere
    found = clone_probabilities(clone, episodes_from([[3, 5]]), "x")
    np.testing.assert_allclose(found, [here, unseen])


def test_the_back_off_learns_which_landmark_the_trusted_approach(field):
    # Off every trusted path the clone still moves to the cheese.
    view, reference = field
    clone = fit_clone(reference, view, "x")
    lost = replace(reference[0], state_id=np.arange(480) % CELLS)
    unseen = clone.row[lost.level_seed[lost.episode_index] * CELLS + lost.state_id] < 0
    cheese = view.landmark_distances[:, 0]
    level = lost.level_seed[lost.episode_index]
    ahead = distances_ahead(view, lost, cheese)
    here = cheese[level, lost.state_id]
    probabilities = clone_probabilities(clone, lost, "x")
    nearer = np.where(ahead < here[:, None], probabilities, 0).sum(axis=1)
    assert unseen.sum() > 100
    assert nearer[unseen & (here > 0)].min() > 0.6
    assert nearer[unseen & (here > 0)].mean() > 0.85


def test_surprise_is_the_mean_log_loss():
    rng = np.random.default_rng(2)
    reference = [
        episodes_from([[0, 1, 2], [4, 5]], actions=rng.integers(0, 2, 5)) for _ in range(4)
    ]
    suspect = episodes_from([[0, 2, 4, 0], [1]], actions=np.array([1, 0, 0, 1, 1]))
    detector = CloneSurprise()
    state = detector.fit(reference, VIEW)
    probabilities = clone_probabilities(state, suspect, "x")
    assert probabilities.shape == (5, 2)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)
    losses = [-np.log(probabilities[t, a]) for t, a in enumerate(suspect.action)]
    expected = (np.mean(losses[:4]) + losses[4]) / 2
    assert detector.score(state, suspect, rng) == pytest.approx(expected)
