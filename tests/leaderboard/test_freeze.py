"""What was frozen before the test policies were scored still holds."""

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import pytest

from proxylab.detection import SCORES
from proxylab.detection.scores.occupancy import OccupancyDivergence
from proxylab.detection.scores.registry import MEMBER_NAMES, MEMBERS, ON_REQUEST, ensemble_members
from proxylab.leaderboard.freeze import choose, digest, frozen, settings_now

MEMBERS_WHEN_FITTED = (
    *("occupancy_js", "occupancy_tv", "state_action_js", "occupancy_chi2", "first_divergence"),
    *("goal_attribution", "bc_surprise", "habit_js_q90", "lapse_ratio", "block_mmd", "energy"),
    *("path_features", "deedee"),
)


@dataclass(frozen=True)
class Steps:
    """A toy detector, of the access that members of the ensemble have."""

    name: str = "mean_steps"
    access: ClassVar[str] = "L"
    unit: ClassVar[str] = "steps"
    source: ClassVar[str] = "a test"
    higher_is: ClassVar[str] = "more anomalous"

    def fit(self, reference, task):
        return None

    def score(self, state, suspect, rng):
        return float(suspect.lengths.mean())


def changed():
    """{name: (frozen, now)} of the settings that differ; a detector added since is no change."""
    record, now = frozen(), settings_now()
    pairs = {name: (record[name], now[name]) for name in now if name != "detectors"}
    for name, settings in record["detectors"].items():
        pairs[name] = settings, now["detectors"].get(name)
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


def test_settings_are_those_that_were_frozen():
    record = frozen()
    assert record["sha256"] == digest(record)
    assert not changed(), "freeze anew, and score anew"
    assert set(record["chosen"].values()) <= set(SCORES)
    tables = Path(__file__).parents[2] / "results" / "tables"
    assert json.loads((tables / "leaderboard.json").read_text())["frozen"] == record["sha256"]


def test_a_new_detector_changes_neither_the_frozen_settings_nor_the_ensemble(monkeypatch):
    before = settings_now()["detectors"]["ensemble"]
    monkeypatch.setitem(SCORES, "mean_steps", Steps())
    now = settings_now()["detectors"]
    assert "mean_steps" in now
    assert "mean_steps" not in frozen()["detectors"]
    assert not changed()
    assert now["ensemble"] == before
    assert ensemble_members(SCORES.values()) == MEMBERS == SCORES["ensemble"].members


def test_the_members_are_those_with_which_the_weights_were_fitted():
    assert MEMBER_NAMES == MEMBERS_WHEN_FITTED == tuple(member.name for member in MEMBERS)
    assert not set(MEMBER_NAMES) & set(ON_REQUEST)
    assert {SCORES[name].access for name in MEMBER_NAMES} == {"L"}


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("occupancy_js", OccupancyDivergence("occupancy_js", "js", discount=0.99)),
        ("kappa", None),
        ("ensemble", replace(SCORES["ensemble"], members=(*MEMBERS, Steps()))),
    ],
)
def test_a_changed_or_removed_detector_is_noticed(monkeypatch, name, other):
    if other is None:
        monkeypatch.delitem(SCORES, name)
    else:
        monkeypatch.setitem(SCORES, name, other)
    assert set(changed()) == {name}


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
