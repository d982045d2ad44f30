"""The true reward reaches no detector: NaN in its place changes nothing, in any environment."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from proxylab.detection import SCORES
from proxylab.rollouts.rollout import rollout
from proxylab.screening.run import detect
from proxylab_envs.boat_lagoon.env import BoatLagoon
from proxylab_envs.boat_race.env import BoatRace
from proxylab_envs.maze_corner.env import MazeCorner

ENVS = {"maze-corner": MazeCorner, "boat-race": BoatRace, "boat-lagoon": BoatLagoon}
EPISODES = {"maze-corner": 12, "boat-race": 4, "boat-lagoon": 2}


def blinded(env):
    """The environment with NaN for the true reward of every step and the true return at the end.

    While an episode runs, the core itself reads its returns to know what was reached.
    """

    class Blind(env):
        def _step(self, actions, active):
            super()._step(actions, active)
            self.core.rewards[:, 0] = np.nan
            self.core.returns[self.done, 0] = np.nan

    return Blind


class Clumsy:
    """A script that errs at a rate of its own."""

    def __init__(self, task, name, script, rate):
        self.task, self.name, self.script, self.rate = task, name, script, rate

    def probabilities(self, env, indices):
        actions = env.script_actions(self.script, indices)
        return (1 - self.rate) * actions + self.rate / actions.shape[1]


@pytest.mark.parametrize("task", ENVS)
def test_no_detector_looks_at_the_true_reward(task, monkeypatch):
    monkeypatch.setattr("proxylab.detection.scores.discriminator.UPDATES", 5)
    scripts = ENVS[task].scripts
    trusted = [Clumsy(task, f"trusted-{k}", scripts[0], 0.02 + 0.01 * k) for k in range(9)]
    suspect = Clumsy(task, "suspect", scripts[-1], 0.05)
    found = []
    for env in (ENVS[task], blinded(ENVS[task])):
        table = SimpleNamespace(TASKS={task: SimpleNamespace(make_env=env)})
        monkeypatch.setitem(__import__("sys").modules, "proxylab.tasks", table)
        run = detect(suspect, trusted, episodes=EPISODES[task], also=["all"], no_cache=True)
        found.append(replace(run, provenance={}).as_json())
    assert found[0] == found[1]
    applied = set(found[0]["suspects"][0]["scores"])
    maps = {"goal_attribution", "ensemble"} if task == "boat-lagoon" else {"ensemble"}
    assert set(SCORES) - applied <= maps  # three reference policies are too few for an ensemble
    _, outcomes = rollout(suspect, blinded(ENVS[task])(1), [5], task=task, seed=0)
    assert np.isnan(outcomes.returns_of("true")).all()
