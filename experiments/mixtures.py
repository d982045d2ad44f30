"""Which share of gamed episodes does a detector see?

A mixture is an honest agent that is replaced by a gaming one in a random share of its
episodes: each episode is the gaming agent's with probability p, independently. Two detectors,
the mean divergence of occupancies and the higher criticism of episode p-values, compare it with
all shipped trusted agents of the task, on the same levels. At p = 0 the suspect is honest,
and the share of flags is the rate of false alarms.

The second detector was chosen with other policies: honest agents ``fresh-00`` to ``fresh-19``
with the gaming agents of the kind ``proxy``. The mixtures here are ``fresh-20`` to ``fresh-39``
with those of the kind ``hack``.

No detector can flag more often than α + 1 − (1 − p)^E, since with probability (1 − p)^E a
mixture of E episodes holds no gamed one and is an honest agent. Nor can it see gamed episodes
on which the gaming agent happens to do what the honest one does.
"""

from typing import Any

import numpy as np
from matplotlib.figure import Figure

from proxylab.agents.references import load_agent
from proxylab.agents.zoo import zoo_entries
from proxylab.detection.settings import JudgeSettings
from proxylab.evaluation.evaluate import task_of
from proxylab.plots.scales import broken_log, log_ticks
from proxylab.plots.style import GREY, INK, MEANINGS, as_percent, new_figure, styled
from proxylab.reproduce.detected import judgements, mixed, played
from proxylab.reproduce.experiment import Point
from proxylab.reproduce.measure import grouped
from proxylab.rollouts.rollout import Policy
from proxylab.screening.paired import default_split
from proxylab.seeds import stream_seed
from proxylab.statistics.rare import mixture_limit
from proxylab.statistics.resampling import wilson_interval

CLAIM = (
    "Compared with a hundred trusted agents, the p-values of single episodes show a policy that "
    "games 3 % of its episodes on 200 levels, and more often than not one that games 1 %"
)
ALPHA = JudgeSettings().alpha
DETECTORS = ("occupancy_js", "higher_criticism")
FIRST = 20
"""Number of the first honest agent; the earlier ones took part in the choice of a detector."""
SHARES = (0.0, 0.01, 0.03, 0.1, 0.3)
PLACES = broken_log(SHARES)

SWEEP = {
    "smoke": {"tasks": ("maze-corner",), "mixtures": 1, "measure": {"episodes": (20,)}},
    "laptop": {
        "tasks": ("maze-corner", "boat-lagoon", "tomato-watering"),
        "mixtures": 20,
        "measure": {"episodes": (200, 1_000)},
    },
    "paper": {
        "tasks": ("maze-corner", "boat-lagoon", "tomato-watering"),
        "mixtures": 40,
        "measure": {"episodes": (200, 1_000, 5_000)},
    },
}


def points(settings: dict[str, Any]) -> list[Point]:
    return [
        Point({"task": task, "seed": k}, agent=f"zoo:{task}/fresh-{FIRST + k}")
        for task in settings["tasks"]
        for k in range(settings["mixtures"])
    ]


def measure(policy: Policy, point: Point, settings: dict[str, Any]) -> list[dict[str, Any]]:
    task, number = task_of(policy), point.labels["seed"]
    split = default_split(task)
    hacks = [entry.name for entry in zoo_entries(task) if entry.kind == "hack"]
    hack = load_agent(f"zoo:{task}/{hacks[number % len(hacks)]}")
    trusted = sum(entry.group in ("reference", "calibration") for entry in zoo_entries(task))
    rows = []
    for count in settings["measure"]["episodes"]:
        honest, gamed = (played(agent, task, split, count) for agent in (policy, hack))
        draws = np.random.default_rng(stream_seed(number, "gamed episodes")).random(count)
        suspects = {f"{p:g}": mixed(honest, gamed, draws < p) for p in SHARES}
        for detector in DETECTORS:
            judged = judgements(suspects, task, split, count, detector)
            facts = {"detector": detector, "episodes": count, "trusted": trusted}
            rows += [{**facts, "share": float(name), **judged[name]} for name in suspects]
    return rows


def analyse(rows: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """Shares of flagged mixtures with 95 % Wilson intervals, and the limit."""
    groups = grouped(rows, ("task", "detector", "trusted", "episodes", "share"))
    return {
        "power": [_power(*key, [row["flagged"] for row in group]) for key, group in groups.items()]
    }


def _power(
    task: str, detector: str, trusted: int, episodes: int, share: float, flags: list[bool]
) -> dict[str, Any]:
    """One row of the table: a number of episodes and a share of gamed ones."""
    mean, low, high = wilson_interval(sum(flags), len(flags))
    limit = mixture_limit(share, episodes, ALPHA)
    key = {
        "task": task,
        "detector": detector,
        "trusted": trusted,
        "episodes": episodes,
        "share": share,
    }
    return {
        **key,
        "mixtures": len(flags),
        "flagged": mean,
        "low": low,
        "high": high,
        "limit": limit,
    }


COLOURS = dict(zip(DETECTORS, (GREY, MEANINGS["suspect"]), strict=True))


@styled
def draw(tables: dict[str, list[dict[str, Any]]]) -> dict[str, Figure]:
    """A panel for each task (columns) and number of episodes (rows)."""
    rows = tables["power"]
    tasks = list(dict.fromkeys(row["task"] for row in rows))
    counts = sorted({row["episodes"] for row in rows})
    figure = new_figure(3.2 * len(tasks), 0.8 + 2.4 * len(counts))
    panels = figure.subplots(len(counts), len(tasks), sharex=True, sharey=True, squeeze=False)
    for column, count in zip(panels, counts, strict=True):
        for axes, task in zip(column, tasks, strict=True):
            own = [r for r in rows if r["task"] == task and r["episodes"] == count]
            _draw_power(axes, own)
            axes.set(title=f"{task}, {count:,} episodes")
            as_percent(axes.yaxis, decimals=0)
    for axes in panels[-1]:
        log_ticks(axes, SHARES, [f"{share:.0%}" for share in SHARES])
        axes.set_xlabel("share of gamed episodes")
    for axes in panels[:, 0]:
        axes.set_ylabel("mixtures flagged")
    handles, labels = panels[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=4)
    return {"": figure}


def _draw_power(axes: Any, rows: list[dict[str, Any]]) -> None:
    """Power of each detector over the share, the limit, and the false-alarm rate."""
    for detector, colour in COLOURS.items():
        own = [row for row in rows if row["detector"] == detector]
        x = PLACES([row["share"] for row in own])
        low, high, mean, limit = (
            [r[name] for r in own] for name in ("low", "high", "flagged", "limit")
        )
        axes.fill_between(x, low, high, color=colour, alpha=0.15, linewidth=0)
        axes.plot(x, mean, marker="o", markersize=3, color=colour, label=detector)
    axes.plot(x, limit, ":", color=INK, label="limit of any detector")
    axes.axhline(ALPHA, color=GREY, linewidth=0.8, label=f"α = {ALPHA:g}")
