"""Experiments on learned rewards: what is judged, when a run turns, what alarms may see."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from proxylab.agents.references import load_stored
from proxylab.agents.scripted import UniformPolicy
from proxylab.reproduce.experiment import load_experiment
from proxylab.reproduce.learned import Fence, Judged, LearnedRun, held_out, judge_episodes, turn
from proxylab.reproduce.run import reproduce
from proxylab.rewards.clips import record_clips
from proxylab.rewards.collect import RANDOM, collect
from proxylab.rewards.fit import FitConfig, fit
from proxylab.rewards.raters import Rater
from proxylab.rollouts.rollout import run_to_end
from proxylab.storage.store import read_table

ROOT = Path(__file__).parents[2]
OVER, EARLY = (
    load_experiment(ROOT / "experiments" / f"{name}.py").module
    for name in ("overoptimization", "early_warning")
)
TASK = "boat-race"


@pytest.fixture(scope="module")
def model():
    sources = [RANDOM, "script:boat-race/optimal"]
    return fit(collect(TASK, sources, 40, Rater(), length=20), FitConfig(members=3, epochs=2))


def judged(model, policy=None, fence=None, count=6, seed=0):
    policy = policy or load_stored("zoo:boat-race/trusted-00")
    env, seeds = held_out(TASK, count, "test")
    return judge_episodes(policy, UniformPolicy(TASK), model, env, seeds, seed, fence)


def test_episodes_are_judged_as_by_a_plain_loop(model):
    policy, uniform = load_stored("zoo:boat-race/trusted-00"), 1 / 4
    env, seeds = held_out(TASK, 6, "test")
    env.reset_levels(seeds, np.arange(6))
    members, spread, kl, entropy = np.zeros((3, 6)), np.zeros(6), np.zeros(6), np.zeros(6)
    for running, chances, _ in run_to_end(policy, env, seed=0):
        for k, row in zip(running, chances.astype(float), strict=True):
            own = model.rewards(env.observe()[k : k + 1])[:, 0]
            stays = env.max_episode_steps - env.core.steps[k] if env.done[k] else 0
            members[:, k] += own * (1 + stays)
            spread[k] += own.var() * (1 + stays)
            seen = row[row > 1e-12]
            kl[k] += (seen * np.log(seen / uniform)).sum()
            entropy[k] -= (seen * np.log(seen)).sum()
    result = judged(model)
    horizon = env.max_episode_steps
    assert np.allclose(result.members, members / horizon, atol=1e-5)
    assert np.allclose(result.spread, spread / horizon, atol=1e-5)
    assert np.allclose(result.kl, kl, atol=1e-3)
    assert np.allclose(result.entropy, entropy / env.core.steps, atol=1e-4)
    optimal = env.optimal_returns(seeds)["true"].mean()
    assert np.allclose(result.hard, env.core.returns[:, 0] / optimal)
    assert result.episodes.num_episodes == 6


def test_a_policy_does_not_diverge_from_itself():
    policy = load_stored("zoo:boat-race/trusted-00")
    env, seeds = held_out(TASK, 4, "test")
    assert abs(judge_episodes(policy, policy, None, env, seeds, 0).kl).max() < 1e-6


def test_states_beyond_the_clips_are_novel():
    boats = "boat-lagoon"  # its observations are vectors that all vary
    clips, *_ = record_clips([UniformPolicy(boats)], boats, count=60, length=20)
    fence = Fence(clips)
    flat = clips.observations.reshape(-1, *clips.observations.shape[2:])
    within = fence.distance(flat).mean()
    assert 0.3 < within < 1.1
    assert fence.distance(flat + 5.0).mean() > 3 * within


def test_novelty_is_the_mahalanobis_distance_of_every_state():
    rows = np.random.default_rng(0).normal(size=(40, 3, 2)) @ np.array([[1.0, 0.8], [0.0, 0.5]])
    fence = Fence.__new__(Fence)
    fence.mean, fence.precision = np.arange(6.0), np.eye(6) + 0.1
    for row, distance in zip(rows, fence.distance(rows), strict=True):
        away = row.ravel() - fence.mean
        assert distance == pytest.approx(away @ fence.precision @ away / 6)


def hard(*means, spread=0.0):
    rng = np.random.default_rng(0)
    return [mean + spread * rng.normal(size=50) for mean in means]


def test_a_run_turns_after_its_peak():
    assert turn(hard(0.3, 0.9, 0.9, 0.5)) == {"turned": True, "peak": 2, "fall": pytest.approx(0.4)}
    assert not turn(hard(0.3, 0.9, 0.85))["turned"]  # too small
    assert not turn(hard(0.9, 0.2, 1.0))["turned"]  # before the peak
    assert not turn(hard(0.3, 0.5))["turned"]


def test_a_fall_within_the_noise_is_no_turn():
    noisy = turn(hard(0.5, 0.9, 0.79, spread=1.0))
    assert noisy["fall"] >= 0.1 or not noisy["turned"]
    assert not turn([np.r_[np.ones(4), np.zeros(1)], np.r_[np.ones(3), np.zeros(2)]])["turned"]


def test_alarms_by_level_and_by_rise():
    values = np.array([3.0, 1.0, 2.0, 5.0])
    assert EARLY.values_of(values, "level").tolist() == values.tolist()
    assert EARLY.values_of(values, "rise").tolist() == [0, 0, 1, 4]


def rows_of(role, seed, hard_returns, seen):
    """Rows of a run with one statistic."""
    turned = turn([np.full(9, value) for value in hard_returns])
    labels = {"role": role, "task": TASK, "pairs": 50, "flip": 0.0, "seed": seed}
    return [
        {**labels, "step": k, "hard": value, "low entropy": own, **turned}
        for k, (value, own) in enumerate(zip(hard_returns, seen, strict=True))
    ]


def test_thresholds_are_those_that_no_honest_run_exceeds():
    rows = [row for s in range(3) for row in rows_of("honest", s, [0.5, 0.9, 1.0], [0, 1, s])]
    rows += rows_of("model", 10, [0.5, 1.0, 0.2], [0, 3, 9])  # caught at its peak
    rows += rows_of("model", 11, [0.5, 1.0, 0.2], [0, 1, 9])  # too late
    rows += rows_of("model", 12, [0.5, 0.9, 1.0], [0, 0, 1])  # no turn, no alarm
    tables = EARLY.analyse(rows)
    level = {(r["alarm"], r["form"]): r for r in tables["thresholds"]}["low entropy", "level"]
    assert level["threshold"] == 2
    assert level["honest_runs"] == 3
    table = {(r["alarm"], r["form"]): r for r in tables["alarms"]}
    caught = table["low entropy", "level"]
    assert (caught["turning"], caught["steady"]) == (2, 1)
    assert (caught["caught"], caught["sounded"], caught["false"]) == (0.5, 1.0, 0.0)
    assert caught["kept"] == pytest.approx((1.0 + 0.2) / 2)
    assert table["never stop", ""]["kept"] == pytest.approx(0.2)
    assert table["oracle", ""]["kept"] == 1


# What an alarm may see


def sees_the_hard_proxy(statistic, plain: Judged) -> bool:
    """Whether a statistic changes when only the true returns do."""
    other = replace_hard(plain, 1 - 3 * plain.hard)
    return not np.array_equal(statistic(plain), statistic(other))


def replace_hard(plain, values):
    return plain._replace(hard=values)


def test_no_statistic_sees_the_hard_proxy(model):
    plain = judged(model)
    for name, statistic in EARLY.STATISTICS.items():
        assert not sees_the_hard_proxy(statistic, plain), name


def test_the_gain_per_step_does_not_see_the_hard_proxy(model):
    before, now = judged(model, seed=1), judged(model, UniformPolicy(TASK))
    assert not sees_the_hard_proxy(lambda j: EARLY.gain_per_step(before, j), now)


def test_the_gain_per_step_is_the_gain_over_the_distance_of_occupancies(model):
    before, now = judged(model), judged(model, UniformPolicy(TASK))
    shares = []
    for each in (before.episodes, now.episodes):
        counts = np.zeros((each.num_states, each.num_actions))
        for state, action in zip(each.state_id, each.action, strict=True):
            counts[state, action] += 1
        shares.append(counts / counts.sum())
    gain = now.members.mean() - before.members.mean()
    distance = np.sqrt(((shares[1] - shares[0]) ** 2).sum())
    assert EARLY.gain_per_step(before, now) == pytest.approx(gain / distance, rel=1e-5)
    assert EARLY.gain_per_step(now, now) == 0


def test_a_look_at_the_hard_proxy_is_caught(model):
    """The permanent negative control of the test above."""
    plain = judged(model)
    assert sees_the_hard_proxy(lambda j: j.kl + 1e-6 * j.hard, plain)


def test_detectors_get_episodes_without_the_true_reward(model):
    plain = judged(model)
    assert not [name for name in vars(plain.episodes) if "true" in name or "return" in name]
    assert (plain.episodes.proxy_reward is None) or plain.episodes.proxy_reward.ndim == 1


# The parts of a run


def test_a_run_on_the_true_reward_shares_its_reference():
    run = LearnedRun("tomato-watering", 50, 0.25, 3, 8_192, 2, how="min", kl=0.1)
    honest = run.honest()
    assert honest.reference_run == run.reference_run
    assert honest.folder != run.folder
    assert replace(run, kl=0.0).folder != run.folder
    assert replace(run, kl=0.0).model_folder == run.model_folder


@pytest.mark.parametrize("module", [OVER, EARLY], ids=["overoptimization", "early-warning"])
def test_every_run_has_its_own_labels_and_folder(module):
    points = module.points(module.SWEEP["laptop"])
    labels = [tuple(sorted(point.labels.items())) for point in points]
    assert len(set(labels)) == len(labels)
    seeds = {point.labels["seed"] for point in points if point.labels.get("role") != "honest"}
    assert len(seeds) >= 10


def test_the_honest_runs_are_of_other_seeds():
    points = EARLY.points(EARLY.SWEEP["laptop"])
    seeds = {role: set() for role in ("model", "honest")}
    for point in points:
        seeds[point.labels["role"]].add(point.labels["seed"])
    assert len(seeds["honest"]) == 20
    assert not seeds["model"] & seeds["honest"]


def smoke(name, tmp_path, monkeypatch):
    monkeypatch.setenv("PROXYLAB_RESULTS", str(tmp_path))
    (made,) = reproduce(name, "smoke", processes=1, folder=ROOT / "experiments").experiments
    assert made.failed == {}


@pytest.mark.slow
def test_overoptimization_runs_on_the_smoke_budget(tmp_path, monkeypatch):
    smoke("overoptimization", tmp_path, monkeypatch)
    rows = read_table(tmp_path / "runs/smoke/tables/overoptimization-runs.csv")
    assert {row["kind"] for row in rows} == {"rl", "best-of-n"}
    start = [row for row in rows if row["kind"] == "rl" and row["step"] == 0]
    assert all(abs(row["kl_nats"]) < 1e-6 for row in start)


@pytest.mark.slow
def test_early_warning_runs_on_the_smoke_budget(tmp_path, monkeypatch):
    smoke("early-warning", tmp_path, monkeypatch)
    alarms = read_table(tmp_path / "runs/smoke/tables/early-warning-alarms.csv")
    assert {row["alarm"] for row in alarms} >= {"occupancy_js", "never stop", "oracle"}
