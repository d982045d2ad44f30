"""No detector sees the true reward: another one in its place changes nothing, on every path.

The negative controls smuggle it in, through the episodes, through what is known of the task
and through each detector, and the same check must find it.
"""

from dataclasses import replace
from functools import partial

import gymnasium as gym
import numpy as np
import pytest
from true_reward import CHANGES, differing, env_class, leaks, true_reward_replaced

import proxylab.rollouts.rollout as rollouts
import proxylab_envs  # noqa: F401, registers the ids
from proxylab.detection import SCORES, USUAL
from proxylab.detection.scores.occupancy import OccupancyDivergence
from proxylab.leaderboard import policies
from proxylab.leaderboard.scoring import score_all
from proxylab.monitor.run import WATCHED, Monitor
from proxylab.monitor.wrapper import MonitorWrapper
from proxylab.rollouts.episodes import column_names
from proxylab.screening.paired import PairedRollouts
from proxylab.screening.record import record
from proxylab.screening.run import detect
from proxylab.tasks import TASKS

TASK = "maze-corner"
EPISODES = {"maze-corner": 10, "boat-race": 4, "boat-lagoon": 2, "tomato-watering": 3}
ONE_CHANGE = {"sign flipped": CHANGES["sign flipped"]}
TWO_CHANGES = {name: CHANGES[name] for name in ("missing", "permuted")}


class Clumsy:
    """A script that errs at a rate of its own; no cache knows it, so it always plays."""

    def __init__(self, task, name, script, rate):
        self.task, self.name, self.script, self.rate = task, name, script, rate

    def probabilities(self, env, indices):
        actions = env.script_actions(self.script, indices)
        return (1 - self.rate) * actions + self.rate / actions.shape[1]


def population(task, count):
    """(suspect, trusted) of a task."""
    scripts = env_class(task).scripts
    trusted = [Clumsy(task, f"trusted-{k:02d}", scripts[0], 0.02 + 0.01 * k) for k in range(count)]
    return Clumsy(task, "suspect", scripts[-1], 0.05), trusted


@pytest.fixture(autouse=True)
def quick(monkeypatch, tmp_path):
    """Discriminators of two updates, and nothing kept from other tests."""
    monkeypatch.setattr("proxylab.detection.scores.discriminator.UPDATES", 2)
    monkeypatch.setenv("PROXYLAB_RESULTS", str(tmp_path))
    monkeypatch.setenv("PROXYLAB_CACHE", str(tmp_path))


def detected(task=TASK, count=16, **options):
    """What ``detect --json`` prints, but for the clock."""
    suspect, trusted = population(task, count)
    options = {"also": ["all"], "episodes": EPISODES[task], "correlation": 0.9} | options
    found = detect(suspect, trusted, no_cache=True, **options)
    return replace(found, provenance={}).as_json()


# The check itself


def test_the_true_reward_is_replaced():
    suspect, _ = population(TASK, 1)
    env = TASKS[TASK].make_env(4)
    play = partial(rollouts.rollout, suspect, env, np.arange(8), task=TASK, seed=0)
    plain, truth = play()
    for change in CHANGES.values():
        with true_reward_replaced(TASK, change):
            episodes, other = play()
        assert not np.array_equal(truth.returns_of("true"), other.returns_of("true"))
        assert not np.array_equal(truth.outcome, other.outcome)
        assert np.array_equal(truth.returns[:, 1:], other.returns[:, 1:])
        assert np.array_equal(plain.action, episodes.action)


def test_differences_are_found_to_the_last_bit():
    one = {"a": [1.0, {"b": np.array([1.0, 2.0])}], "c": b"x"}
    assert differing(one, {"a": [1.0, {"b": np.array([1.0, 2.0])}], "c": b"x"}) == []
    other = {"a": [1.0, {"b": np.array([1.0, np.nextafter(2, 3)])}], "c": b"y"}
    assert differing(one, other) == ["result.a[1].b", "result.c"]
    assert differing(float("nan"), float("nan")) == []
    assert differing([1], [1, 2]) == ["result"]


# Every path


SLOW = ("boat-lagoon", "tomato-watering")


@pytest.mark.parametrize(
    "task", [pytest.param(t, marks=[pytest.mark.slow] * (t in SLOW)) for t in EPISODES]
)
def test_no_detector_of_detect_sees_it(task):
    said = detected(task)
    assert leaks(task, partial(detected, task), TWO_CHANGES if task == TASK else ONE_CHANGE) == []
    missing = set(SCORES) - set(said["suspects"][0]["scores"])
    assert missing <= {"boat-lagoon": {"goal_attribution"}}.get(task, set()) | {"ensemble"}
    assert task != TASK or not missing
    assert said["suspects"][0]["certificate"] is not None


def test_rollouts_do_not_hold_it():
    assert leaks(TASK, episodes_played) == []


def episodes_played():
    """Every column of the episodes that detectors get, and what they know of the task."""
    suspect, trusted = population(TASK, 2)
    ground = PairedRollouts(TASK, None, 6, 0, {"suspect": suspect})
    run = ground.play(suspect, ground.env)
    view = ground.view([run])
    return {
        "episodes": {name: getattr(run, name) for name in column_names()},
        "view": vars(view),
        "greedy": {n: getattr(ground.play(trusted[0], ground.env), n) for n in column_names()},
    }


def test_recorded_logs_do_not_hold_it(tmp_path):
    assert leaks(TASK, partial(recorded, tmp_path)) == []


def recorded(folder):
    """The bytes of logs in each format that has no clock inside."""
    suspect, _ = population(TASK, 1)
    said = {}
    for ending in ("parquet", "jsonl", "csv"):
        record(suspect, folder / f"log.{ending}", episodes=4)
        said[ending] = (folder / f"log.{ending}").read_bytes()
    return said


def test_the_monitor_does_not_see_it():
    assert leaks(TASK, watched) == []


def watched(detector=WATCHED):
    """Readings of a log, and of an environment with the rewards in its ``info``."""
    suspect, trusted = population(TASK, 16)
    monitor = Monitor(TASK, trusted, episodes=6, alpha=0.2, no_cache=True, detector=detector)
    ground = PairedRollouts(TASK, None, 5, 1, {"suspect": suspect})
    monitor.observe(ground.play(suspect, ground.env))
    env = MonitorWrapper(gym.make(TASKS[TASK].env_id, split="shifted"), monitor)
    env.reset(seed=3)
    ended, rng = False, np.random.default_rng(3)
    while not ended:
        _, _, terminated, truncated, info = env.step(int(rng.integers(4)))
        ended = terminated or truncated
        assert "reward/true" in info
    report = replace(monitor.report("suspect"), provenance={}).as_json()
    assert len(report["readings"]) == 6
    return report


def test_scores_of_the_leaderboard_do_not_see_it(tmp_path, monkeypatch):
    assert leaks(TASK, partial(benchmarked, tmp_path, monkeypatch, SCORES), ONE_CHANGE) == []


def benchmarked(folder, monkeypatch, detectors):
    """{detector: scores} of the benchmark, played and scored anew; labels may see the truth."""
    folder = folder / str(len(list(folder.iterdir())))
    monkeypatch.setenv("PROXYLAB_RESULTS", str(folder))
    monkeypatch.setenv("PROXYLAB_CACHE", str(folder))
    cast = small_cast()
    played = policies.play(cast, 4, 0, lambda jobs, _: jobs)
    records = score_all(played, detectors, 0, folder, lambda jobs, _: jobs)
    return {name: {k: row[k] for k in ("obstacle", "scores")} for name, row in records.items()}


def small_cast():
    suspect, trusted = population(TASK, 8)
    agents = {agent.name: agent for agent in (*trusted, suspect)}
    kind = {agent.name: policies.ROLES[k >= 4] for k, agent in enumerate(trusted)}
    return policies.PolicySuite(TASK, agents, kind | {"suspect": "hack"})


# Negative controls: the true reward smuggled in


@pytest.fixture
def true_returns(monkeypatch):
    """{policy: mean true return}, noted whenever anybody plays."""
    known = {}

    def noted(policy, *arguments, **options):
        episodes, outcomes = rollouts.rollout(policy, *arguments, **options)
        known[policy.name] = float(outcomes.returns_of("true").mean())
        return episodes, outcomes

    for module in ("screening.paired", "monitor.reference_bank"):
        monkeypatch.setattr(f"proxylab.{module}.rollout", noted)
    return known


def smuggled_into(monkeypatch, detector, method, true_returns):
    """Let one detector add the true return to what ``method`` gives."""
    cls = type(detector)
    honest = getattr(cls, method)

    def smuggling(self, state, suspect, *rest):
        value = honest(self, state, suspect, *rest)
        if self != detector:
            return value
        return value + 1e-6 * max(1, abs(value)) * true_returns[suspect.policy]

    monkeypatch.setattr(cls, method, smuggling)


@pytest.mark.parametrize("name", SCORES)
def test_a_detector_that_sees_it_is_caught(name, monkeypatch, true_returns):
    monkeypatch.setattr("proxylab.detection.scores.registry.BRIEF", ())
    say = partial(detected, detector=name, also=(), episodes=4)
    assert leaks(TASK, say, ONE_CHANGE) == []
    smuggled_into(monkeypatch, SCORES[name], "score", true_returns)
    places = leaks(TASK, say, ONE_CHANGE)
    assert any(f".scores.{name}.score" in place for place in places), places


@pytest.mark.parametrize("name", ["mean_js", "kappa"])
def test_a_detector_of_the_leaderboard_that_sees_it_is_caught(
    name, monkeypatch, true_returns, tmp_path
):
    one = {name: SCORES[name]}
    smuggled_into(monkeypatch, SCORES[name], "score", true_returns)
    places = leaks(TASK, partial(benchmarked, tmp_path, monkeypatch, one), ONE_CHANGE)
    assert any("suspect" in place for place in places), places


def test_a_monitor_that_sees_it_is_caught(monkeypatch, true_returns):
    honest = OccupancyDivergence.per_episode

    def smuggling(self, state, suspect):
        return 0.5 * honest(self, state, suspect) + 0.01 * np.tanh(true_returns.get("suspect", 0))

    monkeypatch.setattr(OccupancyDivergence, "per_episode", smuggling)
    places = leaks(TASK, partial(watched, "occupancy_js"), ONE_CHANGE)
    assert any(".score" in place for place in places), places


def in_features(episodes, outcomes):
    column = np.repeat(outcomes.returns_of("true"), episodes.lengths).astype(np.float32)
    return replace(episodes, features=np.column_stack([episodes.features, column]))


def in_proxy_reward(episodes, outcomes):
    column = np.repeat(outcomes.returns_of("true"), episodes.lengths).astype(np.float32)
    return replace(episodes, proxy_reward=episodes.proxy_reward + column)


def in_ends(episodes, outcomes):
    won = outcomes.returns_of("true") > 0
    return replace(episodes, terminated=won, truncated=~won)


def in_order(episodes, outcomes):
    return episodes.select(np.argsort(outcomes.returns_of("true"), kind="stable"))


@pytest.mark.parametrize("smuggle", [in_features, in_proxy_reward, in_ends, in_order])
def test_episodes_that_hold_it_are_caught(smuggle, monkeypatch, tmp_path):
    def smuggling(*arguments, **options):
        episodes, outcomes = rollouts.rollout(*arguments, **options)
        return smuggle(episodes, outcomes), outcomes

    monkeypatch.setattr("proxylab.screening.paired.rollout", smuggling)
    assert leaks(TASK, episodes_played, ONE_CHANGE)
    assert leaks(TASK, partial(recorded, tmp_path), ONE_CHANGE)


def test_a_rollout_that_takes_the_wrong_channel_is_caught(monkeypatch):
    """The reward of every step: the scores that use the proxy show it."""
    monkeypatch.setattr(rollouts, "proxy_channels", lambda channels: ("true",))
    assert "sign flipped: result.episodes.proxy_reward" in leaks(TASK, episodes_played, ONE_CHANGE)
    places = leaks(TASK, partial(detected, also=["kappa"]), ONE_CHANGE)
    assert any(".scores.kappa." in place for place in places), places


def test_a_view_of_the_task_that_holds_it_is_caught(monkeypatch):
    honest = PairedRollouts.view

    def smuggling(self, trusted):
        view = honest(self, trusted)
        best = self.env.optimal_returns(view.levels)["true"].astype(np.int16)
        return replace(view, landmark_distances=view.landmark_distances + best[:, None, None])

    monkeypatch.setattr(PairedRollouts, "view", smuggling)
    assert leaks(TASK, episodes_played, ONE_CHANGE) == [
        "sign flipped: result.view.landmark_distances"
    ]


def test_the_usual_scores_are_among_those_checked():
    assert set(USUAL) <= set(SCORES)
