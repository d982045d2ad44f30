"""detect: the same levels for everybody, wrong use in one line."""

import json
from dataclasses import replace

import numpy as np
import pytest

from proxylab.errors import UsageError
from proxylab.rollouts.rollout import rollout
from proxylab.screening.run import detect
from proxylab_envs.boat_race.env import BoatRace
from proxylab_envs.levels import Levels
from proxylab_envs.maze_corner.env import MazeCorner


class NoisyScript:
    """A script that errs at random, each policy with a rate and places of its own."""

    def __init__(self, name, script, seed, task="maze-corner"):
        self.name, self.script, self.task = name, script, task
        rng = np.random.default_rng(seed)
        self.rate = rng.uniform(0.01, 0.08)
        self.tilts = rng.dirichlet(np.ones(4), 64)

    def probabilities(self, env, indices):
        tilt = self.tilts[env.core.state_ids[indices] % 64]
        return (1 - self.rate) * env.script_actions(self.script, indices) + self.rate * tilt


@pytest.fixture
def trusted():
    return [NoisyScript(f"trusted-{k:02d}", "optimal", k) for k in range(26)]


@pytest.fixture
def suspects():
    return [NoisyScript("seeker", "corner-seeker", 99), NoisyScript("fresh", "optimal", 98)]


def test_a_corner_seeker_is_flagged_on_shifted_levels(suspects, trusted):
    found = detect(suspects, trusted, episodes=60)
    assert (found.split, found.episodes, found.task) == ("shifted", 60, "maze-corner")
    seeker, fresh = found.suspects
    assert (seeker.agent, seeker.verdict) == ("seeker", "FLAG")
    assert fresh.scores["occupancy_js"].score < 0.5 * seeker.scores["occupancy_js"].score
    assert seeker.first_divergence.share_of_levels > fresh.first_divergence.share_of_levels
    assert len(found.trusted.calibration_scores) == found.trusted.n_calibration == 20


def test_on_training_levels_the_corner_seeker_is_no_different(suspects, trusted):
    # Corner and cheese coincide there, so the seeker is one more honest policy: FLAG would
    # have odds of 1 in 21; the seed is fixed.
    found = detect(suspects[:1], trusted, split="iid", episodes=60)
    assert found.suspects[0].verdict != "FLAG"


def test_the_seed_decides_everything_but_the_clock(suspects, trusted):
    one, two, other = (detect(suspects, trusted, episodes=20, seed=s) for s in (1, 1, 2))
    assert replace(one, provenance={}) == replace(two, provenance={})
    assert one.suspects[0].scores != other.suspects[0].scores
    assert one.provenance["seed"] == 1
    assert one.provenance["seconds"] > 0


def test_logs_and_agents_meet_on_the_levels_of_the_log(suspects, trusted):
    env = MazeCorner(16)
    levels = env.sample_level_seeds(Levels("shifted"), 40, 123)
    log, _ = rollout(suspects[0], env, levels, task="maze-corner", seed=7)
    found = detect(log, trusted)
    assert (found.split, found.episodes) == (None, 40)
    assert found.suspects[0].verdict == "FLAG"
    assert {place.level_seed for place in found.suspects[0].where} <= set(levels.tolist())


def test_a_task_without_shifted_levels_takes_its_first_split():
    agents = [NoisyScript(f"a{k}", "optimal", k, "boat-race") for k in range(9)]
    found = detect(agents[0], agents[1:], episodes=3)
    assert found.split == BoatRace.splits[0]


def test_an_agent_does_not_judge_itself(trusted):
    found = detect(trusted[3], trusted, episodes=5)
    assert "trusted-03" not in found.trusted.agents
    assert len(found.trusted.agents) == 25


def test_the_same_agent_twice_is_one_suspect(suspects, trusted):
    assert len(detect([suspects[0], suspects[0]], trusted, episodes=5).suspects) == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"suspects": []}, "at least one agent"),
        ({"trusted": []}, "at least one agent"),
        ({"episodes": 0}, "episodes 0 is not between"),
        ({"alpha": 2}, "alpha must lie"),
        ({"detector": "magic"}, "unknown detector"),
        ({"split": "moon"}, "no split 'moon'"),
        ({"task": "boat-race"}, "is an agent of the task maze-corner"),
    ],
)
def test_wrong_use_is_refused(suspects, trusted, change, message):
    options = {"suspects": suspects, "trusted": trusted, "episodes": 3} | change
    with pytest.raises(UsageError, match=message):
        detect(**options)


def test_the_cache_changes_nothing_but_the_time(tmp_path, monkeypatch):
    monkeypatch.setenv("PROXYLAB_RESULTS", str(tmp_path))
    monkeypatch.setenv("PROXYLAB_CACHE", str(tmp_path))
    asked = ("zoo:maze-corner/proxy-00", "zoo:maze-corner/trusted-0*")
    fresh, first, second = (
        replace(detect(*asked, episodes=20, no_cache=skip), provenance={}).as_json()
        for skip in (True, False, False)
    )
    entries = sorted(path.suffix for path in (tmp_path / "rollouts").iterdir())
    # scores and distances of the trusted agents; trusted agents, script, random actions, the
    # fitted reference and the visits of all
    assert entries == 2 * [".json"] + 14 * [".npz"]
    assert json.dumps(fresh) == json.dumps(first) == json.dumps(second)


def test_a_cached_population_is_not_run_again(tmp_path, monkeypatch):
    monkeypatch.setenv("PROXYLAB_RESULTS", str(tmp_path))
    monkeypatch.setenv("PROXYLAB_CACHE", str(tmp_path))
    asked = ("zoo:maze-corner/proxy-00", "zoo:maze-corner/trusted-0*")
    run = []
    monkeypatch.setattr(
        "proxylab.screening.paired.rollout",
        lambda p, *a, **k: run.append(p.name) or rollout(p, *a, **k),
    )
    detect(*asked, episodes=8)
    assert len(run) == 11 + 3  # competence: the suspect, random actions, the script
    detect(*asked, episodes=8)
    proxy = "zoo:maze-corner/proxy-00"
    assert run[14:] == [proxy, proxy]
    detect(*asked, episodes=9)
    assert len(run) == 16 + 11 + 1
