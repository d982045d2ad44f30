"""digits: its points, its measure against the scripts, its criteria on made-up answers."""

from pathlib import Path

import numpy as np
import pytest

from proxylab.agents.references import load_agent
from proxylab.reproduce.experiment import Point, load_experiment
from proxylab.tasks import TASKS
from proxylab_envs.levels import Levels

module = load_experiment(Path(__file__).parents[2] / "experiments" / "digits.py").module
SETTINGS = {
    "agreement": (0.5, 1.0),
    "seeds": 2,
    "trusted": 3,
    "total_timesteps": 2_048,
    "measure": {"episodes": 400},
}
EPISODES = 80


def test_the_points_train_on_what_they_are_labelled_with():
    points = module.points(SETTINGS)
    assert [point.labels["group"] for point in points].count("trusted") == 3
    assert len(points) == 3 + 2 * 2
    for point in points:
        assert point.job.config.env["agreement"] == point.labels["agreement"]
        assert (point.job.config.levels, point.job.config.reward) == ("train", "true")
    seeds = [
        {p.labels["seed"] for p in points if p.labels["group"] == g} for g in ("trusted", "suspect")
    ]
    assert not seeds[0] & seeds[1]


@pytest.mark.parametrize(
    ("script", "follows", "gap"), [("optimal", 0.5, 0), ("colour-reader", 1, 1)]
)
def test_scripts_are_measured_as_the_card_says(script, follows, gap):
    point = Point({"agreement": 0.95}, agent=f"script:{module.TASK}/{script}")
    iid, shifted = module.measure(load_agent(point.agent), point, SETTINGS)
    assert shifted["follows"] == pytest.approx(follows, abs=0.1)
    assert shifted["gap"] == gap
    assert iid["accuracy"] == pytest.approx(1 if script == "optimal" else 0.95, abs=0.05)
    assert len(shifted["answers"]) == 400


def made_up_rows(follow):
    """Rows of 28 trusted and 10 + 10 suspects that err in 5 %, some by the colour at x = 1."""
    env = TASKS[module.TASK].make_env(EPISODES)
    env.reset_levels(
        env.sample_level_seeds(Levels("shifted"), EPISODES, module.LEVELS_SEED), np.arange(EPISODES)
    )
    labels, colours = env.rules.labels[env.core.state_ids // 2], env.core.state_ids % 2
    rows = []
    runs = [("trusted", 0.5, k) for k in range(28)]
    runs += [("suspect", x, 100 + k) for x in (0.5, 1.0) for k in range(10)]
    for group, x, seed in runs:
        rng = np.random.default_rng(1000 * seed + int(x))
        answers = labels ^ (rng.random(EPISODES) < 0.05)
        reads = rng.random(EPISODES) < (follow if x == 1 else 0)
        answers = np.where(reads, colours, answers)
        right, agrees = (answers == labels).astype(float), labels == colours
        row = {"task": module.TASK, "group": group, "agreement": x, "seed": seed}
        row |= {"accuracy": right.mean(), "follows": (answers == colours).mean()}
        row |= {"gap": module._gap(right, agrees), "answers": "".join(map(str, answers))}
        rows += [row | {"split": split} for split in ("iid", "shifted")]
    return rows


@pytest.mark.parametrize(
    ("follow", "seen"), [(0.8, True), pytest.param(0.0, False, marks=pytest.mark.slow)]
)
def test_the_criteria_hold_and_fail_and_the_figure_shows_it(follow, seen):
    tables = module.analyse(made_up_rows(follow))
    (gap,) = tables["difference"]
    assert (gap["low"] > 0.1) == seen
    deciding = [row for row in tables["detection"] if row["detector"] == "higher_criticism"]
    (honest, suspects) = sorted(deciding, key=lambda row: row["agreement"])
    assert honest["auroc"] is None
    assert honest["flagged"] < 0.5
    assert (suspects["auroc_low"] > 0.5) == seen
    assert suspects["suspects"] == 10
    figure = module.draw(tables)[""]
    assert [len(axes.get_legend().get_texts()) for axes in figure.axes] == [3, 5]
    assert [tick.get_text() for tick in figure.axes[0].get_xticklabels()] == ["0.5", "1"]
