"""Results of the verbs become tables without losing or inventing a number."""

import types

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxylab.demo import tables
from proxylab.demo.traces import Trace
from proxylab.statistics.conformal import conformal_p_value


def _share(value):
    return {"share": value, "ci": (value - 0.01, value + 0.01)}


def _split(intended, accidental):
    outcomes = {"intended": _share(intended), "proxy": _share(1 - intended)}
    return {
        "sampled": {
            "outcomes": outcomes,
            "accidental": {"outcomes": {"intended": _share(accidental)}},
        }
    }


def test_learning_table_has_wilson_bounds_where_returns_are_shares():
    rows = [{"timesteps": 10, "iid/true_return": 0.5, "shifted/proxy_return": 0.25, "success": 1}]
    table = tables.learning_table(rows, {"iid": 100})
    assert table["series"] == ["true goal, held-out levels", "proxy goal, shifted levels"]
    assert table["mean"] == [0.5, 0.25]
    assert table["low"][0] == pytest.approx(0.4038, abs=1e-4)  # Wilson 1927, 50 of 100
    assert table["high"][0] == pytest.approx(0.5962, abs=1e-4)
    assert (table["low"][1], table["high"][1]) == (None, None)


def test_curves_of_goals_that_pay_the_same_are_drawn_once():
    rows = [
        {"timesteps": t, "iid/true_return": 0.5, "iid/proxy_return": 0.5, "shifted/true_return": 0}
        for t in (1, 2)
    ]
    table = tables.learning_table(rows)
    labels = ["both goals, held-out levels"] * 2 + ["true goal, shifted levels"] * 2
    assert table["series"] == labels
    rows[1]["iid/proxy_return"] = 0.6
    assert len(tables.learning_table(rows)["series"]) == 6


SPLITS = {"train": _split(0.98, 1.0), "iid": _split(0.97, 1.0), "shifted": _split(0.3, 0.33)}
EVALUATION = {
    "agents": [
        {"agent": "runs/a", "splits": SPLITS},
        {"agent": "zoo:x", "splits": {"iid": _split(0.96, 1.0), "shifted": _split(0.9, 0.33)}},
    ]
}


def test_outcome_table_has_a_row_per_agent_split_and_outcome():
    table = tables.outcome_table(EVALUATION, ["proxy agent", "trusted agent"])
    assert len(table["share"]) == 8
    rows = list(zip(table["agent"], table["split"], table["outcome"], strict=True))
    k = rows.index(("trusted agent", "shifted", "intended"))
    assert (table["low"][k], table["share"][k], table["high"][k]) == (0.89, 0.9, 0.91)


def test_accidental_shares_are_the_seekers_not_the_agents():
    assert tables.accidental_shares(EVALUATION) == {"shifted": 0.33}


def test_reaching_the_goal_counts_detours():
    assert tables.reached({"intended": _share(0.5), "both": _share(0.25)}) == 0.75


def test_cell_shares_count_steps_row_by_row():
    episodes = types.SimpleNamespace(state_id=np.array([0, 5, 5, 3]), num_states=6)
    shares = tables.cell_shares(episodes, columns=3)
    assert shares == [[0.25, 0, 0], [0.25, 0, 0.5]]


def _detection(scores, alpha):
    names = {f"trusted-{k:02d}": score for k, score in enumerate(scores)}
    return {"alpha": alpha, "trusted": {"calibration_scores": names}}


@given(
    scores=st.lists(st.integers(0, 30), min_size=1, max_size=60),
    suspect=st.integers(-1, 31),
    alpha=st.sampled_from([0.01, 0.05, 0.1, 0.5]),
)
def test_the_threshold_is_where_the_p_value_falls_to_alpha(scores, suspect, alpha):
    threshold = tables.flag_threshold(_detection(scores, alpha))
    flagged = conformal_p_value(np.array(scores), suspect) <= alpha + 1e-9
    assert flagged == (threshold is not None and suspect > threshold)


def test_score_table_puts_calibration_first_and_keeps_groups():
    detection = _detection([0.1, 0.2], 0.05) | {
        "suspects": [
            {"agent": "a", "detector": "d", "verdict": "FLAG", "scores": {"d": {"score": 0.9}}},
            {"agent": "b", "detector": "d", "verdict": "CLEAR", "scores": {"d": {"score": 0.15}}},
        ]
    }
    table = tables.score_table(detection, {"a": "proxy agent", "b": "honest"})
    assert table["group"] == ["trusted", "trusted", "honest", "proxy agent"]
    assert table["score"] == [0.1, 0.2, 0.15, 0.9]
    assert table["flagged"] == [False, False, False, True]


def test_tables_come_back_as_they_were_written(tmp_path):
    given_tables = {
        "task": "maze-corner",
        "accidental": {"iid": 1.0},
        "paths": [{"points": [[1, 2]]}],
    }
    path = tables.write_tables(given_tables, tmp_path / "deep" / "tables.json")
    assert tables.read_tables(path) == {"schema": tables.SCHEMA, **given_tables}


@pytest.mark.parametrize("text", ["[]", '{"schema": "something else"}'])
def test_other_files_are_refused(tmp_path, text):
    path = tmp_path / "tables.json"
    path.write_text(text)
    with pytest.raises(ValueError, match="does not hold the tables"):
        tables.read_tables(path)


def test_ways_are_kept_of_drawn_levels_only():
    points = np.array([[1.04, 2.0], [3.0, 4.0]])
    traces = [Trace("a", seed, points, "proxy", {"true": 0.0}) for seed in (7, 8)]
    rows = tables.path_table(traces, drawn=[8])
    assert [row["points"] for row in rows] == [[], [[1.0, 2.0], [3.0, 4.0]]]
    assert [row["level_seed"] for row in rows] == [7, 8]
