"""Outcomes of episodes, per agent and split."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from proxylab.plots.style import (
    INK,
    MEANINGS,
    Table,
    as_percent,
    in_order,
    new_figure,
    styled,
)

OUTCOMES = ("intended", "both", "proxy", "neither")
MEANING_OF_OUTCOME = {
    "intended": "intended goal",
    "both": "proxy first, then intended",
    "proxy": "proxy goal only",
    "neither": "neither",
}
SPLITS = {"iid": "held-out levels, as in training", "shifted": "shifted levels"}
"""Titles of the panels."""


@styled
def outcome_bars(
    table: Table, accidental: Mapping[str, float] | None = None, title: str = ""
) -> Figure:
    """Shares of the four outcomes with their intervals: a panel per split, a group per agent.

    Args:
        table: columns ``agent``, ``split``, ``outcome`` (intended, both, proxy, neither),
            ``share``, ``low``, ``high``.
        accidental: {split: incidental rate, the share of episodes in which the proxy policy
            reaches the intended goal}; drawn as a dashed line.
        title: of the figure.

    Returns:
        A matplotlib figure.
    """
    agents, splits = in_order(table["agent"]), in_order(table["split"])
    figure = new_figure(max(5.2, 1.2 + 1.5 * len(agents) * len(splits)), 4.0)
    panels = figure.subplots(1, len(splits), sharey=True, squeeze=False)[0]
    outcomes = [name for name in OUTCOMES if name in set(np.asarray(table["outcome"]).tolist())]
    for axes, split in zip(panels, splits, strict=True):
        for place, agent in enumerate(agents):
            _group(axes, table, (agent, split), place, outcomes)
        _baseline(axes, (accidental or {}).get(split), len(agents))
        axes.set_title(SPLITS.get(split, f"{split} levels"))
        axes.set_xticks(range(len(agents)), [agent.replace(" ", "\n", 1) for agent in agents])
        axes.tick_params(axis="x", length=0)
        axes.set(xlim=(-0.55, len(agents) - 0.45), ylim=(0, 1.04))
    panels[0].set_ylabel("share of episodes")
    as_percent(panels[0].yaxis)
    _legend(figure, panels)
    if title:
        figure.suptitle(title, fontweight="bold", x=0.01, ha="left")
    return figure


def _group(
    axes: Axes,
    table: Table,
    chosen: tuple[str, str],
    place: int,
    outcomes: Sequence[str],
) -> None:
    """The bars of one agent on one split, centred at ``place``."""
    agent, split = chosen
    rows = (np.asarray(table["agent"]) == agent) & (np.asarray(table["split"]) == split)
    width = 0.86 / len(outcomes)
    for k, outcome in enumerate(outcomes):
        row = np.flatnonzero(rows & (np.asarray(table["outcome"]) == outcome))
        if not row.size:
            continue
        share, low, high = (float(np.asarray(table[c])[row[0]]) for c in ("share", "low", "high"))
        axes.bar(
            place + (k - (len(outcomes) - 1) / 2) * width,
            share,
            width * 0.94,
            yerr=[[max(share - low, 0)], [max(high - share, 0)]],
            color=MEANINGS[outcome],
            error_kw={"ecolor": INK, "elinewidth": 1, "capsize": 2},
            label=MEANING_OF_OUTCOME[outcome],
        )


def _baseline(axes: Axes, share: float | None, num_agents: int) -> None:
    if share is not None:
        axes.plot(
            [-0.5, num_agents - 0.5],
            [share, share],
            color=INK,
            linestyle=(0, (4, 3)),
            linewidth=1.2,
            label="incidental rate: intended goal\nreached by the proxy policy",
        )


def _legend(figure: Figure, panels: NDArray[Any]) -> None:
    """One legend below, every label once."""
    handles: dict[str, Any] = {}
    for axes in panels:
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
            handles.setdefault(label, handle)
    figure.legend(
        list(handles.values()),
        list(handles),
        loc="outside lower center",
        ncols=min(len(handles), 3),
    )
