"""Quantities that change while an agent trains."""

import numpy as np
from matplotlib.figure import Figure

from proxylab.plots.style import Table, as_percent, colours_of, in_order, new_figure, styled


@styled
def learning_curve(
    table: Table,
    title: str = "",
    ylabel: str = "episodes that reach the goal",
) -> Figure:
    """Success over training steps, one line with its band per series.

    Args:
        table: columns ``timesteps``, ``series`` (label of the line), ``mean``, ``low``,
            ``high`` (shares; bounds that are None or NaN draw no band).
        title: of the figure.
        ylabel: of the vertical axis.

    Returns:
        A matplotlib figure.
    """
    figure = new_figure(6.4, 3.8)
    axes = figure.add_subplot()
    names = in_order(table["series"])
    drawn = set()
    for name, colour in colours_of(names).items():
        dashes = (0, (3, 1.5)) if colour in drawn else "solid"
        drawn.add(colour)
        rows = np.asarray(table["series"]) == name
        steps, mean, low, high = (
            np.asarray(table[column], float)[rows]
            for column in ("timesteps", "mean", "low", "high")
        )
        order = np.argsort(steps)
        axes.plot(steps[order], mean[order], color=colour, linestyle=dashes, label=name)
        axes.fill_between(
            steps[order], low[order], high[order], color=colour, alpha=0.18, linewidth=0
        )
    axes.set(xlabel="environment steps", ylabel=ylabel, title=title)
    axes.set_ylim(0, max(1.02, 1.04 * np.nanmax(np.asarray(table["mean"], float))))
    axes.xaxis.set_major_formatter(_thousands)
    as_percent(axes.yaxis)
    axes.set_xlim(left=0)
    figure.legend(loc="outside lower center", ncols=2)
    return figure


def _thousands(value: float, _position: float) -> str:
    if value >= 1e6:
        return f"{value / 1e6:g} M"
    return f"{value / 1e3:g} k" if value >= 1e3 else f"{value:g}"
