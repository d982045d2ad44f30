"""The experiment on misidentified rewards: its causes, and all of it on the smoke budget."""

from pathlib import Path

import pytest

from proxylab.reproduce.experiment import load_experiment
from proxylab.reproduce.run import reproduce
from proxylab.storage.store import read_table

ROOT = Path(__file__).parents[2]
MODULE = load_experiment(ROOT / "experiments" / "reward_misidentification.py").module


def cell(share, levels, seed, reached):
    return {
        "kind": "policy",
        "split": "shifted",
        "share": share,
        "levels": levels,
        "seed": seed,
        "true_return": reached,
    }


def test_the_causes_are_differences_paired_by_seed():
    rows = []
    for seed, noise in enumerate((0.0, 0.1)):
        rows += [
            cell(MODULE.RIGHT, "not ambiguous", seed, 0.9 + noise),
            cell(MODULE.WRONG, "not ambiguous", seed, 0.4 + noise),
            cell(MODULE.RIGHT, "ambiguous", seed, 0.3 + noise),
            cell(MODULE.WRONG, "ambiguous", seed, 0.2 + noise),
        ]
    table = {row["quantity"]: row for row in MODULE._causes(rows)}
    assert table["failure, neither"]["mean"] == pytest.approx(0.05)
    added = table["added by the reward model alone"]
    assert [added[n] for n in ("mean", "low", "high")] == pytest.approx([0.5] * 3)
    assert table["added by the levels alone"]["mean"] == pytest.approx(0.6)
    assert table["added by both beyond the sum"]["mean"] == pytest.approx(-0.4)


@pytest.mark.slow
def test_it_runs_on_the_smoke_budget(tmp_path, monkeypatch):
    monkeypatch.setenv("PROXYLAB_RESULTS", str(tmp_path))
    folder = ROOT / "experiments"
    (made,) = reproduce("reward-misidentification", "smoke", processes=1, folder=folder).experiments
    assert made.failed == {}
    rows = read_table(tmp_path / "runs/smoke/tables/reward-misidentification-runs.csv")
    assert {row["kind"] for row in rows} == {"reward model", "policy"}
    (figure,) = tmp_path.glob("runs/smoke/figures/*.png")
    assert figure.stat().st_size > 1000
