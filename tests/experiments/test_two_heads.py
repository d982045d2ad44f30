"""two-heads: its points, the choice by labels, its tables on made-up rows."""

from itertools import product
from pathlib import Path

import pytest

from proxylab.agents.references import load_agent
from proxylab.reproduce.experiment import load_experiment

module = load_experiment(Path(__file__).parents[2] / "experiments" / "two_heads.py").module
SETTINGS = module.SWEEP["smoke"]
COUNTS = (1, 4)


def made_up_rows(seeds=6, heads=(0.2, 0.9), likelihoods=(-2.0, -1.0)):
    """Rows as measured: of two heads the second seeks the cheese and fits the labels better."""
    rows = []
    runs = [(m, n) for m in module.PAIRS for n in range(2)] + [(module.TUNED, k) for k in COUNTS]
    for seed, network, (method, number) in product(range(seeds), module.NETWORKS, runs):
        headed = method in (module.STATES, module.LEVELS)
        true = heads[number] if headed else 0.3
        row = {"network": network, "method": method, "number": number, "seed": seed}
        row |= {"true_return": true + 0.01 * seed * headed, "proxy_first": 1 - true}
        row |= {"cpu_seconds": 3.0, "information": 0.1, "alike": 0.5, "accidental": 0.3}
        for k in COUNTS:
            paired = method != module.TUNED
            row[f"likelihood_{k}"] = likelihoods[number] if paired else None
            row[f"labelled_{k}"] = 9 * k if paired else None
        rows += [{**row, "split": split} for split in ("iid", "shifted")]
    return rows


def means(tables, **where):
    where = {"network": module.CONV, "split": "shifted", **where}
    rows = [r for r in tables["seeds"] if all(r[name] == v for name, v in where.items())]
    return {row["value"]: row["mean"] for row in rows}


def test_both_heads_of_a_seed_are_points_and_share_their_training():
    points = module.points(SETTINGS)
    assert len(points) == 1 + 2 * (2 * 3 + len(SETTINGS["measure"]["labels"]))
    heads = [p for p in points if p.labels["method"] == module.LEVELS]
    assert {p.labels["number"] for p in heads} == {0, 1}
    assert len({Path(p.agent).parent for p in heads}) == len(module.NETWORKS)
    assert len({p.agent for p in points}) == len(points)


def test_labels_choose_the_likelier_head_and_chance_takes_the_mean():
    tables = module.analyse(made_up_rows())
    chosen = means(tables, method=module.LEVELS, k=4)
    assert chosen["true_return"] == pytest.approx(0.925)
    assert chosen["other_true_return"] == pytest.approx(0.225)
    assert means(tables, method=module.LEVELS, k=0)["true_return"] == pytest.approx(0.575)
    assert means(tables, method=module.TUNED, k=4)["true_return"] == pytest.approx(0.3)
    swapped = module.analyse(made_up_rows(likelihoods=(-1.0, -2.0)))
    assert means(swapped, method=module.LEVELS, k=4)["true_return"] == pytest.approx(0.225)


def test_differences_are_paired_with_both_controls_and_p_values_corrected():
    tables = module.analyse(made_up_rows())
    keys = {(r["network"], r["method"], r["control"], r["k"]) for r in tables["tests"]}
    assert len(keys) == 2 * 2 * 2 * len(COUNTS) == len(tables["tests"])
    assert all(r["mean"] == pytest.approx(0.625) for r in tables["difference"])
    assert all(r["p_value"] <= r["p_holm"] < 0.001 for r in tables["tests"])
    assert len(tables["criterion"]) == 2 * 2 * 2
    assert all(row["met"] and row["both"] for row in tables["criterion"])
    same = module.analyse(made_up_rows(seeds=1, heads=(0.3, 0.3)))
    assert not any(row["met"] or row["both"] for row in same["criterion"])
    assert {row["p_holm"] for row in same["tests"]} == {1.0}
    assert set(module.draw(tables)) == {""}
    costs = {(r["network"], r["method"]): r for r in tables["costs"]}
    assert costs[module.CONV, module.LEVELS]["cpu_seconds"] == 3
    assert costs[module.CONV, module.LEVELS]["labelled_4"] == 36
    assert costs[module.CONV, module.TUNED]["labelled_4"] is None


def test_the_scripts_of_the_two_goals_agree_on_most_states():
    (point, *_) = module.points(SETTINGS)
    module.prepare(point)  # nothing to train
    settings = {**SETTINGS, "measure": {**SETTINGS["measure"], "visited": (128, 32)}}
    row = module.measure(load_agent(point.source), point, settings)[-1]
    assert row["true_return"] == 1
    assert 0.6 < row["alike"] < 0.9
    assert 0.3 < row["information"] < 1.0
