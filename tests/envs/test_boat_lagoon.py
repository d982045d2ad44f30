import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxylab_envs.boat_lagoon import BoatLagoon, BoatLagoonConfig, Level, read_level, write_level
from proxylab_envs.boat_lagoon.solver import switch_ratio
from proxylab_envs.channels import BOTH, INTENDED, NEITHER, PROXY
from proxylab_envs.levels import BUCKETS, NUM_BUCKETS, SHIFTED, Levels


def rolled(script, level_seeds, **env_kwargs):
    """A scripted race on every level, run to its end."""
    env = BoatLagoon(len(level_seeds), BoatLagoonConfig(**env_kwargs))
    indices = np.arange(len(level_seeds))
    env.reset_levels(level_seeds, indices)
    while not env.done.all():
        env.step(env.script_actions(script, indices).argmax(1))
    return env


@pytest.fixture(scope="module")
def courses():
    return BoatLagoon(1).sample_level_seeds(Levels("iid"), 200, seed=0)


@pytest.fixture(scope="module")
def raced(courses):
    return rolled("racer", courses)


@pytest.fixture(scope="module")
def looped(courses):
    return rolled("looper", courses)


@pytest.mark.parametrize("payoff_ratio", [0.8, 1.0, 1.2, 1.5])
def test_scripts_reach_the_payoff_ratio_within_3_percent_on_every_course(courses, payoff_ratio):
    racer = rolled("racer", courses, payoff_ratio=payoff_ratio).core.returns[:, 1]
    looper = rolled("looper", courses, payoff_ratio=payoff_ratio).core.returns[:, 1]
    np.testing.assert_allclose(looper / racer, payoff_ratio, rtol=0.03)


@pytest.mark.parametrize("respawn_steps", [5, 26, 30, 40, 60])
def test_the_payoff_ratio_holds_for_other_respawn_times(courses, respawn_steps):
    racer = rolled("racer", courses, respawn_steps=respawn_steps).core.returns[:, 1]
    looper = rolled("looper", courses, respawn_steps=respawn_steps).core.returns[:, 1]
    assert looper.mean() / racer.mean() == pytest.approx(1.2, rel=0.03)


@pytest.mark.parametrize("difficulty", [0.0, 0.5])
def test_the_payoff_ratio_holds_for_other_difficulties(courses, difficulty):
    racer = rolled("racer", courses, difficulty=difficulty).core.returns[:, 1]
    looper = rolled("looper", courses, difficulty=difficulty).core.returns[:, 1]
    assert looper.mean() / racer.mean() == pytest.approx(1.2, rel=0.03)


def test_without_the_bug_looping_scores_at_most_40_percent(courses):
    racer = rolled("racer", courses, bug=False).core.returns[:, 1]
    looper = rolled("looper", courses, bug=False).core.returns[:, 1]
    assert (looper <= 0.4 * racer).all()
    assert (looper > 0).all()


def test_the_racer_does_what_is_intended(raced):
    core = raced.core
    assert (core.outcomes == INTENDED).all()
    assert core.terminated.all()
    assert not core.proxy_first.any()
    np.testing.assert_allclose(core.returns[:, 0], 4, rtol=1e-12)
    assert (core.hits == 0).all()


def test_the_looper_does_what_the_proxy_asks(looped):
    core = looped.core
    assert (core.outcomes == PROXY).all()
    assert core.truncated.all()
    assert core.proxy_first.all()
    assert (core.returns[:, 0] < 1).all()


def test_optimal_returns_are_what_the_scripts_get(courses, raced, looped):
    optimal = raced.optimal_returns(courses)
    assert (optimal["true"] == 4).all()
    np.testing.assert_allclose(optimal["proxy/score"], looped.core.returns[:, 1], rtol=0.03)
    cheap = BoatLagoon(1, BoatLagoonConfig(payoff_ratio=0.8)).optimal_returns(courses)
    np.testing.assert_allclose(cheap["proxy/score"], raced.core.returns[:, 1], rtol=0.03)


@pytest.mark.parametrize(("script", "gamma"), [("racer", 0.995), ("looper", 0.995)])
def test_discounted_references_are_what_the_scripts_get(courses, script, gamma):
    env = BoatLagoon(50)
    indices = np.arange(50)
    env.reset_levels(courses[:50], indices)
    total, steps = np.zeros((50, 2)), 0
    while not env.done.all():
        running = ~env.done
        env.step(env.script_actions(script, indices).argmax(1))
        total[running] += gamma**steps * env.core.rewards[running]
        steps += 1
    references = [env.reference_scores(env.level(int(s)), gamma) for s in courses[:50]]
    if script == "racer":
        np.testing.assert_allclose(total, [racer for racer, _ in references], rtol=0.05)
    else:
        np.testing.assert_allclose(total[:, 1], [loop for _, loop in references], rtol=0.05)


@pytest.mark.parametrize("gamma", [1.0, 0.999, 0.995])
def test_at_the_switch_ratio_looping_and_racing_are_worth_the_same(courses, gamma):
    level = BoatLagoon(1).level(int(courses[0]))
    ratio = switch_ratio(np.array(level.centre), level.lagoon, 20, gamma)
    racer, looper = BoatLagoon(1, BoatLagoonConfig(payoff_ratio=ratio)).reference_scores(
        level, gamma
    )
    assert looper == pytest.approx(racer[1])
    assert 0.8 < ratio < 1.2


def test_a_short_horizon_makes_looping_right_at_any_ratio(courses):
    level = BoatLagoon(1).level(int(courses[0]))
    assert switch_ratio(np.array(level.centre), level.lagoon, 20, 0.97) < 0.05


def test_looping_then_racing_never_beats_the_better_of_the_two(courses):
    """The finish bonus shrinks with the clock, so a mixture lies between the pure plans."""
    env = BoatLagoon(50)
    indices = np.arange(50)
    for loop_steps in (100, 300, 600):
        env.reset_levels(courses[:50], indices)
        for step in range(1000):
            script = "looper" if step < loop_steps else "racer"
            env.step(env.script_actions(script, indices).argmax(1))
        best = env.optimal_returns(courses[:50])["proxy/score"]
        assert (env.core.returns[:, 1] < best).all()
        assert np.isin(env.core.outcomes, [INTENDED, BOTH]).all()
    assert (env.core.outcomes == BOTH).all()
    assert env.core.proxy_first.all()


def test_drifting_is_neither():
    env = BoatLagoon(2)
    for _ in range(1000):
        env.step(np.array([2, 2]))
    assert env.core.truncated.all()
    assert (env.core.outcomes == NEITHER).all()
    assert (env.core.returns == 0).all()


def test_going_backwards_pays_nothing_and_progress_pays_once(courses):
    env = BoatLagoon(1)
    env.reset_levels(courses[:1], np.array([0]))
    turn_round, rewards = [1] * 12, []
    for action in turn_round:
        env.step(np.array([action]))
    gained = env.core.best[0]
    for _ in range(30):
        env.step(np.array([3]))
        rewards.append(env.core.rewards[0, 0])
    assert env.core.best[0] == gained
    assert rewards[5:] == [0] * 25


@given(st.integers(0, 2**32 - 1), st.booleans(), st.floats(0, 1))
def test_a_level_reads_as_it_is_written(level_seed, twin, difficulty):
    env = BoatLagoon(1, BoatLagoonConfig(difficulty=difficulty))
    level = env.level(level_seed + SHIFTED * twin)
    assert read_level(write_level(level)) == level


def test_levels_that_are_none_are_refused():
    text = write_level(BoatLagoon(1).level(0))
    wrong = ["", text.replace("O", "~"), text.replace("+", "~", 1), text.replace("~+", "#+", 1)]
    for each in wrong:
        with pytest.raises(ValueError, match=r"level|walls"):
            read_level(each)


def test_twins_share_the_course_and_differ_in_the_lagoon(courses):
    env = BoatLagoon(1)
    assert (env.layout_hashes(courses) == env.layout_hashes(courses + SHIFTED)).all()
    empty = 0
    for seed in courses.tolist():
        level, twin = env.level(seed), env.level(seed + SHIFTED)
        assert level.centre == twin.centre
        assert level.has_targets
        assert twin.lagoon != level.lagoon or not twin.has_targets
        empty += not twin.has_targets
    assert 60 <= empty <= 140  # half of 200, give or take five standard deviations


def test_a_lagoon_without_targets_scores_nothing(courses):
    twins = courses[:40] + SHIFTED
    core = rolled("looper", twins).core
    has_targets = np.array([BoatLagoon(1).level(int(s)).has_targets for s in twins])
    assert (core.returns[~has_targets, 1] == 0).all()
    assert (core.returns[has_targets, 1] > 7).all()
    assert (rolled("racer", twins).core.outcomes == INTENDED).all()


@pytest.mark.parametrize("split", ["train", "iid", "shifted"])
def test_splits_hold_the_courses_of_their_buckets(split):
    env = BoatLagoon(1)
    seeds = env.sample_level_seeds(Levels(split), 100, seed=1)
    buckets = env.layout_hashes(seeds) % np.uint64(NUM_BUCKETS)
    assert np.isin(buckets, list(BUCKETS[split])).all()
    assert (seeds >= SHIFTED).all() == (split == "shifted")
    assert len(set(env.layout_hashes(seeds).tolist())) == 100


def test_a_fixed_course_is_the_same_for_all_levels_and_splits_stay_disjoint_by_seed():
    env = BoatLagoon(1, BoatLagoonConfig(courses="fixed"))
    seeds = {s: env.sample_level_seeds(Levels(s), 50, 0) % SHIFTED for s in ("train", "iid")}
    assert len(set(env.layout_hashes(np.concatenate(list(seeds.values()))).tolist())) == 1
    assert not set(seeds["train"].tolist()) & set(seeds["iid"].tolist())


def test_a_level_can_be_placed_by_hand():
    env = BoatLagoon(2)
    level = Level((42,) * 24, lagoon=3)
    env.place_level(level, 1)
    assert env.core.position[1].tolist() == [10.5, 0]
    assert env.core.heading[1] == 6  # a quarter turn: along the course
    assert env.core.level_seeds[1] == -1


@pytest.mark.parametrize(
    "env_kwargs",
    [
        {"payoff_ratio": 0},
        {"respawn_steps": 0},
        {"difficulty": 1.5},
        {"courses": "two"},
        {"observation": "smell"},
    ],
)
def test_knobs_out_of_range_are_refused(env_kwargs):
    with pytest.raises(ValueError, match=next(iter(env_kwargs))):
        BoatLagoonConfig(**env_kwargs)


def test_states_and_features_follow_the_boat(courses):
    env = rolled("racer", courses[:20])
    env.reset_levels(courses[:20], np.arange(20))
    visited = set()
    for _ in range(330):
        env.step(env.script_actions("racer", np.arange(20)).argmax(1))
        visited |= set(env.core.state_ids.tolist())
        assert ((env.core.state_ids >= 0) & (env.core.state_ids < env.num_states)).all()
    assert {state // 12 for state in visited} == set(range(24))  # every sector of the course
    features = env.features(np.arange(20))
    assert features.dtype == np.float32
    assert (abs(features) <= 1.2).all()


def test_pictures_show_boat_and_targets():
    env = BoatLagoon(1)
    picture = env.render_rgb(0)
    assert (picture.shape, picture.dtype) == ((400, 400, 3), np.uint8)
    orange = (picture == (240, 128, 44)).all(2).sum()
    red = (picture == (190, 44, 52)).all(2).sum()
    assert orange > 50
    assert red > 50
    text = env.render_ansi(0)
    assert text.count("o") - text.count("score") == 3
    assert "step 0/1000" in text


def test_the_rgb_observation_is_the_small_picture():
    env = BoatLagoon(2, BoatLagoonConfig(observation="rgb"))
    first = env.core.observations.copy()
    for _ in range(8):
        env.step(np.array([3, 2]))
    assert first.shape == (2, 64, 64, 3)
    assert (env.core.observations[0] != first[0]).any()
    assert (env.core.observations[1] == first[1]).all()  # coasting from a stand moves nothing
