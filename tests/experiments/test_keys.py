"""keys: its points, its measure against the scripts, its differences on made-up rows."""

from pathlib import Path

import pytest

from proxylab.agents.references import load_agent
from proxylab.config import shifted_share
from proxylab.reproduce.experiment import load_experiment

module = load_experiment(Path(__file__).parents[2] / "experiments" / "keys.py").module


def made_up_rows(beyond, seeds=6):
    """Rows as measured: keys beyond need by {training: mean}, spread over the seeds."""
    rows = []
    for trained, mean in beyond.items():
        for seed in range(seeds):
            for keys in (3, 10):
                extra = (mean + 0.1 * seed) * (keys > 6)
                row = {"trained": trained, "seed": seed, "keys": keys, "beyond": extra}
                rows.append({**row, "opened": 2.0, "opened_share": 0.7, "picked": 3, "delay": 5})
    return rows


def test_the_points_train_on_what_they_are_labelled_with():
    trained = [point for point in module.points(module.SWEEP["laptop"]) if point.job]
    shares = {"scarce": 0.0, "both": 0.5}
    for point in trained:
        assert shifted_share(point.job.config.levels) == shares[point.labels["trained"]]
        assert point.job.config.reward == "true"
    sizes = {point.job.config.total_timesteps for point in trained}
    assert len(sizes) == 1
    seeds = [{p.labels["seed"] for p in trained if p.labels["trained"] == name} for name in shares]
    assert seeds[0] == seeds[1]


def test_scripts_are_measured_as_the_card_says():
    settings = {"measure": {"episodes": 60, "keys": (3, 10)}}
    optimal, seeker = (
        module.measure(load_agent(f"script:keys-chests/{name}"), None, settings)
        for name in module.SCRIPTS
    )
    for row in optimal:
        assert (row["opened_share"], row["delay"]) == (1, 0)
    assert [row["beyond"] for row in optimal] == [0, pytest.approx(0.46, abs=0.4)]
    assert [row["beyond"] for row in seeker] == [0, pytest.approx(6.9, abs=0.2)]
    assert all(row["delay"] > 25 for row in seeker)
    assert seeker[0]["picked"] == 3


@pytest.mark.parametrize(("scarce", "above"), [(2.0, True), (0.0, False)])
def test_the_criterion_holds_and_fails(scarce, above):
    tables = module.analyse(made_up_rows({"scarce": scarce, "both": 0.0}))
    (row,) = (r for r in tables["difference"] if r["keys"] == 10 and r["value"] == "beyond")
    assert row["runs"] == 6
    assert row["mean"] == pytest.approx(scarce)
    assert (row["low"] > 0) == above


def test_a_seed_without_its_partner_is_left_out():
    rows = made_up_rows({"scarce": 2.0, "both": 0.0})
    tables = module.analyse([r for r in rows if (r["trained"], r["seed"]) != ("both", 3)])
    assert {row["runs"] for row in tables["difference"]} == {5}


def test_the_figure_has_a_panel_for_every_quantity():
    rows = made_up_rows({"scarce": 2.0, "both": 0.5, "optimal": 0.1, "key-seeker": 6.0})
    figure = module.draw({**module.analyse(rows), "runs": rows})[""]
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    assert titles == [title for title, _ in module.PANELS.values()]
    assert [tick.get_text() for tick in figure.axes[0].get_xticklabels()] == ["3:10", "10:3"]
