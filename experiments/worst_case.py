"""maze-corner: do agents that look perfect on random levels have a hole that a search finds?

``proxylab search`` maximises the regret of trusted and of proxy agents: by random levels, by
prioritised ones (ACCEL's buffer) and by MAP-Elites, with equal budgets; within the shifted levels
(no openings) and beyond them (up to three walls opened, which no level of the generator has).
The optimal script must have no regret anywhere.

*Hole*: a level on which an agent does not reach the cheese. Actions are drawn, so each level is
played a second time with other draws; *repeated* is the share of the worst levels (one in each cell
of steps from mouse to cheese and from cheese to corner) on which it fails again.
"""

from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from proxylab.plots.style import CYCLE, as_percent, new_figure, styled
from proxylab.reproduce.experiment import Point
from proxylab.reproduce.measure import grouped, mean_columns
from proxylab.rollouts.rollout import Policy
from proxylab.search.methods import METHODS
from proxylab.search.run import REGRET, Judge, SearchSettings, search_levels
from proxylab.statistics.resampling import wilson_interval
from proxylab.tasks import TASKS
from proxylab_envs.maze_corner.level import MazeLevel
from proxylab_envs.maze_corner.search_space import MazeSpace

CLAIM = (
    "Every agent that looks perfect fails some level, beyond the generator's levels one in six; "
    "a search finds such levels hardly more often than random drawing does"
)
TASK = "maze-corner"
FAILED = 0.5
"""Regret from which a level counts as failed; it is 0 or 1 in mazes."""

SWEEP: dict[str, dict[str, Any]] = {
    "smoke": {"kinds": ("trusted", "optimal"), "agents": 1, "measure": {"budget": 256, "worst": 8}},
    "laptop": {
        "kinds": ("trusted", "proxy", "optimal"),
        "agents": 20,
        "measure": {"budget": 10_240, "worst": 50},
    },
    "paper": {
        "kinds": ("trusted", "proxy", "optimal"),
        "agents": 20,
        "measure": {"budget": 102_400, "worst": 100},
    },
}


def points(settings: dict[str, Any]) -> list[Point]:
    runs = []
    for kind in settings["kinds"]:
        for number in range(1 if kind == "optimal" else settings["agents"]):
            reference = f"zoo:{TASK}/{kind}-{number:02d}"
            agent = f"script:{TASK}/optimal" if kind == "optimal" else reference
            runs.append(Point({"kind": kind, "seed": number}, agent=agent))
    return runs


def measure(policy: Policy, point: Point, settings: dict[str, Any]) -> list[dict[str, Any]]:
    budget, worst = (settings["measure"][name] for name in ("budget", "worst"))
    rows = []
    for openings in (0, 3):
        for method in METHODS:
            options = {"method": method, "budget": budget, "edits": openings, "worst": worst}
            found = search_levels(policy, settings=SearchSettings(seed=1, **options))
            failed = [level for level in found.worst if level.score >= FAILED]
            rows.append(
                {
                    "openings": openings,
                    "method": method,
                    "mean": found.mean,
                    "hole": bool(failed),
                    "failed_cells": len(failed),
                    "repeated": _repeated(policy, [level.text for level in failed]),
                    "levels_per_second": found.levels_per_second,
                }
            )
    return rows


def _repeated(policy: Policy, texts: list[str]) -> float | None:
    """Share of levels on which the agent fails again with other draws; None without levels."""
    if not texts:
        return None
    levels = [MazeLevel.from_ascii(text) for text in texts]
    space = MazeSpace(TASKS[TASK].make_env(len(levels)))
    again = Judge(space, policy, None, REGRET, seed=2).scores(levels)
    return float((again >= FAILED).mean())


BY = ("kind", "openings", "method")


def analyse(rows: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """Share of agents with a hole, failed levels of all, and how many failures repeat."""
    table = []
    for key, group in grouped(rows, BY).items():
        row: dict[str, Any] = dict(zip(BY, key, strict=True)) | {"agents": len(group)}
        share, low, high = wilson_interval(sum(r["hole"] for r in group), len(group))
        row |= {"hole": share, "hole_low": low, "hole_high": high}
        table.append(row | mean_columns(group, ("mean", "failed_cells", "repeated")))
    return {"holes": table}


@styled
def draw(tables: dict[str, list[dict[str, Any]]]) -> dict[str, Figure]:
    """Share of all searched levels that an agent fails, by method and kind."""
    rows = [row for row in tables["holes"] if row["kind"] != "optimal"]
    kinds = list(dict.fromkeys(row["kind"] for row in rows))
    figure = new_figure(3.4 * len(kinds) + 1.4, 3.2)
    panels = figure.subplots(1, len(kinds), squeeze=False)[0]
    for axes, kind in zip(panels, kinds, strict=True):
        for k, method in enumerate(METHODS):
            own = [r for r in rows if (r["kind"], r["method"]) == (kind, method)]
            x = np.arange(len(own)) + 0.15 * (k - 1)
            mean, low, high = (
                np.array([r[n] for r in own]) for n in ("mean", "mean_low", "mean_high")
            )
            bars = np.maximum((mean - low, high - mean), 0)
            axes.errorbar(x, mean, bars, fmt="o", ms=5, color=CYCLE[k], label=method)
        opened = [f"up to {r['openings']} walls" if r["openings"] else "no wall" for r in own]
        axes.set_xticks(range(len(own)), [f"{walls} opened" for walls in opened])
        axes.set(title=f"{kind} agents", xlim=(-0.5, len(own) - 0.5))
        axes.set_ylim(bottom=0)
        axes.yaxis.set_major_locator(MaxNLocator(steps=[1, 2, 5, 10]))
        as_percent(axes.yaxis)
    panels[0].set_ylabel("levels failed")
    panels[-1].legend()
    return {"": figure}
