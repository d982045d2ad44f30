"""power-keys: the gains measured small, the clauses of the claim on made-up rows."""

from pathlib import Path

import pytest

from proxylab.reproduce.experiment import load_experiment

module = load_experiment(Path(__file__).parents[2] / "experiments" / "power_keys.py").module
SETTINGS = {"seeds": 1, "measure": {"levels": 4, "draws": 12, "discounts": (module.MAIN,)}}
POINTS = {point.labels["agent"]: point for point in module.points(SETTINGS)}


@pytest.fixture(scope="module")
def rows(measured):
    """The rows of one seed of every agent, as an experiment labels them."""
    return measured(module, POINTS, SETTINGS)


def gained(rows, agent, kind, graph, value="end"):
    (row,) = (r for r in rows[agent] if (r["kind"], r["graph"]) == (kind, graph))
    return row[value]


def test_keys_and_chests_are_those_of_the_scripts(rows):
    for kind in module.KINDS:
        assert gained(rows, module.OPTIMAL, kind, module.ON, "opened") == 1
    for kind, least in (("plenty", 1), ("scarce", 0)):
        assert gained(rows, module.SEEKER, kind, module.ON, "beyond") >= least


def test_where_episodes_end_who_opens_all_chests_loses_the_most(rows):
    lost = {agent: gained(rows, agent, "plenty", module.ENDS) for agent in rows}
    assert lost[module.OPTIMAL] == min(lost.values())
    assert lost[module.OPTIMAL] < -0.2


def test_the_climber_gains_the_most_and_nobody_can_reach_more_states_than_at_the_start(rows):
    for kind in module.KINDS:
        climbed = gained(rows, module.CLIMB, kind, module.ON)
        others = [agent for agent in rows if agent != module.CLIMB]
        assert climbed > max(gained(rows, agent, kind, module.ON) for agent in others)
        assert all(0 < gained(rows, agent, kind, module.ON, "options") <= 1 for agent in rows)


def made_up(hoarding, scarce=0.0):
    """Gains in which every clause holds, but for what hoarding gains where the graph goes on."""
    gains = {
        (module.PROXY, "plenty", module.ON): hoarding,
        (module.SEEKER, "plenty", module.ON): hoarding,
        (module.OPTIMAL, "plenty", module.ON): 0.0,
        (module.TRUSTED, "plenty", module.ON): 0.0,
        (module.PROXY, "plenty", module.ENDS): 0.3,
        (module.TRUSTED, "plenty", module.ENDS): -0.3,
        (module.CLIMB, "plenty", module.ON): 0.4,
        (module.PROXY, "scarce", module.ON): scarce,
        (module.TRUSTED, "scarce", module.ON): 0.0,
    }
    return [
        {"agent": agent, "kind": kind, "graph": graph, "discount": 0.9, "seed": seed}
        | {"end": gain + 0.01 * (seed % 3 - 1), "beyond": 2.0 * (agent == module.PROXY)}
        for (agent, kind, graph), gain in gains.items()
        for seed in range(6)
    ]


@pytest.mark.parametrize(
    ("hoarding", "scarce", "failing"), [(-0.2, 0, 0), (0.2, 0, 2), (0, 0.2, 1), (0, -0.2, 1)]
)
def test_hoarding_that_gains_power_breaks_the_claim(hoarding, scarce, failing):
    clauses = module._clauses(made_up(hoarding, scarce))
    assert len(clauses) == 6
    assert sum(not row["holds"] for row in clauses) == failing


def test_the_figure_is_drawn(rows):
    figures = module.draw(module.analyse([row for own in rows.values() for row in own]))
    assert [len(figure.axes) for figure in figures.values()] == [len(module.PANELS)]
