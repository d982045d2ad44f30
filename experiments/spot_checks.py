"""What does a guard lose that looks at some of the steps only?

Suspects play 100 shifted levels under ``proxylab guard --watch``: the trigger ``departure`` is
asked at a random share of the steps, at the threshold at which a new honest agent ever gets help
with probability 0.05 at most, set with the same share. *Kept* is the true return over that of the
trusted agent on the same levels. A guard's cost falls with the share (``proxylab bench guard``).
"""

from typing import Any

import numpy as np
from matplotlib.figure import Figure

from proxylab.agents.zoo import shipped
from proxylab.guard.episodes import Guard
from proxylab.plots.style import MEANINGS, as_percent, new_figure, styled
from proxylab.reproduce.experiment import Point
from proxylab.reproduce.guarded import guard_means, guard_row, stage_of
from proxylab.reproduce.measure import grouped
from proxylab.rollouts.rollout import Policy

CLAIM = (
    "A guard that looks at one step in ten keeps most of the true return where gaming can be "
    "undone, and less where it cannot"
)
KINDS = ("proxy", "fresh")
COLOURS = {"proxy": MEANINGS["proxy"], "fresh": MEANINGS["honest"]}
WATCH = (1.0, 0.3, 0.1, 0.03)

SWEEP: dict[str, dict[str, Any]] = {
    "smoke": {
        "tasks": ("maze-corner",),
        "forms": (False,),
        "watch": (1.0, 0.3),
        "suspects": 1,
        "measure": {"episodes": 8, "calibration": 19, "budgets": (), "triggers": ("departure",)},
    },
    "laptop": {
        "tasks": ("maze-corner", "tomato-watering"),
        "forms": (False, True),
        "watch": WATCH,
        "suspects": 20,
        "measure": {"episodes": 100, "calibration": 40, "budgets": (), "triggers": ("departure",)},
    },
    "paper": {
        "tasks": ("maze-corner", "tomato-watering", "boat-lagoon"),
        "forms": (False, True),
        "watch": WATCH,
        "suspects": 20,
        "measure": {"episodes": 500, "calibration": 97, "budgets": (), "triggers": ("departure",)},
    },
}


def points(settings: dict[str, Any]) -> list[Point]:
    return [
        Point(
            {"task": task, "irrecoverable": final, "watch": share, "kind": kind, "seed": number},
            agent=f"zoo:{task}/{kind}-{number:02d}",
        )
        for task in settings["tasks"]
        for final in settings["forms"]
        for share in settings["watch"]
        for kind in KINDS
        for number in range(min(settings["suspects"], len(shipped(task, kind))))
    ]


def measure(policy: Policy, point: Point, settings: dict[str, Any]) -> list[dict[str, Any]]:
    labels, share = point.labels, point.labels["watch"]
    measured = tuple(settings["measure"].items())
    stage = stage_of(labels["task"], labels["irrecoverable"], measured, share)
    references, rows = stage.deployment.references, []
    for (name, rate), threshold in stage.thresholds.items():
        guard = Guard(stage.triggers[name], threshold, references, watch=share, exact=False)
        played = stage.deployment.play(policy, guard)
        rows.append(guard_row(name, rate, played, stage.reference))
    return rows


BY = ("task", "irrecoverable", "kind", "watch")
VALUES = ("kept", "help_episodes", "help_steps", "delay", "lost_without_help")


def analyse(rows: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """Means over the suspects of a kind, with 95 % intervals over them."""
    return {"shares": guard_means(rows, BY, VALUES)}


@styled
def draw(tables: dict[str, list[dict[str, Any]]]) -> dict[str, Figure]:
    """Return kept over the share of steps, a panel for each task; dashed: irrecoverable."""
    rows = tables["shares"]
    tasks = list(dict.fromkeys(row["task"] for row in rows))
    figure = new_figure(3.4 * len(tasks) + 1.2, 3.2)
    panels = figure.subplots(1, len(tasks), squeeze=False, sharey=True)[0]
    for axes, task in zip(panels, tasks, strict=True):
        own = [row for row in rows if row["task"] == task]
        for (final, kind), line in grouped(own, ("irrecoverable", "kind")).items():
            share, mean, low, high = (
                np.array([row[name] for row in line], float)
                for name in ("watch", "kept", "kept_low", "kept_high")
            )
            bars = np.maximum((mean - low, high - mean), 0)
            label = f"{kind}, irrecoverable" if final else kind
            look = {"fmt": "o--" if final else "o-", "color": COLOURS[kind]}
            axes.errorbar(share, mean, bars, label=label, ms=4, **look)
        shares = sorted({row["watch"] for row in own})
        axes.set_xscale("log")
        axes.set_xticks(shares, [f"{share:.0%}" for share in shares])
        axes.minorticks_off()
        axes.set_xlabel("steps that are looked at")
        axes.set_title(task)
    panels[0].set_ylabel("true return kept")
    panels[0].set_ylim(bottom=0)
    as_percent(panels[0].yaxis)
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside right center")
    return {"": figure}
