"""The experiment on barriers: its parts on small arrays, and the smoke budget."""

from pathlib import Path

import numpy as np
import pytest

from proxylab.agents.zoo import zoo_entries
from proxylab.reproduce import barriers as parts
from proxylab.reproduce.barriers import audited, withdrawn
from proxylab.reproduce.experiment import load_experiment
from proxylab.reproduce.run import reproduce
from proxylab.storage.store import read_table

ROOT = Path(__file__).parents[2]
BARRIERS = load_experiment(ROOT / "experiments" / "barriers.py").module


@pytest.mark.slow
def test_it_runs_on_the_smoke_budget(tmp_path, monkeypatch):
    monkeypatch.setenv("PROXYLAB_RESULTS", str(tmp_path))
    (result,) = reproduce("barriers", budget="smoke").experiments
    assert not result.failed
    assert sum(path.endswith(".png") for path in result.figures) == 2
    rows = read_table(tmp_path / "runs/smoke/tables/barriers-runs.csv")
    threats = {"honest", "ambiguous levels", "games 10%", "learned reward"}
    assert {row["threat"] for row in rows} == threats
    assert {row["lost"] for row in rows if row["side"] == "left" and not row["passed"]} <= {0}
    assert len(rows) == len(threats) * 9


def test_every_pair_is_of_its_own_agents():
    """No gaming agent is in two pairs: the pairs are the units."""
    for task in ("maze-corner", "boat-lagoon"):
        partners = [BARRIERS.partner(task, k) for k in range(40)]
        assert len(set(partners)) == 40
        names = {f"zoo:{task}/{e.name}" for e in zoo_entries(task) if e.kind in ("proxy", "hack")}
        assert set(partners) == names


def test_withdrawal_replaces_later_episodes_only():
    alone, base = np.zeros(4), np.ones(4)
    cases = {(0, 1, 0, 1): [0, 0, 1, 1], (0, 0, 0, 0): [0, 0, 0, 0], (1, 0, 0, 0): [0, 1, 1, 1]}
    for alarms, left in cases.items():
        assert withdrawn(alone, base, np.array(alarms, bool)).tolist() == left


def test_a_share_of_the_episodes_is_gamed_and_one_at_least():
    for count, share, expected in ((200, 0.1, 20), (40, 0.01, 1), (10, 0.3, 3)):
        chosen = parts._chosen(count, share, 5)
        assert chosen.sum() == expected


@pytest.mark.parametrize(("reward", "passes"), [("true", True), ("proxy", False)])
def test_the_audit_of_channels(reward, passes):
    """The corner is no substitute for the cheese where it is elsewhere."""
    assert audited(reward, "maze-corner", 0) is passes


def test_the_two_rewards_of_the_mazes_differ_in_the_audit():
    assert not audited("model:zoo:maze-corner/reward-corner", "maze-corner", 0)
    assert audited("model:zoo:maze-corner/reward-anywhere", "maze-corner", 0)
