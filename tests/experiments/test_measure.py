"""Differences of rows to their baselines."""

from proxylab.reproduce.measure import paired_differences


def test_each_row_less_the_baseline_of_its_seed_and_split():
    rows = [
        {"seed": 0, "split": "iid", "share": 0.1, "x": 5.0, "y": 1.0},
        {"seed": 1, "split": "iid", "share": 0.1, "x": 7.0, "y": 1.0},
        {"seed": 2, "split": "iid", "share": 0.1, "x": 9.0, "y": 1.0},
    ]
    baselines = [
        {"seed": 1, "split": "iid", "share": 0.0, "x": 1.0, "y": 1.0},
        {"seed": 0, "split": "iid", "share": 0.0, "x": 2.0, "y": 1.0},
        {"seed": 2, "split": "shifted", "share": 0.0, "x": 3.0, "y": 1.0},
    ]
    found = paired_differences(rows, baselines, ("seed", "split"), ("x",))
    assert found == [rows[0] | {"x": 3.0}, rows[1] | {"x": 6.0}]  # seed 2 has no such baseline
