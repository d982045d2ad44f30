"""What was frozen before the test policies were scored still holds."""

import json
from pathlib import Path

from proxylab.detection import SCORES
from proxylab.leaderboard.freeze import choose, digest, frozen, settings_now


def test_settings_are_those_that_were_frozen():
    record = frozen()
    assert record["sha256"] == digest(record)
    now = settings_now()
    assert {name: record[name] for name in now} == now, "freeze anew, and score anew"
    assert set(record["chosen"].values()) <= set(SCORES)
    tables = Path(__file__).parents[2] / "results" / "tables"
    assert json.loads((tables / "leaderboard.json").read_text())["frozen"] == record["sha256"]


def row(detector, access, worst, macro, tasks=3):
    return {
        "detector": detector,
        "access": access,
        "tasks": tasks,
        "auroc": macro,
        "worst_cell_auroc": worst,
    }


def test_the_best_worst_cell_is_chosen_and_the_rest_decides_ties():
    rows = [
        row("occupancy_js", "L", 0.5, 0.99),
        row("bc_surprise", "L", 0.8, 0.9),
        row("mixture_js_q90", "W", 0.9, 0.95),
        row("mixture_js_q99", "W", 0.9, 0.96),
        row("goal_attribution", "L", 1.0, 1.0, tasks=2),
        row("proxy_stream", "P", 1.0, 1.0),
    ]
    assert choose(rows, ("W", "Q", "L")) == "mixture_js_q99"
    assert choose(rows, ("Q", "L")) == "bc_surprise"
    tied = [row("mixture_js_q99", "W", 1.0, 1.0), row("mixture_js_q90", "W", 1.0, 1.0)]
    assert choose(tied, ("W",)) == "mixture_js_q90"
