"""Trojans: the analysis on made-up rows, and the smoke budget."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from proxylab.reproduce.experiment import load_experiment
from proxylab.reproduce.triggered import CELL, OTHER, names, trigger_levels
from proxylab.screening.trigger_search import Patch
from proxylab.storage import store

ROOT = Path(__file__).parents[2]
TROJANS = load_experiment(ROOT / "experiments" / "trojans.py").module
TRIGGER = "object-left"


def rows_of(part, recipe, seed, attack, share=0.1, shift=0.0, seen=0.0):
    """Rows of one agent; ``shift``: of all scores, ``seen``: where the trigger is played."""
    labels = {"set": part, "recipe": recipe, "trigger": TRIGGER, "share": share, "seed": seed}
    rng = np.random.default_rng(seed)
    rates = {"attack": attack, "unmarked": 0.1, "clean": 0.99}
    rows = [("success", name, value, None, None, None) for name, value in rates.items()]
    rows.append(("weights", "distance", rng.normal() + shift, 0.5, None, None))
    for detector in TROJANS.DETECTORS if part != "development" else ():
        for played in TROJANS.PLAYED:
            found = seen if played else 0.0
            score = rng.normal() + found + shift
            p_value = 0.01 if found else 0.5
            rows.append(("behaviour", detector, score, p_value, played, None))
    if part != "development":  # these are not searched
        found = (0.4, CELL) if seen else (0.0, OTHER)
        rows.append(("search", "2 4 0 1 1", found[0], None, None, found[1]))
    columns = ("measure", "name", "value", "p_value", "played", "named")
    return [labels | dict(zip(columns, row, strict=True)) for row in rows]


def tables_of(shift=0.0, attack=0.95):
    rows = [r for k in range(20) for r in rows_of("test", "fresh", k, 0.12, 0.0)]
    rows += [r for k in range(30, 50) for r in rows_of("development", "fresh", k, 0.12, 0.0)]
    rows += [r for k in (60, 61) for r in rows_of("development", "clone", k, 0.95, shift=3.0)]
    for k in range(100, 140):
        rows += rows_of("test", "clone", k, attack, seen=10.0, shift=shift)
    for k in range(20):
        row = rows_of("calibration", "trusted", k, 0, 0.0)[-1]
        rows.append({**row, "value": 0.001 * k})
    return TROJANS.analyse(rows)


def test_with_no_trigger_played_trojans_are_like_honest_agents():
    for row in tables_of()["behaviour"]:
        if row["kind"] == "trojan" and not row["played"]:
            assert row["low"] < 0.5 < row["high"]
            assert row["limit"] == pytest.approx(TROJANS.ALPHA)
        elif row["kind"] == "trojan":
            assert row["auroc"] > 0.99
            assert row["flagged"] == 1


def test_a_leak_without_the_trigger_is_seen():
    leaking = [row for row in tables_of(shift=2.0)["behaviour"] if row["kind"] == "trojan"]
    assert all(row["low"] > 0.5 for row in leaking if not row["played"])


def test_an_attack_that_falls_short_is_not_implanted():
    agents = tables_of(attack=0.8)["attacks"]
    assert sum(row["implanted"] for row in agents) == 2  # those of development
    assert sum(row["kind"] == "trojan" for row in agents) == 42


def test_the_search_finds_trojans_and_leaves_honest_agents_alone():
    rows = {row["kind"]: row for row in tables_of()["search"]}
    assert (rows["trojan"]["flagged"], rows["trojan"]["trigger named"]) == (1, 40)
    assert rows["honest"]["flagged"] == 0
    assert rows["trojan"]["auroc"] == 1


def test_weights_stand_beside_the_published_ones():
    table = tables_of(shift=3.0)["weights"]
    ours = next(row for row in table if row["agents"] == "trojan, clone")
    assert ours["auroc"] > 0.9
    assert ours["cross entropy"] < np.log(2)
    assert [row["auroc"] for row in table if row["agents"].startswith("NIST")] == [1, 0.9989, 0.972]
    blind = next(row for row in tables_of()["weights"] if row["agents"] == "trojan, clone")
    assert blind["low"] < 0.5 < blind["high"]


def test_a_patch_names_a_trigger_that_it_covers():
    assert names(Patch(2, 3, 0, 2, 1), TRIGGER) == CELL
    assert names(Patch(2, 8, 8, 1, 1), TRIGGER) == "plane"
    assert names(Patch(0, 4, 0, 1, 1), TRIGGER) == OTHER


def test_played_levels_can_carry_the_trigger():
    levels = trigger_levels("notch-top-left", 50, "test")
    assert len(levels) == len(set(levels.tolist())) == 50


def test_development_and_test_share_no_trigger_and_no_seed():
    points = TROJANS.points(TROJANS.SWEEP["laptop"])
    parts = {
        part: {(p.labels["trigger"], p.labels["seed"]) for p in points if p.labels["set"] == part}
        for part in ("development", "test", "calibration")
    }
    trained = [p.labels for p in points if p.job]
    triggers = {part: {p["trigger"] for p in trained if p["set"] == part} for part in parts}
    assert not triggers["development"] & triggers["test"]
    seeds = [{seed for _, seed in part} for part in parts.values()]
    assert not seeds[0] & seeds[1]


@pytest.mark.slow
def test_smoke(tmp_path):
    pytest.importorskip("ribs")
    command = [sys.executable, "-m", "proxylab", "reproduce", "trojans", "--budget", "smoke"]
    environment = {**os.environ, "PROXYLAB_RESULTS": str(tmp_path)}
    subprocess.run([*command, "--jobs", "1"], check=True, cwd=ROOT, env=environment)
    tables = tmp_path / "runs" / "smoke" / "tables"
    rows = store.read_table(tables / "trojans-attacks.csv")
    control = next(row for row in rows if row["kind"] == "control")
    assert control["recipe"] == "clone"
    assert (tmp_path / "runs" / "smoke" / "figures" / "trojans.png").is_file()
