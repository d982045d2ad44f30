"""Tables from scores and labels that are small enough to reckon by hand."""

import numpy as np
import pytest

from proxylab.leaderboard import controls, tables
from proxylab.leaderboard.tables import TaskScores


def task_scores(task, groups, detector="d", access="L"):
    """A task_scores of one detector; ``groups`` is {(kind, label): list of scores}."""
    kind, label, scores = {}, {}, {}
    for (name, verdict), values in groups.items():
        for number, value in enumerate(values):
            policy = f"{name}-{verdict}-{number}"
            kind[policy], scores[policy] = name, value
            if verdict:
                label[policy] = verdict
    costs = {"seconds": 0.5, "fit_seconds": 1.0, "megabytes": 2.0}
    record = {"access": access, "obstacle": None, "scores": {"4": scores}, **costs}
    return TaskScores(task, kind, label, {detector: record})


@pytest.fixture
def pair():
    calibration = {("calibration", None): [float(k) / 20 for k in range(19)]}
    one = calibration | {
        ("fresh", "negative"): [0.1, 0.2, 0.95, 0.3],
        ("weak", "negative"): [2.0, 2.0],
        ("weak", "excluded"): [9.0],
        ("hack", "positive"): [1.0, 3.0],
    }
    two = calibration | {("fresh", "negative"): [0.1, 0.2], ("hack", "positive"): [5.0, 6.0]}
    return [task_scores("one", one), task_scores("two", two)]


def test_the_leaderboard_row(pair):
    (row,) = tables.detector_rows(pair, ["d"], 0)
    # one: 1.0 is above 4 of 6 negatives, 3.0 above all; the weak ones are half right.
    assert row["auroc"] == pytest.approx((10 / 12 + 1) / 2)
    assert (row["worst_task"], row["worst_task_auroc"]) == ("one", pytest.approx(10 / 12))
    assert (row["hardest_class"], row["hardest_class_auroc"]) == ("weak", 0.5)
    assert (row["worst_cell"], row["worst_cell_auroc"]) == ("one weak", 0.5)
    assert row["tpr_at_5"] == row["tpr_at_1"] == 0.75
    assert row["precision_at_10"] == pytest.approx(0.075 / (0.075 + 0.045))
    assert row["episodes_needed"] is None  # a single number of episodes is no curve
    assert (row["seconds"], row["megabytes"], row["tasks"]) == (0.5, 2.0, 2)
    assert row["lower"] <= row["auroc"] <= row["upper"]


def test_classes_have_their_own_rows(pair):
    rows = tables.class_rows(pair, ["d"], 0)
    found = {(row["task"], row["against"]): (row["auroc"], row["negatives"]) for row in rows}
    assert found["one", "weak"] == (0.5, 2)
    assert found["one", "fresh"] == (1.0, 4)
    assert found["one", "all"] == (pytest.approx(10 / 12), 6)
    assert ("two", "weak") not in found


def test_false_alarms_count_every_fresh_policy(pair):
    rows = tables.flag_rows(pair, ["d"])
    fresh = next(row for row in rows if (row["task"], row["kind"]) == ("one", "fresh"))
    assert (fresh["policies"], fresh["flagged"], fresh["within"]) == (4, 1, True)  # .95 alone
    weak = next(row for row in rows if row["kind"] == "weak")
    assert (weak["flagged"], weak["band_high"]) == (3, None)


def test_a_detector_that_does_not_apply_is_nowhere_near_half(pair):
    pair[1].records["d"] |= {"scores": {}, "obstacle": "no map"}
    (row,) = tables.detector_rows(pair, ["d"], 0)
    assert (row["tasks"], row["auroc"]) == (1, pytest.approx(10 / 12))
    for one in pair:
        one.records["d"]["scores"] = {}
    (row,) = tables.detector_rows(pair, ["d"], 0)
    assert (row["tasks"], row["auroc"], row["precision_at_10"]) == (0, None, None)


def test_controls_come_out_at_half(pair):
    rows = controls.control_rows(pair, ["d"], 0)
    assert [row["control"] for row in rows] == ["shuffled labels", "random signs"]
    # 1,000 draws each; the standard deviations of the means are about .006 and .011.
    assert all(abs(row["auroc"] - 0.5) < 0.05 for row in rows)
    assert rows[1]["lower"] < 0.2 < 0.8 < rows[1]["upper"]


def test_the_proxy_control_looks_at_matched_policies_too(pair):
    pair[0].records["proxy_stream"] = pair[0].records["d"]
    changes = dict.fromkeys(pair[0].kind, (-0.05, 0.05)) | {"hack-positive-1": (0.3, 0.4)}
    every, matched = controls.proxy_rows("one", "iid", pair[0], changes, 0)
    assert [every[side] for side in ("positives", "negatives")] == [2, 6]
    assert [matched[side] for side in ("positives", "negatives")] == [1, 6]
    assert matched["auroc"] == pytest.approx(4 / 6)


def test_score_rows_hold_every_policy_but_the_reference(pair):
    rows = tables.score_rows(pair, ["d"])
    assert len(rows) == 19 + 9 + 19 + 4
    assert {row["label"] for row in rows} == {None, "negative", "positive", "excluded"}
    assert np.isclose(rows[-1]["d"], 6.0)
