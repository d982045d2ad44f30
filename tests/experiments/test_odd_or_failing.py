"""odd-or-failing: the smoke budget, the fits to the other half, and made-up rows."""

from pathlib import Path

import numpy as np
import pytest

from proxylab.guard.watching import MEAN, Watched
from proxylab.reproduce.experiment import load_experiment
from proxylab.reproduce.run import reproduce
from proxylab.statistics.failures import BINS, reliability_sums
from proxylab.storage.store import read_table
from proxylab_envs.channels import BOTH, INTENDED, NEITHER, PROXY

ROOT = Path(__file__).parents[2]
ODD = load_experiment(ROOT / "experiments" / "odd_or_failing.py").module


@pytest.mark.slow
def test_it_runs_on_the_smoke_budget(tmp_path, monkeypatch):
    monkeypatch.setenv("PROXYLAB_RESULTS", str(tmp_path))
    (result,) = reproduce("odd-or-failing", budget="smoke").experiments
    assert not result.failed
    assert sum(path.endswith(".png") for path in result.figures) == 3
    rows = read_table(tmp_path / "runs/smoke/tables/odd-or-failing-areas.csv")
    own = {r["trigger"]: r for r in rows if r["summary"] == MEAN}
    assert own["departure"]["fails"] > 0.9 > 0.7 > own["mahalanobis"]["fails"]
    risks = read_table(tmp_path / "runs/smoke/tables/odd-or-failing-risk.csv")
    assert {row["kind"] for row in risks} == {"proxy"}


def test_an_episode_fails_that_does_not_reach_the_intended_goal():
    outcomes = np.array([INTENDED, PROXY, BOTH, NEITHER], np.int8)
    watched = Watched(np.arange(4), outcomes, np.ones(4, np.int64), {})
    assert ODD.failed(watched).tolist() == [False, True, False, True]


def made_up(kind, seed, said, failed):
    """A row of an agent whose episodes have these predictions."""
    sums = reliability_sums(said, failed)
    row = {"task": "t", "kind": kind, "seed": seed, "trigger": "x", "summary": MEAN}
    row |= dict.fromkeys(ODD.AREAS, 0.5)
    for split in ("iid", "shifted"):
        row |= {f"{split}_risk_{c}": 0.5 for c in ODD.COVERAGES}
        for name, values in zip(("n", "p", "f"), sums, strict=True):
            row |= {f"{split}_{name}_{k}": values[k] for k in range(BINS)}
    return row


def test_two_kinds_that_are_off_in_opposite_ways_are_right_together():
    half = np.full(100, 0.5)
    rows = [made_up("good", k, half, np.zeros(100)) for k in range(3)]
    rows += [made_up("bad", k, half, np.ones(100)) for k in range(3)]
    errors = {r["kind"]: r["error"] for r in ODD.analyse(rows)["calibration"]}
    assert errors == pytest.approx({"good": 0.5, "bad": 0.5, "all": 0.0})
    curve = [r for r in ODD.analyse(rows)["reliability"] if r["kind"] == "all"]
    assert {(r["bin"], r["said"], r["failed"]) for r in curve} == {(5, 0.5, 0.5)}
