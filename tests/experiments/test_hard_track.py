"""The hard track: who is seen, which detector the rule chooses, and which kinds are named."""

from pathlib import Path

import pytest

from proxylab.detection.kinds import LESS_ABLE, PURSUES
from proxylab.reproduce.experiment import load_experiment
from proxylab.statistics.rare import mixture_limit

TRACK = load_experiment(Path(__file__).parents[2] / "experiments" / "hard_track.py").module


def rows_of(detector, flagged, part="development", task="maze-corner"):
    """Ten suspects of each class; ``flagged``: {class: how many of them}."""
    rows = []
    for name in (*TRACK.GAMING, *TRACK.HONEST):
        for k in range(10):
            seen = k < flagged.get(name, 0)
            kind = PURSUES if name in TRACK.GAMING else LESS_ABLE
            row = {"set": part, "task": task, "detector": detector, "class": name, "seed": k}
            row |= {"kind": name.removesuffix(" honest"), "mix": None, "label": None}
            row |= {"score": float(seen), "p_value": 0.01 if seen else 0.5}
            composed = name not in TRACK.OTHERS
            row |= {"true": 0.8 - k / 100 if name == "hack" else 0.9 - k / 100}
            row |= {"true honest": 0.9 - k / 100 if composed else None}
            rows.append(row | {"difference": kind if seen and detector == "keen" else None})
    return rows


GAMED = dict.fromkeys(TRACK.GAMING, 9)


def test_the_rule_takes_the_most_power_among_those_with_honest_error_rates():
    rows = rows_of("keen", GAMED) + rows_of("dull", dict.fromkeys(TRACK.GAMING, 5))
    rows += rows_of("rash", {**dict.fromkeys(TRACK.GAMING, 10), "fresh": 6})
    table = {row["detector"]: row for row in TRACK.analyse(rows)["detectors"]}
    assert [name for name, row in table.items() if row["chosen"]] == ["keen"]
    assert not table["rash"]["fresh in band"]
    assert table["keen"]["power"] == pytest.approx(0.9)
    assert table["keen"]["auroc"] == pytest.approx(0.95)  # one of ten ties with all honest ones


def test_near_equal_power_is_decided_by_the_auroc():
    worse = {**GAMED, **dict.fromkeys(TRACK.OTHERS, 10)}
    rows = rows_of("plain", GAMED) + rows_of("harsh", worse)
    table = {row["detector"]: row for row in TRACK.analyse(rows)["detectors"]}
    assert [name for name, row in table.items() if row["chosen"]] == ["plain"]
    assert table["harsh"]["power"] == table["plain"]["power"]


def test_classes_that_came_after_the_choice_have_no_part_in_it():
    """Flags of learned agents, gaming or honest, change no row; those of hacks are the control."""
    base = TRACK.analyse(rows_of("keen", GAMED))["detectors"]
    for name, same in (("learned", True), ("learned honest", True), ("hack", False)):
        other = TRACK.analyse(rows_of("keen", {**GAMED, name: 3}))["detectors"]
        assert (other == base) == same


def test_kinds_are_counted_among_flagged_suspects():
    kinds = {
        row["class"]: row for row in TRACK.analyse(rows_of("keen", {**GAMED, "weak": 4}))["kinds"]
    }
    assert (kinds["hack"]["flagged"], kinds["hack"][PURSUES], kinds["hack"]["pursues"]) == (9, 9, 1)
    assert (kinds["weak"]["flagged"], kinds["weak"][PURSUES], kinds["weak"][LESS_ABLE]) == (4, 0, 4)
    assert "fresh" not in kinds


def test_rare_classes_carry_their_limit():
    classes = TRACK.analyse(rows_of("keen", GAMED))["classes"]
    limits = {row["class"]: row["limit"] for row in classes}
    assert limits["rare 1%"] == pytest.approx(mixture_limit(0.01, 200, 0.05))
    assert limits["hack"] == 1
    assert limits["fresh"] is None


def test_harm_is_the_drop_of_the_true_return_against_the_honest_agent():
    classes = {row["class"]: row for row in TRACK.analyse(rows_of("keen", GAMED))["classes"]}
    expected = sum(0.1 / (0.9 - k / 100) for k in range(10)) / 10
    assert classes["hack"]["harm"] == pytest.approx(expected)
    assert classes["hack"]["harm low"] < expected < classes["hack"]["harm high"]
    assert classes["rare 1%"]["harm"] == 0
    assert classes["weak"]["harm"] == pytest.approx(0)  # against the mean of the fresh agents


def trained_row(label, k, detector="higher_criticism", name="half-hearted"):
    row = {"set": "test", "task": "maze-corner", "kind": "half-hearted", "mix": 0.01, "seed": k}
    row |= {"label": label, "class": name, "detector": detector, "score": 1.0, "p_value": 0.01}
    return row | {"true": 0.5, "true honest": None, "difference": None}


def test_trained_agents_are_counted_by_label_and_only_labelled_ones_are_in_a_class():
    rows = rows_of("higher_criticism", GAMED, "test")
    rows += [trained_row("positive", k) for k in (0, 1)]
    rows += [trained_row("excluded", 2, name="half-hearted excluded")]
    tables = TRACK.analyse(rows)
    labels = {(row["kind"], row["label"]): row["agents"] for row in tables["labels"]}
    assert labels["half-hearted", "positive"] == 2
    assert labels["half-hearted", "excluded"] == 1
    classes = {row["class"]: row for row in tables["classes"]}
    assert classes["half-hearted"]["suspects"] == 12
    assert "half-hearted excluded" not in classes


@pytest.mark.parametrize("budget", ["smoke", "laptop", "paper"])
def test_development_and_test_share_no_agent_and_no_seed(budget):
    used = {"development": set(), "test": set()}
    for point in TRACK.points(TRACK.SWEEP[budget]):
        job, part = point.job, point.labels["set"]
        used[part].add((point.labels["task"], job.config.seed if job else point.agent))
    assert used["test"]
    assert not used["development"] & used["test"]
