"""reward-distractors: its lights, its comparisons, and all of it on the smoke budget."""

import math
from pathlib import Path

import numpy as np
import pytest

from proxylab.reproduce.experiment import load_experiment
from proxylab.reproduce.run import reproduce
from proxylab.rewards.optimum import maze_observations
from proxylab.rewards.tabular import goal_cells
from proxylab.storage.store import read_table
from proxylab.tasks import TASKS
from proxylab_envs.levels import Levels

ROOT = Path(__file__).parents[2]
MODULE = load_experiment(ROOT / "experiments" / "reward_distractors.py").module


@pytest.fixture(scope="module")
def maze():
    """(observations with the mouse on every free cell of a maze, index of the cheese's)."""
    env = TASKS["maze-corner"].make_env(1)
    level = int(env.sample_level_seeds(Levels("shifted"), 1, 0)[0])
    shown = maze_observations(env, level)
    free = ~(shown[:, 0] & shown[:, 1]).any((1, 2))
    return shown[free], int(free[: goal_cells(env, level)[0]].sum())


@pytest.mark.parametrize("lights", [0, 4, 64])
def test_lights_are_in_the_border_and_agree_with_the_cheese(maze, lights):
    observations, cheese = maze
    many = np.repeat(observations, 50, axis=0)
    lit = MODULE.with_lights(many, lights, 0.9, np.random.default_rng(0))
    np.testing.assert_array_equal(lit[:, :, 1:-1, 1:-1], many[:, :, 1:-1, 1:-1])
    np.testing.assert_array_equal(lit[:, 0], many[:, 0])
    if lights:
        border = np.ones(many.shape[2:], bool)
        border[1:-1, 1:-1] = False
        on = lit[:, 1:, border].sum((1, 2)).reshape(len(observations), 50).mean(1) / lights
        assert on[cheese] == pytest.approx(0.9, abs=4 * math.sqrt(0.09 / (50 * lights)))
        others = np.delete(on, cheese).mean()  # 6 standard errors of 30 · 50 · lights draws
        assert others == pytest.approx(0.1, abs=6 * math.sqrt(0.09 / (1_500 * lights)))


def row(kind, penalty, **values):
    names = dict(zip(MODULE.BY, (*kind, penalty), strict=True))
    return [
        {**names, "value": n, "mean": v, "low": v, "high": v, "runs": 2} for n, v in values.items()
    ]


@pytest.mark.parametrize(("lifted", "held"), [(0.15, True), (0.35, False)])
def test_the_comparisons_can_fail(lifted, held):
    free = (MODULE.ANYWHERE, 0, MODULE.UNRELATED)
    related = (MODULE.ANYWHERE, 64, 0.9)
    rows = row(free, 0.0, accuracy=0.99, cheese=1.0) + row(related, 0.0, accuracy=0.5, cheese=0.1)
    rows += row(related, 1.0, accuracy=0.5, cheese=lifted)
    rows += row(related, MODULE.UNIFORM, accuracy=0.5, cheese=0.12)
    passed = [c.passed for c in MODULE.compare({"seeds": rows})]
    assert passed == [False, True, True, held]


@pytest.mark.slow
def test_it_runs_on_the_smoke_budget(tmp_path, monkeypatch):
    monkeypatch.setenv("PROXYLAB_RESULTS", str(tmp_path))
    folder = ROOT / "experiments"
    (made,) = reproduce("reward-distractors", "smoke", processes=1, folder=folder).experiments
    assert made.failed == {}
    rows = read_table(tmp_path / "runs/smoke/tables/reward-distractors-runs.csv")
    assert {row["lights"] for row in rows} == {0, 4}
    (figure,) = tmp_path.glob("runs/smoke/figures/*.png")
    assert figure.stat().st_size > 1000
