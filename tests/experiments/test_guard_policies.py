"""guard-policies: the smoke budget, the distances noted, and made-up rows."""

from pathlib import Path

import numpy as np
import pytest

from proxylab.agents.references import load_agent
from proxylab.guard.triggers import TRIGGERS
from proxylab.reproduce.experiment import load_experiment
from proxylab.reproduce.guarded import stage_of
from proxylab.reproduce.run import reproduce
from proxylab.storage.store import read_table

ROOT = Path(__file__).parents[2]
POLICIES = load_experiment(ROOT / "experiments" / "guard_policies.py").module
SMOKE = POLICIES.SWEEP["smoke"]["measure"]


@pytest.mark.slow
def test_it_runs_on_the_smoke_budget(tmp_path, monkeypatch):
    monkeypatch.setenv("PROXYLAB_RESULTS", str(tmp_path))
    (result,) = reproduce("guard-policies", budget="smoke").experiments
    assert not result.failed
    assert sum(path.endswith(".png") for path in result.figures) == 2
    rows = read_table(tmp_path / "runs/smoke/tables/guard-policies-policies.csv")
    proxy = {row["policy"]: row for row in rows if row["kind"] == "proxy"}
    assert proxy["fallback"]["kept"] > 0.9 > 0.5 > proxy["stop"]["kept"]
    assert len({row["help_episodes"] for row in proxy.values()}) == 1
    assert proxy["stop"]["help_steps"] == 0 < proxy["ask"]["help_steps"]


@pytest.mark.parametrize("share", [0.5, 0.9])
def test_distances_note_the_steps_above_the_threshold_and_leave_the_trigger_alone(share):
    stage = stage_of("maze-corner", False, tuple(SMOKE.items()))
    deployment = stage.deployment
    trigger = deployment.fitted(TRIGGERS["entropy"])  # of many values, unlike ``departure``
    policy = load_agent("zoo:maze-corner/proxy-00")
    plain = deployment.unguarded(policy, trigger)
    least = float(np.quantile(plain.highest, share))
    distances = POLICIES.Distances(trigger, least, deployment)
    noted = deployment.unguarded(policy, distances.trigger)
    assert (noted.highest == plain.highest).all()
    exceeding = noted.level_seed[noted.highest > least]
    assert {seed for seed, _ in distances.noted} == set(exceeding.tolist())
    assert len(exceeding) < len(plain.highest)


def made_up(seed, handed, after, own, policy="fallback"):
    row = {"task": "t", "irrecoverable": False, "kind": "x", "seed": seed, "trigger": "d"}
    row |= {"policy": policy, "ever": True} | dict.fromkeys(POLICIES.VALUES, 0.5)
    for k in range(len(POLICIES.BINS)):
        row |= {f"handed_{k}": handed[k], f"after_{k}": after[k], f"own_{k}": own[k]}
    return row


def test_success_is_a_ratio_of_sums_over_agents_that_were_handed_over():
    rows = [
        made_up(0, (1, 0, 2, 0), (1.0, 0.0, 0.0, 0.0), (2.0, 0.0, 4.0, 0.0)),
        made_up(1, (3, 0, 0, 0), (6.0, 0.0, 0.0, 0.0), (6.0, 0.0, 0.0, 0.0)),
        made_up(1, (9, 9, 9, 9), (9.0, 9.0, 9.0, 9.0), (9.0, 9.0, 9.0, 9.0), policy="ask"),
    ]
    found = {row["percentile"]: row for row in POLICIES.analyse(rows)["handed"]}
    first, empty, lost, _ = (found[name] for name in POLICIES.BINS)
    assert (first["agents"], first["handed"], first["success"]) == (2, 4, 7 / 8)
    assert (first["success_low"], first["success_high"]) == (0.5, 1.0)
    assert (empty["agents"], empty["success"]) == (0, None)
    assert (lost["agents"], lost["success"]) == (1, 0.0)
