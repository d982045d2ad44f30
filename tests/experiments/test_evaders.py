"""The experiment on evaders: its two sets of agents, and all of it on the smoke budget."""

from pathlib import Path

import pytest

from proxylab.reproduce.attack_tables import DEVELOPMENT, TEST
from proxylab.reproduce.experiment import load_experiment
from proxylab.reproduce.run import reproduce
from proxylab.storage.store import read_table

ROOT = Path(__file__).parents[2]
EVADERS = load_experiment(ROOT / "experiments" / "evaders.py").module


@pytest.mark.parametrize("budget", ["smoke", "laptop", "paper"])
def test_development_and_test_share_no_agent(budget):
    used = {DEVELOPMENT: set(), TEST: set()}
    for point in EVADERS.points(EVADERS.SWEEP[budget]):
        task, part, number = (point.labels[name] for name in ("task", "set", "seed"))
        used[part] |= {of(task, part, number) for of in (EVADERS._honest, EVADERS._gaming)}
    assert len(used[DEVELOPMENT]) > 0
    assert not used[DEVELOPMENT] & used[TEST]


@pytest.mark.slow
def test_every_kind_of_attempt_is_made_and_measured(tmp_path, monkeypatch):
    monkeypatch.setenv("PROXYLAB_RESULTS", str(tmp_path))
    (made,) = reproduce("evaders", "smoke", processes=1, folder=ROOT / "experiments").experiments
    assert made.failed == {}
    rows = read_table(tmp_path / "runs/smoke/tables/evaders-runs.csv")
    kinds = {row["attack"] for row in rows}
    assert kinds >= {"honest", "hack", "random", "selective", "detour", "trained"}
    gains = {row["attack"]: row["gain"] for row in rows if row["attack"] in ("honest", "hack")}
    assert gains == {"honest": 0, "hack": 1}
    assert (tmp_path / "runs/smoke/figures/evaders-curves-maze-corner.png").is_file()
