"""maze-corner: preference and capability of a hundred agents that differ only in the seed.

The agents are clones of the shortest paths, trained with the cheese in the corner (network
``conv``); PPO takes five times as long.

Capability: the share of held-out training-like levels on which the cheese is reached.
Preference: of the levels with the cheese anywhere on which a goal is reached, the share on which
the corner is reached first; a scripted corner-seeker reaches the cheese first on a third.
Outliers have a modified z-score, 0.6745 (x - median)/MAD, beyond 3.5 in one of the two
(Iglewicz and Hoaglin 1993).
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MultipleLocator
from numpy.typing import NDArray

from proxylab.plots.style import GREY, INK, MEANINGS, as_percent, new_figure, styled
from proxylab.reproduce.experiment import Point, PublishedComparison, grid
from proxylab.reproduce.measure import outcome_rows
from proxylab.rollouts.rollout import Policy
from proxylab.statistics.resampling import bootstrap_interval, wilson_interval

CLAIM = (
    "Agents that differ only in the seed have equal capability and differ in how strongly they "
    "prefer the corner; a few are outliers"
)
TASK = "maze-corner"
BEYOND = 3.5
PUBLISHED = {
    "least preference": (0.22, "colour/shape, 100 seeds, read off a plot; arXiv 2312.03762"),
    "greatest preference": (0.75, "colour/shape, 100 seeds, read off a plot; arXiv 2312.03762"),
    "share of outliers": (0.002, "colour/shape, 1,000 seeds; arXiv 2312.03762"),
}
REASONS = {
    "least preference": "corner against cheese, not colour against shape; a goal that training "
    "leaves undecided spreads our seeds more, but not as much (random-share)",
    "greatest preference": "corner against cheese, not colour against shape",
    "share of outliers": "corner against cheese, not colour against shape; not every outlier is "
    "one when it is trained again (outliers)",
}
MEASURES = ("preference", "capability")

SWEEP = {
    "smoke": {"seeds": 4, "total_timesteps": 8_192, "measure": {"episodes": 40}},
    "laptop": {"seeds": 100, "total_timesteps": None, "measure": {"episodes": 500}},
    "paper": {"seeds": 1_000, "total_timesteps": None, "measure": {"episodes": 2_000}},
}


def points(settings: dict[str, Any]) -> list[Point]:
    seeds = range(7000, 7000 + settings["seeds"])
    steps = settings["total_timesteps"]
    return grid(TASK, "proxy", seeds, algorithm="bc", total_timesteps=steps)


def measure(policy: Policy, point: Point, settings: dict[str, Any]) -> list[dict[str, Any]]:
    rows = {row["split"]: row for row in outcome_rows(policy, **settings["measure"])}
    shifted = rows["shifted"]
    parted = shifted["proxy_first"] + shifted["intended"]
    return [
        {
            "capability": rows["iid"]["true_return"],
            "preference": shifted["proxy_first"] / parted if parted else None,
            "true_return": shifted["true_return"],
            "proxy_return": shifted["proxy_return"],
        }
    ]


def analyse(rows: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    rows = [row for row in rows if row["preference"] is not None]
    scores = {name: modified_z([row[name] for row in rows]) for name in MEASURES}
    outliers = [
        {"seed": row["seed"], **{n: row[n] for n in MEASURES}, "z_" + MEASURES[0]: z[0]}
        | {"z_" + MEASURES[1]: z[1]}
        for row, *z in zip(rows, *scores.values(), strict=True)
        if max(map(abs, z)) > BEYOND
    ]
    summary = [_summary(name, [row[name] for row in rows]) for name in MEASURES]
    share, low, high = wilson_interval(len(outliers), len(rows))
    facts = {"outliers": len(outliers), "share": share, "low": low, "high": high}
    return {"summary": summary, "outliers": outliers, "share": [{"runs": len(rows), **facts}]}


def modified_z(values: Sequence[float]) -> NDArray[np.float64]:
    """float64[N]: 0.6745 (x - median)/MAD; the mean deviation replaces a MAD of 0."""
    deviations = np.asarray(values, float) - np.median(values)
    scale = np.median(np.abs(deviations)) / 0.6745 or np.abs(deviations).mean() * 1.253314
    return deviations / scale if scale else np.zeros(len(deviations))


def _summary(name: str, values: Sequence[float]) -> dict[str, Any]:
    mean, low, high = bootstrap_interval(np.asarray(values, float), np.random.default_rng(0))
    quartiles = np.quantile(values, [0, 0.25, 0.5, 0.75, 1])
    named = zip(("least", "lower", "median", "upper", "greatest"), quartiles, strict=True)
    return {"value": name, "runs": len(values), "mean": mean, "low": low, "high": high} | dict(
        named
    )


def compare(tables: dict[str, list[dict[str, Any]]]) -> list[PublishedComparison]:
    """Range of preferences and share of outliers, beside those of the published agents."""
    preference = next(row for row in tables["summary"] if row["value"] == "preference")
    (share,) = tables["share"]
    comparisons = []
    for name, (published, source) in PUBLISHED.items():
        if name == "share of outliers":
            ours, low, high = share["share"], share["low"], share["high"]
            rule, passed = "our interval holds theirs", low <= published <= high
        else:
            ours = low = high = preference["least" if name.startswith("least") else "greatest"]
            rule = "within .25; another preference, so a rough guide"
            passed = abs(ours - published) <= 0.25
        reason = "" if passed else REASONS[name]
        comparisons.append(
            PublishedComparison(name, published, source, ours, low, high, rule, passed, reason)
        )
    return comparisons


@styled
def draw(tables: dict[str, list[dict[str, Any]]]) -> dict[str, Figure]:
    """The distributions over seeds: a dot per agent, piled up within bins."""
    figure = new_figure(9.6, 3.9)
    preferred, capable = figure.subplots(1, 2, sharey=True, width_ratios=(3, 2))
    odd = {row["seed"] for row in tables.get("outliers", [])}
    rows = [row for row in tables["runs"] if row["preference"] is not None]
    for axes, value, width in ((preferred, "preference", 0.005), (capable, "capability", 0.002)):
        draw_pile(axes, rows, odd, value, width)
    for row in tables["summary"]:
        axes = preferred if row["value"] == "preference" else capable
        axes.axvline(row["mean"], color=INK, linewidth=1, linestyle="--", label="mean", zorder=0)
    preferred.set(
        xlabel="preference: corner first, of shifted levels with a goal reached",
        ylabel="agents",
        title=f"preference of {len(rows)} agents",
    )
    capable.set(xlabel="levels as in training: cheese reached", title="capability")
    as_percent(preferred.xaxis, decimals=0)
    as_percent(capable.xaxis, decimals=1)
    capable.xaxis.set_major_locator(MultipleLocator(0.004))
    preferred.legend(loc="upper left")
    return {"": figure}


def draw_pile(
    axes: Any,
    rows: list[dict[str, Any]],
    odd: set[int],
    value: str,
    width: float,
    turned: float = 0,
) -> None:
    """A dot per agent above the middle of its bin; outliers coloured and named by their seed.

    Their names are ``turned`` by so many degrees.
    """
    heights: dict[int, int] = {}
    names: dict[int, str] = {}
    for row in sorted(rows, key=lambda row: (row["seed"] not in odd, row[value])):
        column = round(row[value] / width)
        heights[column] = heights.get(column, 0) + 1
        outlying = row["seed"] in odd
        colour = MEANINGS["proxy"] if outlying else GREY
        at = (column * width, heights[column] - 0.5)
        axes.plot(*at, "o", color=colour, markersize=6, markeredgewidth=0)
        if outlying:
            names[column] = f"{row['seed']}\n{names.get(column, '')}"
    if value == "preference":
        for column, text in names.items():
            at = (column * width, heights[column] + 0.3)
            size = 6.5 if turned else 7.5  # turned, the names of neighbouring bins lie side by side
            axes.text(*at, text.strip(), ha="center", va="bottom", fontsize=size, rotation=turned)
        for colour, label in ((GREY, "one agent"), (MEANINGS["proxy"], "outlier, with its seed")):
            axes.plot([], [], "o", color=colour, label=label)
