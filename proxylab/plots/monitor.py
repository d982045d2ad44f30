"""The monitor: share of streams that have alarmed, against the episode."""

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from proxylab.plots.style import BLUE, GREY, VERMILLION, new_figure, styled

LINES = (
    ("honest", BLUE, "-"),
    ("hack", VERMILLION, "-"),
    ("games 30 %", VERMILLION, "--"),
    ("games 10 %", VERMILLION, ":"),
)
"""(kind of stream, colour, style)."""


@styled
def alarm_shares(
    alarms: Mapping[str, Mapping[str, NDArray[np.int64]]], length: int, alpha: float
) -> Figure:
    """One panel per task; ``alarms`` is {task: {kind of stream: int64[S], -1 for never}}."""
    figure = new_figure(3.6 * len(alarms), 3.2)
    panels = figure.subplots(1, len(alarms), sharey=True, squeeze=False)[0]
    episodes = np.arange(1, length + 1)
    for axes, (task, groups) in zip(panels, alarms.items(), strict=True):
        for name, colour, style in LINES:
            first = groups[name]
            counts = np.bincount(first[first >= 0], minlength=length)
            shares = np.cumsum(counts) / len(first)
            axes.step(episodes, shares, where="post", color=colour, linestyle=style, label=name)
        axes.axhline(alpha, color=GREY, linestyle="--", linewidth=1, label=f"alpha {alpha:g}")
        axes.set(title=task, xlabel="episode", xscale="log", ylim=(-0.02, 1.02))
        axes.set_xticks([1, 10, 100, 1000], ["1", "10", "100", "1,000"])
    panels[0].set_ylabel("share of streams alarmed")
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=5)
    return figure
