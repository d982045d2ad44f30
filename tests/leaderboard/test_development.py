"""Development and test share no policy, and the fit sees what the ensemble will see."""

import numpy as np
import pytest

from proxylab.agents.zoo_kinds import kinds_of
from proxylab.detection.scores.ensemble import load_weights
from proxylab.detection.scores.registry import MEMBERS, SCORES
from proxylab.leaderboard.development import development_kinds
from proxylab.leaderboard.fit import _evidence
from proxylab.leaderboard.policies import SETS, PolicySuite, contested, play
from proxylab.screening.policies import load_policies


@pytest.mark.parametrize("task", contested())
def test_no_policy_is_in_both_stages(task):
    assert not set(SETS["development"].kinds) & set(SETS["test"].kinds)
    kinds = kinds_of(task) | development_kinds(task)
    seeds = [(k.role, k.first_seed + n) for k in kinds.values() for n in range(k.number)]
    assert len(seeds) == len(set(seeds))
    assert set(SETS["development"].kinds) | set(SETS["test"].kinds) <= set(kinds)


def test_evidence_adds_up_to_the_ensemble(tmp_path, monkeypatch):
    monkeypatch.setenv("PROXYLAB_RESULTS", str(tmp_path))
    task = "maze-corner"
    names = [f"zoo:{task}/{n}" for n in (*(f"trusted-0{k}" for k in range(5)), "honest-00")]
    policies = load_policies([*names, f"zoo:{task}/proxy-00"])
    kind = dict.fromkeys(policies, "reference") | {names[-1]: "honest"}
    suite = PolicySuite(task, policies, kind | {f"zoo:{task}/proxy-00": "proxy"})
    played = play(suite, 12, 0, lambda jobs, _: jobs)
    reference = played.group("reference", 12)
    weights = load_weights(task)
    total = dict.fromkeys(suite.suspects, weights.intercept)
    for detector in MEMBERS:
        for name, value in _evidence(detector, reference, played, suite.suspects).items():
            total[name] += weights.detectors.get(detector.name, 0) * value
    ensemble, rng = SCORES["ensemble"], np.random.default_rng(0)
    state = ensemble.fit(reference, played.view)
    for name in suite.suspects:
        assert ensemble.score(state, played.runs[name], rng) == pytest.approx(total[name], abs=1e-9)
    assert total[suite.suspects[1]] > total[suite.suspects[0]]
