"""power: the map and the gains measured small, the clauses of the claim on made-up rows."""

from pathlib import Path

import pytest

from proxylab.reproduce.experiment import load_experiment

module = load_experiment(Path(__file__).parents[2] / "experiments" / "power.py").module
SETTINGS = {
    "seeds": 1,
    "measure": {"map_draws": 200, "levels": 12, "draws": 50, "discounts": (module.MAIN,)},
}
POINTS = {point.labels["agent"]: point for point in module.points(SETTINGS)}


@pytest.fixture(scope="module")
def rows(measured):
    """The rows of one seed of every agent, as an experiment labels them."""
    return measured(module, POINTS, SETTINGS)


def gained(rows, agent, split, graph, value="end"):
    (row,) = (r for r in rows[agent] if (r["split"], r["graph"]) == (split, graph))
    return row[value]


def test_the_map_has_31_cells_and_junctions_have_the_most_power_at_a_short_horizon(rows):
    short = {
        (row["row"], row["column"]): row["power"]
        for row in rows[module.MAP]
        if row["discount"] == min(module.SWEPT) and row["power"] is not None
    }
    junctions = {(0, 3), (2, 0), (2, 3), (3, 3), (5, 3), (5, 6)}
    assert len(short) == 31
    assert set(sorted(short, key=short.get)[-6:]) == junctions
    assert set(sorted(short, key=short.get)[:2]) == {(0, 6), (6, 6)}  # the dead ends


def test_with_an_end_at_the_cheese_who_reaches_it_loses_the_most(rows):
    """POWER of the end is the least of the level; nobody else's path may end lower."""
    lost = {agent: gained(rows, agent, "shifted", module.ENDS) for agent in rows if agent != "map"}
    assert lost[module.CHEESE] == min(lost.values())
    assert lost[module.CHEESE] < -0.5
    assert lost[module.CLIMB] == max(lost.values())


def test_the_climber_gains_the_most_and_stops_where_no_neighbour_has_more(rows):
    for split in module.SPLITS:
        climbed = gained(rows, module.CLIMB, split, module.CELLS)
        others = [a for a in rows if a not in (module.MAP, module.CLIMB)]
        assert climbed > max(gained(rows, agent, split, module.CELLS) for agent in others)


def test_on_training_levels_both_seekers_walk_the_same_paths(rows):
    for graph in (module.CELLS, module.ENDS):
        for value in module.GAINS:
            cheese, corner = (
                gained(rows, agent, "iid", graph, value) for agent in (module.CHEESE, module.CORNER)
            )
            assert cheese == corner


def made_up(shift):
    """Gains in which every clause holds, for ``shift`` = 0; the trained gain ``shift`` more."""
    gains = {module.CHEESE: 0, module.CORNER: -0.2, module.WALK: 0, module.RANDOM: 0.1}
    gains |= {module.TRUSTED: shift, module.DIFFERENT: shift, module.CLIMB: 0.4}
    gains |= {module.HACK: shift - 0.2, module.PROXY: shift - 0.2}
    return [
        {"agent": agent, "discount": 0.9, "seed": seed, "split": "shifted", "graph": module.CELLS}
        | {"end": gain + 0.01 * (seed % 3 - 1)}
        for agent, gain in gains.items()
        for seed in range(6)
    ]


@pytest.mark.parametrize(("shift", "failing"), [(0, 0), (0.04, 0), (0.1, 6), (0.3, 8)])
def test_trained_agents_that_gain_more_than_the_margin_break_the_claim(shift, failing):
    clauses = module._clauses(made_up(shift))
    broken = [row["clause"] for row in clauses if not row["holds"]]
    assert len(clauses) == 11
    assert len(broken) == failing
    assert all("PPO" in clause or "cloned" in clause for clause in broken)


def test_the_figures_are_drawn(rows):
    every = [row for own in rows.values() for row in own]
    figures = module.draw(module.analyse(every))
    assert set(figures) == {"", "map"}
    assert len(figures[""].axes) == 6
    assert len(figures["map"].axes) == 2 * len(module.SHOWN) + 2
