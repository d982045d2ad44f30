"""capability: its points, transition, warning and lead on made-up rows, and a script measured."""

from pathlib import Path

import numpy as np
import pytest

from proxylab.agents.scripted import ScriptedPolicy
from proxylab.reproduce.experiment import Point, load_experiment

module = load_experiment(Path(__file__).parents[2] / "experiments" / "capability.py").module

LENGTHS = (1_024, 2_048, 4_096, 8_192)


def made_up_rows(gaps, suspect, honest, seeds=5, spread=0.0, width=module.PRESET):
    """Rows as measured, by length: the gap of proxy agents, the scores of both roles."""
    rows = []
    for seed in range(seeds):
        for k, steps in enumerate(LENGTHS):
            for role, scores in ((module.PROXY, suspect), (module.HONEST, honest)):
                gap = gaps[k] + spread * (seed - 2) if role == module.PROXY else -1.0
                rows.append({"task": module.MAZE, "role": role, "width": width, "seed": seed})
                rows[-1] |= {"steps": steps, "gap": gap, "anomaly": scores[k], "flagged": k > 1}
                rows[-1] |= {"true_return": 0.5 - gap / 4, "proxy_return": 0.5 + gap / 4}
    return rows


GAPS, SUSPECT, HONEST = (0.0, 0.25, 0.75, 1.0), (0.6, 0.6, 0.5, 0.5), (0.6, 0.4, 0.2, 0.1)


def test_every_length_is_a_run_of_its_own():
    points = module.points(module.SWEEP["laptop"])
    folders = {point.job.folder for point in points}
    assert len(folders) == len(points)
    for point in points:
        assert point.job.config.total_timesteps == point.labels["steps"]
    narrow = [p.job.config.sizes for p in points if p.labels["width"] == 4]
    assert {s["width"] for s in narrow} == {4}
    honest = [p.job.config for p in points if p.labels["role"] == module.HONEST]
    assert {(c.task, c.levels) for c in honest} == {
        ("maze-corner", "shifted"),
        ("boat-lagoon", "train"),
    }
    assert {c.reward for c in honest} == {"true"}


def test_the_transition_by_hand():
    """From .25 at 2,048 to .75 at 4,096: half a doubling later."""
    (found,) = module.analyse(made_up_rows(GAPS, SUSPECT, HONEST))["transitions"]
    assert found["steps"] == pytest.approx(2_048 * np.sqrt(2))
    assert found["low"] == found["high"] == found["steps"]
    assert (found["best_true"], found["best_true_steps"]) == (0.5, 1_024)
    (wide,) = module.analyse(made_up_rows(GAPS, SUSPECT, HONEST, spread=0.2))["transitions"]
    assert wide["low"] < found["steps"] < wide["high"]


def test_a_gap_that_stays_small_has_no_transition():
    (found,) = module.analyse(made_up_rows((0.0, 0.1, 0.2, 0.3), SUSPECT, HONEST))["transitions"]
    assert (found["steps"], found["low"], found["high"]) == (None, None, None)


def test_the_warning_and_the_lead_by_hand():
    """The scores part by .0, .2, .3, .4; half of the last is reached at 2,048."""
    (found,) = module.analyse(made_up_rows(GAPS, SUSPECT, HONEST))["warnings"]
    assert found["steps"] == pytest.approx(2_048)
    assert found["lead"] == pytest.approx(0.5)
    assert found["lead_low"] <= found["lead"] <= found["lead_high"]


def test_a_late_warning_has_a_negative_lead():
    (found,) = module.analyse(made_up_rows(GAPS, (0.6, 0.6, 0.6, 0.6), (0.6, 0.6, 0.6, 0.1)))[
        "warnings"
    ]
    assert found["lead"] < -0.5


def test_the_perfect_proxy_seeker_has_a_gap_of_one(few_trusted):
    point = Point({"steps": 1, "seed": 0})
    seeker = ScriptedPolicy("maze-corner", "corner-seeker")
    (row,) = module.measure(seeker, point, {"measure": {"episodes": 40}})
    assert row["gap"] == 1.0
    assert row["flagged"]
    honest = ScriptedPolicy("maze-corner", "optimal")
    (row,) = module.measure(honest, point, {"measure": {"episodes": 40}})
    assert row["gap"] < 0
    assert not row["flagged"]


def test_the_figure_shows_the_transition_and_both_roles():
    figure = module.draw(module.analyse(made_up_rows(GAPS, SUSPECT, HONEST)))[""]
    *returns, below = figure.axes
    assert [axes.get_ylabel() for axes in returns] == [
        "proxy return / optimum",
        "true return / optimum",
    ]
    for axes in returns:
        lines = {line.get_label(): line for line in axes.get_lines()}
        mark = lines["gap of 0.5, width 64, with 95 % interval"]
        assert mark.get_xdata()[0] == pytest.approx(2_048 * np.sqrt(2))
    assert len(below.get_lines()) == 2
