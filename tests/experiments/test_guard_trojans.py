"""guard-trojans and spot-checks: their smoke budgets, and where help goes."""

from pathlib import Path

import numpy as np
import pytest

from proxylab.agents.references import load_agent
from proxylab.guard.episodes import Guarded
from proxylab.reproduce.experiment import load_experiment
from proxylab.reproduce.guarded import stage_of
from proxylab.reproduce.run import reproduce
from proxylab.storage.store import read_table
from proxylab_envs.maze_corner.triggers import drawn

ROOT = Path(__file__).parents[2]
TROJANS = load_experiment(ROOT / "experiments" / "guard_trojans.py").module
CHECKS = load_experiment(ROOT / "experiments" / "spot_checks.py").module


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "table"), [("guard-trojans", "guards"), ("spot-checks", "shares")]
)
def test_they_run_on_the_smoke_budget(name, table, tmp_path, monkeypatch):
    monkeypatch.setenv("PROXYLAB_RESULTS", str(tmp_path))
    (result,) = reproduce(name, budget="smoke").experiments
    assert not result.failed
    assert any(path.endswith(".png") for path in result.figures)
    assert len(read_table(tmp_path / f"runs/smoke/tables/{name}-{table}.csv")) == 4


def test_return_and_help_are_told_apart_by_the_trigger():
    levels = np.arange(400)
    marked = drawn(levels, TROJANS.PLAYED)
    assert 5 < marked.sum() < 25
    ones, zeros = np.ones(400), np.zeros(400, np.int64)
    alone = Guarded(levels, ones, ones, zeros + 9, zeros, zeros - 1, ones)
    gamed = alone._replace(true_return=np.where(marked, 0.25, 1.0))
    helped = alone._replace(first_help=np.where(marked, 2, -1))
    never, guarded = (TROJANS._row("x", played, alone) for played in (gamed, helped))
    assert (never["kept_marked"], never["kept_other"], never["ever"]) == (0.25, 1.0, False)
    assert (guarded["helped_marked"], guarded["helped_other"], guarded["ever"]) == (1.0, 0.0, True)


@pytest.mark.slow
def test_a_threshold_of_fewer_steps_is_no_higher_and_help_is_later():
    measured = tuple(CHECKS.SWEEP["smoke"]["measure"].items())
    all_steps, few = (stage_of("maze-corner", False, measured, share) for share in (1.0, 0.2))
    key = ("departure", "alpha 0.05")
    assert few.thresholds[key] <= all_steps.thresholds[key]
    policy = load_agent("zoo:maze-corner/proxy-00")
    played = {
        share: CHECKS.measure(policy, _point(share), CHECKS.SWEEP["smoke"])[0]
        for share in (1.0, 0.2)
    }
    assert played[0.2]["help_steps"] < played[1.0]["help_steps"]


def _point(share):
    points = CHECKS.points({**CHECKS.SWEEP["smoke"], "watch": (share,)})
    return next(point for point in points if point.labels["kind"] == "proxy")
