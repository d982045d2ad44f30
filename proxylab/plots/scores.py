"""Anomaly scores of agents and returns of episodes: one dot per agent or episode."""

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from proxylab.plots.style import GREY, INK, Table, colours_of, in_order, new_figure, styled


@styled
def score_strip(
    table: Table,
    threshold: float | None = None,
    title: str = "",
    xlabel: str = "anomaly score",
) -> Figure:
    """One row per group, one dot per agent; the axis is logarithmic for widely spread scores.

    Where some of these are not positive it is linear between minus and plus their usual size.

    Args:
        table: columns ``group``, ``agent``, ``score``, ``flagged`` (bool: drawn with a ring).
        threshold: score from which suspects are flagged, or None.
        title: of the figure.
        xlabel: of the horizontal axis.

    Returns:
        A matplotlib figure.
    """
    groups = in_order(table["group"])
    figure = new_figure(6.8, 1.5 + 0.55 * len(groups))
    axes = figure.add_subplot()
    scale, options = _scale(np.asarray(table["score"], float))
    axes.set_xscale(scale, **options)
    shown = axes.xaxis.get_transform().transform
    axes.xaxis.set_major_formatter("{x:g}")
    for row, (group, colour) in enumerate(colours_of(groups).items()):
        chosen = np.asarray(table["group"]) == group
        score = np.asarray(table["score"], float)[chosen]
        flagged = np.asarray(table["flagged"], bool)[chosen]
        height = row + _spread(shown(score))
        axes.plot(score, height, "o", color=colour, markersize=7, alpha=0.75, markeredgewidth=0)
        axes.plot(
            score[flagged], height[flagged], "o", color="none", markeredgecolor=INK, markersize=12
        )
    if scale == "symlog":
        edge = options["linthresh"]
        axes.axvspan(-edge, edge, color=GREY, alpha=0.1, linewidth=0, zorder=0)
        xlabel += f"\nlinear from −{edge:g} to {edge:g} (grey), logarithmic beyond"
    elif scale == "log":
        xlabel += ", logarithmic"
    if threshold is not None:
        axes.axvline(threshold, color=INK, linestyle=(0, (4, 3)), linewidth=1.2)
        axes.annotate(
            "flag threshold",
            (threshold, 1.0),
            xycoords=axes.get_xaxis_transform(),
            xytext=(4, 2),
            textcoords="offset points",
            fontsize=9,
        )
    counts = [int(np.sum(np.asarray(table["group"]) == group)) for group in groups]
    labels = [f"{group} ({count})" for group, count in zip(groups, counts, strict=True)]
    axes.set_yticks(range(len(groups)), labels)
    axes.set(ylim=(len(groups) - 0.45, -0.6), xlabel=xlabel)
    axes.grid(axis="x")
    axes.grid(visible=False, axis="y")
    axes.set_title(title, pad=18)
    return figure


@styled
def score_against_laps(table: Table, title: str = "") -> Figure:
    """Proxy return against intended return: points scored and laps done, a dot per episode.

    Args:
        table: columns ``agent``, ``score`` (proxy return), ``laps`` (course progress).
        title: of the figure.

    Returns:
        A matplotlib figure.
    """
    figure = new_figure(6.0, 4.0)
    axes = figure.add_subplot()
    for agent, colour in colours_of(in_order(table["agent"])).items():
        chosen = np.asarray(table["agent"]) == agent
        laps = np.asarray(table["laps"], float)[chosen]
        score = np.asarray(table["score"], float)[chosen]
        axes.plot(
            laps, score, "o", color=colour, markersize=6, alpha=0.6, markeredgewidth=0, label=agent
        )
    axes.set(xlabel="laps (intended goal)", ylabel="score (proxy reward)", title=title)
    axes.grid(visible=True, axis="both")
    axes.margins(0.08)
    axes.set_ylim(bottom=min(0.0, min(table["score"])))
    figure.legend(loc="outside lower center", ncols=3)
    return figure


def _scale(score: NDArray[np.float64]) -> tuple[str, dict[str, float]]:
    """Scale of the axis and its options: logarithmic where scores span a factor of 30."""
    low, high = score.min(), score.max()
    usual = float(np.median(np.abs(score)))
    if low > 0:
        return ("log" if high > 30 * low else "linear"), {}
    if high - low > 30 * usual > 0:
        return "symlog", {"linthresh": 10.0 ** np.ceil(np.log10(usual))}
    return "linear", {}


def _spread(score: NDArray[np.float64], step: float = 0.11) -> NDArray[np.float64]:
    """Vertical offsets that keep dots of nearly equal score apart."""
    width = max(float(np.ptp(score)), 1e-12) if len(score) else 1.0
    bins = np.round((score - score.min(initial=np.inf)) / width * 40).astype(np.int64)
    offsets = np.zeros(len(score))
    for value in np.unique(bins):
        members = np.flatnonzero(bins == value)
        lanes = np.arange(len(members)) - (len(members) - 1) / 2
        offsets[members] = lanes * min(step, 0.6 / len(members))
    return offsets
