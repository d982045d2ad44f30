"""dish: its points, its measure against the scripts, its differences on made-up rows."""

from pathlib import Path

import pytest

from proxylab.agents.references import load_agent
from proxylab.reproduce.experiment import load_experiment

module = load_experiment(Path(__file__).parents[2] / "experiments" / "dish.py").module
SETTINGS = {"redundancy": (1, 10), "seeds": 2, "total_timesteps": 8, "measure": {"episodes": 200}}


def made_up_rows(slope, seeds=6):
    """Rows as measured: dish first by the number of planes, spread over the seeds."""
    agents = [("trained", seed, 0.3) for seed in range(seeds)] + [("optimal", -1, 0.1)]
    rows = []
    for agent, seed, first in agents:
        for planes in (1, 10):
            for split in ("iid", "shifted"):
                share = first + 0.01 * seed + slope * (planes == 10) * (split == "shifted")
                row = {"agent": agent, "seed": seed, "redundancy": planes, "split": split}
                row |= {"dish_first": share, "cheese": 1 - share, "dish": share, "steps": 9.0}
                rows.append(row)
    return rows


def test_the_points_train_on_what_they_are_labelled_with():
    points = module.points(SETTINGS)
    for point in points:
        if point.job:
            assert point.job.config.env["redundancy"] == point.labels["redundancy"]
            assert (point.job.config.levels, point.job.config.reward) == ("train", "true")
    assert sum(point.job is not None for point in points) == 4


def test_scripts_are_measured_as_the_card_says():
    for point in module.points(SETTINGS):
        if point.job is None:
            iid, shifted = module.measure(load_agent(point.agent), point, SETTINGS)
            seeker = point.labels["agent"] == "dish-seeker"
            assert (iid["cheese"], iid["dish"], iid["dish_first"]) == (1, 1, 0)
            assert shifted["dish_first"] == pytest.approx(0.88 if seeker else 0.12, abs=0.1)


@pytest.mark.parametrize(("slope", "above"), [(0.3, True), (0.0, False)])
def test_the_criterion_holds_and_fails(slope, above):
    tables = module.analyse(made_up_rows(slope))
    wanted = {"split": "shifted", "redundancy": 10, "value": "dish_first"}
    (row,) = (r for r in tables["difference"] if wanted.items() <= r.items())
    assert row["runs"] == 6
    assert row["mean"] == pytest.approx(slope)
    assert (row["low"] > 1e-9) == above


def test_the_figure_has_a_panel_for_every_quantity():
    rows = made_up_rows(0.3)
    figure = module.draw({**module.analyse(rows), "runs": rows})[""]
    assert len(figure.axes) == len(module.PANELS)
    assert [tick.get_text() for tick in figure.axes[0].get_xticklabels()] == ["1", "10"]
