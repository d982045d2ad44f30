"""mitigate: its points differ by the levels alone; its tables on made-up rows."""

from pathlib import Path

import pytest

from proxylab.reproduce.experiment import load_experiment

module = load_experiment(Path(__file__).parents[2] / "experiments" / "mitigate.py").module
SETTINGS = module.SWEEP["smoke"]


def made_up_rows(gains, seeds=6):
    """Rows as measured: DR learns from 10 % on, the others gain over it."""
    rows = []
    for seed in range(seeds):
        for share in (0.01, 0.1):
            for method, gain in gains.items():
                true = 0.2 + 0.4 * (share == 0.1) + gain + 0.01 * seed * (1 + (method != "dr"))
                row = {"method": method, "share": share, "seed": seed, "split": "shifted"}
                row["steps"] = 2_048
                rows.append(row | {"true_return": true, "proxy_return": 0.5, "proxy_first": 0.4})
    return rows


def test_runs_of_a_seed_differ_by_the_levels_alone():
    points = module.points(SETTINGS)
    assert len(points) == 2 * 2 * 5
    for point in points:
        config, labels = point.job.config, point.labels
        assert config.levels.replace("mix", "dr") == f"{labels['method']}:{labels['share']}"
        assert (config.reward, config.algorithm, config.seed) == ("true", "ppo", labels["seed"])
    assert len({(p.job.config.total_timesteps, str(p.job.config.env)) for p in points}) == 1


def test_differences_are_paired_and_their_p_values_corrected():
    tables = module.analyse(made_up_rows({"dr": 0.0, "plr": -0.025, "plr-oracle": 0.3}))
    found = {
        (row["method"], row["share"]): row
        for row in tables["difference"]
        if row["value"] == "true_return"
    }
    assert found["plr-oracle", 0.01]["mean"] == pytest.approx(0.325)
    assert found["plr", 0.01]["mean"] == pytest.approx(0.0)
    assert ("dr", 0.01) not in found
    p_values = {(row["method"], row["share"]): row for row in tables["tests"]}
    assert p_values["plr-oracle", 0.01]["p_holm"] < 0.001
    assert p_values["plr", 0.01]["p_holm"] == pytest.approx(1.0)
    assert all(row["p_holm"] >= row["p_value"] for row in tables["tests"])


def test_equal_returns_are_no_evidence():
    tables = module.analyse(made_up_rows({"dr": 0.0, "plr": 0.0}, seeds=1))
    assert [row["p_value"] for row in tables["tests"]] == [1.0, 1.0]


def test_the_share_from_which_the_cheese_is_learnt():
    tables = module.analyse(made_up_rows({"dr": 0.0, "plr": 0.4, "accel-oracle": -0.9}))
    assert [module.learnt_from(tables, m) for m in ("dr", "plr")] == [0.1, 0.01]
    assert module.learnt_from(tables, "accel-oracle") == float("inf")
    (plain,) = module.compare(tables)  # the shares of ACCEL do not reach down to 0.03 %
    assert (plain.low, plain.high, plain.passed) == (0.01, 0.1, True)
    for row in tables["seeds"]:
        row["share"] /= 100
    assert [row.passed for row in module.compare(tables)] == [False, False]
    assert set(module.draw(tables)) == {""}
