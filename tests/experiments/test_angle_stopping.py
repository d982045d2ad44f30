"""angle-stopping: its cases, the guarantee measured for real, and the figure."""

from pathlib import Path

import numpy as np
import pytest

from proxylab.reproduce.experiment import load_experiment

module = load_experiment(Path(__file__).parents[2] / "experiments" / "angle_stopping.py").module
SMOKE = module.SWEEP["smoke"]


@pytest.fixture(scope="module")
def rows():
    """Rows of the smoke budget."""
    return [
        {**point.labels, **row}
        for point in module.points(SMOKE)
        for row in module.measure(None, point, SMOKE)
    ]


def test_by_the_exact_angle_the_true_return_never_falls(rows):
    exact = [row for row in rows if row["error"] == 0]
    assert len(exact) == len(module.points(SMOKE)) == len(rows) / 3
    assert not any(row["fell"] for row in exact)
    assert all(row["best"] >= row["stopped"] - 1e-9 for row in rows)
    assert any(row["turns"] for row in exact)


def test_an_angle_taken_for_larger_never_stops_later(rows):
    of = {(r["path"], r["task"], r["share"], r["seed"], r["error"]): r["at_once"] for r in rows}
    assert all(of[(*key[:4], 0.25)] for key, at_once in of.items() if at_once)


def test_the_corner_pays_once_and_only_in_mazes_that_it_divides():
    options = {"size": 7, "discount": 0.97}
    for number in range(5):
        table, true, proxy = module.case_of(module.MAZE, number, options)
        assert set(np.unique(true)) == set(np.unique(proxy)) == {0, 1}
        assert not (true * proxy).any()
        paid = proxy.any(axis=1)
        assert (table.cells[paid] < 7 * 7).all()


def test_the_figure_has_a_row_for_each_path(rows):
    tables = module.analyse(rows)
    figure = module.draw(tables)[""]
    assert len(figure.axes) == 2 * 3
    names = [line.get_label() for line in figure.axes[0].get_lines()][:5]
    assert names[0] == "never stop"
    assert names[3:] == ["stop by 0.75 θ", "stop by 1.25 θ"]
