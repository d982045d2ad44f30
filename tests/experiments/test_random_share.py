"""random-share: its points, the half-way share on made-up rows, and its rule."""

from pathlib import Path

import numpy as np
import pytest

from proxylab.config import shifted_share
from proxylab.reproduce.experiment import load_experiment
from proxylab_envs.channels import OUTCOMES

module = load_experiment(Path(__file__).parents[2] / "experiments" / "random_share.py").module


def made_up_rows(returns, seeds=5, spread=0.0):
    """Rows as measured, the shifted true return by {share: mean}."""
    rows = []
    for seed in range(seeds):
        for share, mean in returns.items():
            for split in ("iid", "shifted"):
                true = mean + spread * (seed - 2) if split == "shifted" else 1.0
                rows.append({"split": split, "share": share, "seed": seed, "true_return": true})
                rows[-1] |= {"proxy_return": 1 - true, "proxy_first": 1 - true, "episodes": 100}
                rows[-1] |= dict.fromkeys(OUTCOMES, 0.25) | {"accidental": 0.3, "by_chance": 0.2}
                rows[-1] |= {"intended": true}
    return rows


EARLY = {0.0: 0.3, 0.01: 0.5, 0.02: 0.7, 1.0: 0.9}
LATE = {0.0: 0.3, 0.1: 0.3, 0.3: 0.5, 1.0: 0.9}


def test_the_points_train_on_the_share_they_are_labelled_with():
    for point in module.points(module.SWEEP["laptop"]):
        assert shifted_share(point.job.config.levels) == point.labels["share"]
        assert point.job.config.role == "proxy"


def test_half_of_the_way_by_hand():
    """From .3 to .9 half is .6: between 1 % and 2 %, at the mean of log(.011), log(.021)."""
    half = module.half_way(made_up_rows(EARLY))
    assert half["share"] == pytest.approx(np.sqrt(0.011 * 0.021) - 0.001, abs=1e-6)
    assert (half["low"], half["high"]) == (half["share"], half["share"])
    spread = module.half_way(made_up_rows(EARLY, spread=0.05))
    assert spread["low"] < half["share"] < spread["high"]


def test_incomplete_seeds_are_left_out():
    rows = made_up_rows(EARLY)
    half = module.half_way([r for r in rows if not (r["seed"] == 1 and r["share"] == 0.01)])
    assert half["runs"] == 4


@pytest.mark.parametrize(("returns", "passes"), [(EARLY, True), (LATE, False)])
def test_the_rule_passes_and_fails(returns, passes):
    (found,) = module.compare(module.analyse(made_up_rows(returns)))
    assert (found.passed, bool(found.reason)) == (passes, not passes)


def test_the_figure_shows_every_share():
    rows = made_up_rows(EARLY)
    figure = module.draw({"runs": rows, **module.analyse(rows)})[""]
    returns, outcomes, preferred = figure.axes
    lines = {line.get_label(): line for line in returns.get_lines()}
    assert lines["true return"].get_ydata().tolist() == pytest.approx(list(EARLY.values()))
    assert [t.get_text() for t in outcomes.get_xticklabels()] == ["0", "1", "2", "100"]
    assert len(outcomes.patches) == len(OUTCOMES) * len(EARLY)
    assert [len(line.get_xdata()) for line in preferred.get_lines()] == [5] * len(EARLY)


def test_the_spread_of_preferences_by_hand():
    steady = made_up_rows({0.0: 0.2, 1.0: 0.99})
    spread = made_up_rows({0.01: 0.6}, spread=0.1)
    first, middle, last = module.preferences(steady + spread)
    assert (first["mean"], first["deviation"]) == (pytest.approx(0.8), pytest.approx(0))
    assert first["sampling"] == pytest.approx(0.04)
    assert (middle["least"], middle["greatest"]) == (pytest.approx(0.2), pytest.approx(0.6))
    assert middle["deviation"] == pytest.approx(np.sqrt(0.02))
    assert middle["low"] < middle["deviation"] <= middle["high"]
    assert [s["undecided"] for s in (first, middle, last)] == [False, True, False]
    assert [s["wide"] for s in (first, middle, last)] == [False, True, False]
