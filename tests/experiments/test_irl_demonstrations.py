"""irl: small demonstrations measured for real, the turn on made-up rows, and the figures."""

from pathlib import Path

import numpy as np
import pytest

from proxylab.reproduce.experiment import Point, load_experiment

module = load_experiment(Path(__file__).parents[2] / "experiments" / "irl.py").module
GOALS, ONCE, CELLS, CLONE = module.LEARNERS
OPTIONS = {**module.LAPTOP["measure"], "size": 7, "tests": 12, "steps": 60}


def measured(learner, mazes, elsewhere, **options):
    """{test: row} of one point, and the rows of its map."""
    labels = {"learner": learner, "mazes": mazes, "elsewhere": elsewhere, "seed": 0}
    rows = module.measure(None, Point(labels), {"measure": {**OPTIONS, **options}})
    tests = {row["test"]: row for row in rows if row["test"] != module.MAP}
    return tests, [row for row in rows if row["test"] == module.MAP]


@pytest.mark.parametrize("learner", [GOALS, CELLS])
def test_without_a_distinguishing_maze_the_recovered_reward_misses_the_cheese(learner):
    """The optimal policy reaches a moved cheese as often as a corner-seeker, and no more."""
    tests, _ = measured(learner, 8, 0)
    row = tests[module.NEW]
    assert row["weight_cheese"] == pytest.approx(row["weight_corner"], rel=1e-3)
    assert row["cheese"] == pytest.approx(row["seeker_cheese"], abs=1e-6)
    assert row["corner_first"] == pytest.approx(1 - row["cheese"], abs=1e-6)
    assert tests[module.LIKE]["cheese"] == tests[module.SHOWN]["cheese"] == 1


@pytest.mark.parametrize("learner", [GOALS, CELLS])
def test_with_the_cheese_elsewhere_in_half_the_mazes_it_is_found(learner):
    """The control."""
    row = measured(learner, 8, 4)[0][module.NEW]
    assert row["cheese"] > 0.95
    assert row["corner_first"] < row["optimal_corner"] + 0.05
    assert row["weight_corner"] < row["weight_cheese"] / 2


def test_a_corner_that_pays_once_is_visited_on_the_way():
    """The same ambiguity, without a reason to stay: both goals are reached."""
    row = measured(ONCE, 8, 0)[0][module.NEW]
    assert row["weight_cheese"] == pytest.approx(row["weight_corner"], rel=1e-3)
    assert row["cheese"] == 1
    assert row["corner_first"] > row["optimal_corner"] + 0.2


def test_a_clone_is_measured_and_has_no_weights():
    tests, rows = measured(CLONE, 2, 0, hidden=32, steps=100)
    assert tests[module.SHOWN]["cheese"] > 0.5
    assert tests[module.SHOWN]["weight_cheese"] is None
    assert rows == []


def test_the_map_is_of_one_maze_with_the_cheese_in_two_places():
    _, rows = measured(CELLS, 4, 0)
    places = {place: [r for r in rows if r["place"] == place] for place in ("corner", "elsewhere")}
    cells = [{(r["row"], r["column"]) for r in own} for own in places.values()]
    assert cells[0] == cells[1]
    assert len(cells[0]) == 17
    (cheese,) = (r for r in places["corner"] if r["is_cheese"])
    assert (cheese["row"], cheese["column"]) == (1, 5)
    assert cheese["pays"] == max(r["pays"] for r in places["corner"])


def made_up(turn_at):
    """Rows as measured: the moved cheese is reached from ``turn_at`` mazes on."""
    rows = []
    for learner in module.LEARNERS:
        for x in (0, 1, 2, 4):
            for seed in range(3):
                share = 0.2 if x < turn_at else 1.0
                labels = {"learner": learner, "mazes": 8, "elsewhere": x, "seed": seed}
                values = {**module.NOTHING, "cheese": share, "corner_first": 1 - share}
                values |= {"seeker_cheese": 0.2, "optimal_corner": 0.1}
                for test in (module.SAME, module.NEW):
                    rows.append({**labels, "test": test, "levels": 9, **values, **module.NOWHERE})
    for x in (0, 1):
        for place, cheese in (("corner", 2), ("elsewhere", 1)):
            for column in (1, 2):
                where = {"place": place, "row": 1, "column": column, "is_cheese": column == cheese}
                where |= {"pays": float(column), "down": 0.0, "right": 1.0}
                labels = {"learner": CELLS, "mazes": 8, "elsewhere": x, "seed": 0}
                row = {**labels, "test": module.MAP, "levels": 1, **module.NOTHING, **where}
                rows.append(row)
    return rows


def test_the_turn_by_hand():
    """From 0.2 to 1 half is 0.6: between 2 mazes at 0.2 and 4 at 1 it is crossed at 3.

    The corner comes first on 0.8, and half of the way to 0.1 is 0.45, of 0.8 seven 16ths.
    """
    turns = module.analyse(made_up(turn_at=4))["turn"]
    cheese, corner = ([t for t in turns if t["value"] == v] for v in ("cheese", "corner_first"))
    for found, place in ((cheese, 3), (corner, 2 + 2 * 7 / 16)):
        bounds = [(turn["elsewhere"], turn["low"], turn["high"]) for turn in found]
        assert np.array(bounds) == pytest.approx(np.full((8, 3), place))
    never = module.analyse(made_up(turn_at=9))["turn"]
    assert {turn["elsewhere"] for turn in never} == {None}


def test_the_figures_show_every_learner_and_three_mazes():
    tables = module.analyse(made_up(turn_at=1))
    figures = module.draw(tables)
    assert set(figures) == {"", "map"}
    labels = [line.get_label() for line in figures[""].axes[0].get_lines()]
    assert labels == [*module.LEARNERS, "incidental rate"]
    assert figures[""].axes[0].get_lines()[0].get_ydata() == pytest.approx([0.2, 1, 1, 1])
    assert len(figures["map"].axes) == 3 + 1
    assert np.isfinite([axes.get_xlim() for axes in figures["map"].axes]).all()


def test_points_are_told_apart_by_their_labels():
    for budget in module.SWEEP.values():
        points = module.points(budget)
        assert len({tuple(p.labels.values()) for p in points}) == len(points)
        assert all(p.labels["elsewhere"] <= p.labels["mazes"] / 2 for p in points)
