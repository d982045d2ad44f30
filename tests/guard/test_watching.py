"""Episodes watched by all triggers at once: as one trigger at a time, and step by step."""

import math
from dataclasses import replace

import numpy as np
import pytest

from proxylab.agents.references import load_agent
from proxylab.guard.run import Deployment, GuardSettings
from proxylab.guard.triggers import TRIGGERS
from proxylab.guard.watching import HIGHEST, MEAN, START, watched_episodes
from proxylab.rollouts.rollout import rollout

TASK, COUNT = "maze-corner", 12


@pytest.fixture(scope="module")
def deployment():
    trusted = {f"{k}": load_agent(f"zoo:{TASK}/trusted-0{k}") for k in range(4)}
    return Deployment(TASK, trusted, GuardSettings(episodes=COUNT))


@pytest.fixture(scope="module")
def triggers(deployment):
    return {name: deployment.fitted(trigger) for name, trigger in TRIGGERS.items()}


@pytest.fixture(scope="module")
def suspect():
    return load_agent(f"zoo:{TASK}/proxy-00")


@pytest.fixture(scope="module")
def watched(deployment, triggers, suspect):
    return deployment.watched(suspect, triggers)


def test_the_policy_acts_as_when_nobody_watches(deployment, suspect, watched):
    seed = deployment._actions
    _, alone = rollout(suspect, deployment.env, deployment.level_seeds, task=TASK, seed=seed)
    assert watched.outcome.tolist() == alone.outcome.tolist()
    assert watched.length.tolist() == alone.length.tolist()
    assert len(set(watched.outcome.tolist())) > 1


@pytest.mark.parametrize("name", TRIGGERS)
def test_the_greatest_score_is_what_a_guard_compares(name, deployment, triggers, suspect, watched):
    alone = deployment.unguarded(suspect, triggers[name])
    assert watched.scores[name, HIGHEST].tolist() == alone.highest.tolist()
    assert np.ptp(alone.highest) > 0


@pytest.mark.parametrize("name", ["departure", "divergence", "mahalanobis", "entropy"])
def test_start_and_mean_are_those_of_the_steps(name, deployment, triggers, suspect, watched):
    steps = []

    def taken(step):
        score = triggers[name].score(step)
        steps.extend(zip(step.level_seed.tolist(), step.number.tolist(), score, strict=True))
        return score

    recorder = {name: replace(triggers[name], score=taken)}
    seeds, seed = deployment.level_seeds, deployment._actions
    watched_episodes(suspect, recorder, deployment.references, deployment.env, seeds, seed)
    for k, level in enumerate(seeds.tolist()):
        own = [score for there, _, score in sorted(steps) if there == level]
        assert len(own) == watched.length[k]
        assert watched.scores[name, START][k] == own[0]
        assert math.isclose(watched.scores[name, MEAN][k], np.mean(own), abs_tol=1e-12)
