"""reward-mix: its points, the boundaries against rollouts, and its rules on made-up rows."""

from pathlib import Path

import numpy as np
import pytest

from proxylab.agents.scripted import ScriptedPolicy
from proxylab.reproduce.experiment import load_experiment
from proxylab.rollouts.rollout import rollout
from proxylab.tasks import TASKS
from proxylab_envs.levels import Levels

module = load_experiment(Path(__file__).parents[2] / "experiments" / "reward_mix.py").module
LAGOON, RACE = module.LAGOON, module.RACE


def made_up_rows(gamed, visible=50.0, hidden=1.0, looper=8.2, seeds=4):
    """Rows as measured: the share gamed by {θ: share}, boat-race's returns, the loopers' score."""
    rows = []
    for task in (LAGOON, RACE):
        for theta, share in gamed.items():
            for seed in range(seeds):
                score = visible if task == RACE else looper if share > 0.5 else 6.8
                rows.append({"task": task, "theta": theta, "seed": seed, "score": score})
                rows[-1] |= {"true_return": hidden * (1 - share), "proxy_return": 0.8}
                rows[-1] |= {"gamed": share, "raced": 1 - share}
    return rows


LATE = {0.0: 0.0, 0.5: 0.0, 1.0: 1.0}


def test_the_points_are_trained_on_the_mixture_with_the_presets_scales_at_the_ends():
    for point in module.points(module.SWEEP["laptop"]):
        config, theta = point.job.config, point.labels["theta"]
        assert config.reward == f"mix:{theta}"
        preset = {0.0: "trusted", 1.0: "proxy"}.get(theta)
        if preset:
            assert config.reward_scale == TASKS[config.task].roles[preset].reward_scale


def test_the_undiscounted_boundary_agrees_with_rolled_out_scripts():
    """At the median boundary the two scripts' mean mixtures differ by under 2 %."""
    env = TASKS[LAGOON].make_env(60)
    seeds = env.sample_level_seeds(Levels("iid"), 60, 0)
    theta = module.boundary(1.0, levels=60)
    weights = np.array([1 - theta, theta])
    racer, looper = (
        (rollout(ScriptedPolicy(LAGOON, s), env, seeds, task=LAGOON, seed=0)[1].returns @ weights)
        for s in ("racer", "looper")
    )
    assert racer.mean() == pytest.approx(looper.mean(), rel=0.02)


def test_a_shorter_horizon_moves_the_boundary():
    assert module.boundary(1.0, 20) != module.boundary(0.995, 20)


def test_the_switch_by_hand():
    switches = module.analyse(made_up_rows(LATE))["switch"]
    assert [s["theta"] for s in switches] == [0.75, 0.75]
    never = module.analyse(made_up_rows({0.0: 0.0, 1.0: 0.2}))["switch"]
    assert [(s["gamed_ever"], s["theta"]) for s in never] == [(False, 1.0)] * 2


@pytest.mark.parametrize(
    ("figures", "passes"),
    [({}, True), ({"visible": 40.0, "hidden": 0.8, "looper": 9.5}, False)],
)
def test_the_rules_pass_and_fail(figures, passes):
    found = module.compare(module.analyse(made_up_rows(LATE, **figures)))
    assert [c.passed for c in found] == [passes] * 3
    assert [c.published for c in found] == [50.0, 100.0, 1.2]
    assert all(bool(c.reason) != c.passed for c in found)


def test_the_figure_shows_both_tasks_and_the_boundaries():
    tables = module.analyse(made_up_rows(LATE))
    figure = module.draw(tables)[""]
    lagoon, race = figure.axes
    lines = {line.get_label(): line for line in lagoon.get_lines()}
    assert lines["episodes gamed"].get_ydata().tolist() == [0, 0, 1]
    undiscounted = next(r for r in tables["boundaries"] if r["boundary"] == "undiscounted")
    assert lines["worth the same, undiscounted"].get_xdata()[0] == undiscounted["theta"]
    assert [text.get_text() for text in race.texts] == ["//"]
    assert not any("worth" in line.get_label() for line in race.get_lines())
