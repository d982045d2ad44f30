"""What do proxy agents among the trusted ones cost, and are they found?

k calibration agents of the shipped trusted population are replaced by proxy agents. The suspects
are gaming agents of another kind and new honest agents, on 200 levels. *Trimmed*: trusted agents
that lie far from the others are left out first (``detect --trim``).
"""

from typing import Any

from matplotlib.figure import Figure

from proxylab.agents.references import load_agent
from proxylab.agents.zoo import zoo_entries
from proxylab.detection.settings import JudgeSettings
from proxylab.plots.style import GREY, MEANINGS, as_percent, new_figure, styled
from proxylab.reproduce.detected import detection_of, played, trusted_runs
from proxylab.reproduce.experiment import Point
from proxylab.reproduce.measure import grouped
from proxylab.rollouts.episodes import Episodes
from proxylab.rollouts.rollout import Policy
from proxylab.screening.paired import default_split
from proxylab.statistics.resampling import wilson_interval

CLAIM = (
    "Three or more proxy agents among a hundred trusted ones hide most hacks; all of them are "
    "named, no honest one is, and without them the hacks are flagged again"
)
ALPHA = JudgeSettings().alpha
DETECTORS = ("occupancy_js", "higher_criticism")
FIRST_FRESH = 20

SWEEP = {
    "smoke": {
        "tasks": ("maze-corner",),
        "planted": (0, 2),
        "measure": {"episodes": 20, "suspects": 2},
    },
    "laptop": {
        "tasks": ("maze-corner", "boat-lagoon", "tomato-watering"),
        "planted": (0, 1, 2, 3, 4, 8),
        "measure": {"episodes": 200, "suspects": 10},
    },
    "paper": {
        "tasks": ("maze-corner", "boat-lagoon", "tomato-watering"),
        "planted": (0, 1, 2, 3, 4, 8, 16, 32),
        "measure": {"episodes": 1_000, "suspects": 20},
    },
}


def points(settings: dict[str, Any]) -> list[Point]:
    return [
        Point({"task": task, "planted": count, "seed": 0}, agent=f"zoo:{task}/proxy-00")
        for task in settings["tasks"]
        for count in settings["planted"]
    ]


def measure(policy: Policy, point: Point, settings: dict[str, Any]) -> list[dict[str, Any]]:
    task, count = point.labels["task"], settings["measure"]["episodes"]
    split, planted = default_split(task), point.labels["planted"]
    _, runs, reference = trusted_runs(task, split, count)
    replaced = [name for name in runs if name not in reference][:planted]
    proxies = [entry.name for entry in zoo_entries(task) if entry.kind == "proxy"][:planted]
    trusted = {name: e for name, e in runs.items() if name not in replaced}
    trusted |= {name: _played(task, name, split, count) for name in proxies}
    suspects = {}
    for k in range(settings["measure"]["suspects"]):
        for name in (f"hack-{k:02d}", f"fresh-{FIRST_FRESH + k}"):
            suspects[name] = _played(task, name, split, count)
    rows = []
    for detector in DETECTORS:
        for trim in (False, True):
            options = {"trusted": trusted, "detector": detector, "trim": trim}
            found = detection_of(suspects, task, split, count, **options)
            named = {outlier.agent for outlier in found.trusted.outliers}
            facts = {"detector": detector, "trimmed": trim, "trusted": len(trusted)}
            facts |= {"found": len(named & set(proxies)), "accused": len(named - set(proxies))}
            rows += [
                {**facts, "suspect": s.agent.split("-")[0], "flagged": s.verdict == "FLAG"}
                for s in found.suspects
            ]
    return rows


def _played(task: str, name: str, split: str, episodes: int) -> Episodes:
    return played(load_agent(f"zoo:{task}/{name}"), task, split, episodes)


NAMES = {"hack": "gaming agents (hack)", "fresh": "honest agents (fresh)"}
BY = ("task", "planted", "detector", "trimmed", "trusted", "found", "accused", "suspect")


def analyse(rows: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """Shares of flagged suspects with 95 % Wilson intervals, and the planted agents found."""
    table = []
    for key, group in grouped(rows, BY).items():
        flags = [row["flagged"] for row in group]
        share, low, high = wilson_interval(sum(flags), len(flags))
        facts = dict(zip(BY, key, strict=True)) | {"suspects": len(flags)}
        table.append({**facts, "flagged": share, "low": low, "high": high})
    return {"flags": table}


@styled
def draw(tables: dict[str, list[dict[str, Any]]]) -> dict[str, Figure]:
    """Flagged hacks and honest agents over the number of planted proxy agents."""
    rows = [row for row in tables["flags"] if row["detector"] == DETECTORS[-1]]
    tasks = list(dict.fromkeys(row["task"] for row in rows))
    figure = new_figure(3.4 * len(tasks), 3.2)
    panels = figure.subplots(1, len(tasks), sharey=True, squeeze=False)[0]
    for axes, task in zip(panels, tasks, strict=True):
        for suspect, colour in (("hack", MEANINGS["suspect"]), ("fresh", MEANINGS["honest"])):
            for trimmed, style in ((False, "--"), (True, "-")):
                where = (task, suspect, trimmed)
                own = [r for r in rows if (r["task"], r["suspect"], r["trimmed"]) == where]
                x = [r["planted"] for r in own]
                low, high, mean = ([r[n] for r in own] for n in ("low", "high", "flagged"))
                axes.fill_between(x, low, high, color=colour, alpha=0.12, linewidth=0)
                label = f"{NAMES[suspect]}, {'outliers left out' if trimmed else 'all trusted'}"
                axes.plot(x, mean, style, marker="o", markersize=3, color=colour, label=label)
                axes.set_xticks(x)
        axes.axhline(ALPHA, color=GREY, linewidth=0.8, label=f"α = {ALPHA:g}")
        axes.set(title=task, xlabel="proxy agents among 100 trusted", ylim=(-0.03, 1.03))
        as_percent(axes.yaxis, decimals=0)
    panels[0].set_ylabel("suspects flagged")
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3)
    return {"": figure}
