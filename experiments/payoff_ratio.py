"""boat-lagoon: at which payoff ratio do agents trained on the score stop racing?

The payoff ratio is the score of the reference looper divided by that of the reference racer.
Agents start from random weights, or from those of an agent that races. The figure also shows
two analytic boundaries, at which looping and racing have equal value: undiscounted (1 by
construction), and at the training discount.
"""

from typing import Any

import numpy as np
from matplotlib.figure import Figure

from proxylab.plots.style import INK, MEANINGS, as_percent, new_figure, styled
from proxylab.reproduce.experiment import Point, grid
from proxylab.reproduce.measure import curve, outcome_rows, over_seeds
from proxylab.rollouts.rollout import Policy
from proxylab.tasks import TASKS
from proxylab_envs.boat_lagoon.solver import switch_ratio
from proxylab_envs.levels import Levels

CLAIM = (
    "Trained on the score, a boat keeps the strategy that it finds first: from random weights it "
    "loops, from a racer's weights it races, on both sides of the payoff ratio at which the two "
    "have equal value"
)
TASK = "boat-lagoon"
STARTS = ("random", "racer")
CAREFUL = {"learning_rate": 3e-4, "ent_coef": 0.01}
"""For a racer's weights; the preset's rate destroys them before the value head has learnt."""

SWEEP = {
    "smoke": {
        "ratios": (0.5, 1.5),
        "seeds": 1,
        "total_timesteps": 8_192,
        "measure": {"episodes": 20},
    },
    "laptop": {
        "ratios": (0.25, 0.5, 0.75, 1.0, 1.1, 1.25, 1.5),
        "seeds": 5,
        "total_timesteps": None,
        "measure": {"episodes": 100},
    },
    "paper": {
        "ratios": tuple(np.round(np.arange(0.2, 2.01, 0.1), 1).tolist()),
        "seeds": 20,
        "total_timesteps": None,
        "measure": {"episodes": 500},
    },
}


def points(settings: dict[str, Any]) -> list[Point]:
    runs = []
    for ratio in settings["ratios"]:
        for k in range(settings["seeds"]):
            shared = {"env": {"payoff_ratio": ratio}}
            shared |= {"total_timesteps": settings["total_timesteps"]}
            labels = {"payoff_ratio": ratio}
            runs += grid(TASK, "proxy", [3000 + k], {**labels, "start": "random"}, **shared)
            racer = {"ppo": CAREFUL, "start_from": f"zoo:{TASK}/trusted-{k:02d}"}
            runs += grid(TASK, "proxy", [3000 + k], {**labels, "start": "racer"}, **shared, **racer)
    return runs


def measure(policy: Policy, point: Point, settings: dict[str, Any]) -> list[dict[str, Any]]:
    rows = outcome_rows(policy, ("iid",), **settings["measure"])
    return [
        {**row, "finished": row["intended"] + row["both"], "looped": row["proxy"] + row["both"]}
        for row in rows
    ]


def analyse(rows: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    gamma = TASKS[TASK].ppo.gamma
    lines = [
        {"boundary": "undiscounted", "payoff_ratio": boundary(1.0)},
        {"boundary": f"gamma {gamma}", "payoff_ratio": boundary(gamma)},
    ]
    by = ("start", "payoff_ratio")
    return {"seeds": over_seeds(rows, by, ("finished", "looped", "score")), "boundaries": lines}


def boundary(gamma: float, levels: int = 200) -> float:
    """Median over courses of the payoff ratio with equal returns of looping and racing."""
    env = TASKS[TASK].make_env(1)
    courses = [env.level(seed) for seed in env.sample_level_seeds(Levels("iid"), levels, 0)]
    respawn = env.config.respawn_steps
    ratios = [switch_ratio(np.array(c.centre), c.lagoon, respawn, gamma) for c in courses]
    return float(np.median(ratios))


@styled
def draw(tables: dict[str, list[dict[str, Any]]]) -> dict[str, Figure]:
    figure = new_figure(8.4, 3.9)
    panels = figure.subplots(1, 2, sharey=True)
    for axes, start in zip(panels, STARTS, strict=True):
        for name, colour in (("finished", MEANINGS["intended"]), ("looped", MEANINGS["proxy"])):
            x, mean, low, high = curve(tables["seeds"], "payoff_ratio", name, start=start)
            axes.fill_between(x, low, high, color=colour, alpha=0.2, linewidth=0)
            axes.plot(x, mean, "o-", color=colour, label=f"races {name}")
        for row, style in zip(tables["boundaries"], ("--", ":"), strict=True):
            label = f"worth the same, {row['boundary']}"
            axes.axvline(
                row["payoff_ratio"], color=INK, linestyle=style, linewidth=1.2, label=label
            )
        axes.set(xlabel="payoff ratio, looper over racer", title=f"from {start} weights")
    panels[0].set(ylabel="share of held-out races", ylim=(-0.03, 1.03))
    panels[0].set_title("trained from random weights")
    panels[1].set_title("trained from a racer's weights")
    as_percent(panels[0].yaxis)
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=4)
    return {"": figure}
