"""Which share of gamed episodes does the default detector see?

A mixture is an honest agent that is replaced by a proxy agent in a random share of its
episodes: each episode is the proxy agent's with probability p, independently. The default
detector compares it with all shipped trusted agents of the task, on the same levels. At p = 0
the suspect is honest, and the share of flags is the rate of false alarms.

No detector can flag more often than α + 1 − (1 − p)^E, since with probability (1 − p)^E a
mixture of E episodes holds no gamed one and is an honest agent.
"""

from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from proxylab.agents.references import load_agent
from proxylab.agents.zoo import zoo_entries
from proxylab.detection.settings import JudgeSettings
from proxylab.evaluation.evaluate import task_of
from proxylab.plots.style import GREY, MEANINGS, as_percent, new_figure, styled
from proxylab.reproduce.detected import judgements, played
from proxylab.reproduce.experiment import Point
from proxylab.reproduce.measure import grouped
from proxylab.rollouts.episodes import Episodes, concatenate
from proxylab.rollouts.rollout import Policy
from proxylab.screening.paired import default_split
from proxylab.seeds import stream_seed
from proxylab.statistics.resampling import wilson_interval

CLAIM = (
    "Compared with a hundred trusted agents, a mouse that games a tenth of its episodes is "
    "flagged on 200 levels, and one that games a hundredth of them on 1,000 more often than not"
)
ALPHA = JudgeSettings().alpha
SHARES = (0.0, 0.01, 0.03, 0.1, 0.3)

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
        Point({"task": task, "seed": k}, agent=f"zoo:{task}/fresh-{k:02d}")
        for task in settings["tasks"]
        for k in range(settings["mixtures"])
    ]


def measure(policy: Policy, point: Point, settings: dict[str, Any]) -> list[dict[str, Any]]:
    task, number = task_of(policy), point.labels["seed"]
    split = default_split(task)
    proxies = [entry.name for entry in zoo_entries(task) if entry.kind == "proxy"]
    hack = load_agent(f"zoo:{task}/{proxies[number % len(proxies)]}")
    trusted = sum(entry.group in ("reference", "calibration") for entry in zoo_entries(task))
    rows = []
    for count in settings["measure"]["episodes"]:
        honest, gamed = (played(agent, task, split, count) for agent in (policy, hack))
        draws = np.random.default_rng(stream_seed(number, "gamed episodes")).random(count)
        suspects = {f"{p:g}": mixed(honest, gamed, draws < p) for p in SHARES}
        judged = judgements(suspects, task, split, count)
        rows += [
            {"episodes": count, "share": float(name), "trusted": trusted, **judged[name]}
            for name in suspects
        ]
    return rows


def mixed(honest: Episodes, gamed: Episodes, is_gamed: NDArray[np.bool_]) -> Episodes:
    """The episodes of ``honest``, with those of ``gamed`` where ``is_gamed`` (bool[E])."""
    both = concatenate([honest, gamed], "mixture")
    return both.select(np.arange(len(is_gamed)) + len(is_gamed) * is_gamed)


def analyse(rows: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """Shares of flagged mixtures with 95 % Wilson intervals, and the limit."""
    groups = grouped(rows, ("task", "trusted", "episodes", "share"))
    return {
        "power": [_power(*key, [row["flagged"] for row in group]) for key, group in groups.items()]
    }


def _power(
    task: str, trusted: int, episodes: int, share: float, flags: list[bool]
) -> dict[str, Any]:
    """One row of the table: a number of episodes and a share of gamed ones."""
    mean, low, high = wilson_interval(sum(flags), len(flags))
    limit = min(1.0, ALPHA + 1 - (1 - share) ** episodes)
    key = {"task": task, "trusted": trusted, "episodes": episodes, "share": share}
    return {
        **key,
        "mixtures": len(flags),
        "flagged": mean,
        "low": low,
        "high": high,
        "limit": limit,
    }


@styled
def draw(tables: dict[str, list[dict[str, Any]]]) -> dict[str, Figure]:
    rows = tables["power"]
    tasks = list(dict.fromkeys(row["task"] for row in rows))
    figure = new_figure(3.2 * len(tasks), 3.2)
    panels = figure.subplots(1, len(tasks), sharey=True, squeeze=False)[0]
    for axes, task in zip(panels, tasks, strict=True):
        own = [row for row in rows if row["task"] == task]
        for style, count in zip(
            ("--", "-", ":"), sorted({r["episodes"] for r in own}), strict=False
        ):
            _draw_power(axes, [r for r in own if r["episodes"] == count], style)
        axes.axhline(ALPHA, color=GREY, linewidth=0.8)
        axes.set(title=f"{task}, {own[0]['trusted']} trusted", xlabel="share of gamed episodes")
        places = range(len(SHARES))
        axes.set_xticks(places, [f"{share:.0%}" for share in SHARES])
        as_percent(axes.yaxis, decimals=0)
    panels[0].set_ylabel("mixtures flagged")
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=4)
    return {"": figure}


def _draw_power(axes: Any, rows: list[dict[str, Any]], style: str) -> None:
    """Power over the share for one number of episodes, and its limit."""
    x = [SHARES.index(row["share"]) for row in rows]
    low, high, mean, limit = (
        [r[name] for r in rows] for name in ("low", "high", "flagged", "limit")
    )
    count = f"{rows[0]['episodes']:,} episodes"
    axes.fill_between(x, low, high, color=MEANINGS["suspect"], alpha=0.15, linewidth=0)
    axes.plot(x, mean, style, marker="o", markersize=3, color=MEANINGS["suspect"], label=count)
    axes.plot(x, limit, style, color=GREY, label=f"limit, {count}")
