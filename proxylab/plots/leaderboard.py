"""The leaderboard of detectors: AUROC with intervals, and AUROC per task and negative class."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from proxylab.plots.style import (
    BLUE,
    GREY,
    INK,
    ORANGE,
    VERMILLION,
    Table,
    in_order,
    new_figure,
    styled,
)

LOW, HIGH = 0.0, 1.0
CLOSE = 0.05
"""Below this distance the labels of two lines are moved apart."""

DARK = 0.45
"""Below this AUROC a cell's number is white."""


@styled
def leaderboard(
    detectors: Table,
    classes: Table,
    published: Table,
    title: str = "",
) -> Figure:
    """One row per detector, best first.

    Left: AUROC averaged over tasks with its interval, the worst task, the hardest class;
    published figures as lines. Right: AUROC on every task against every class.

    Args:
        detectors: columns ``detector``, ``access``, ``tasks``, ``auroc``, ``lower``,
            ``upper``, ``worst_task_auroc``, ``hardest_class_auroc``.
        classes: columns ``detector``, ``task``, ``against``, ``auroc``.
        published: columns ``name``, ``auroc``, ``drawn`` (whether as a line).
        title: of the figure.

    Returns:
        A matplotlib figure.
    """
    shown = [k for k, area in enumerate(detectors["auroc"]) if area is not None]
    names = [detectors["detector"][k] for k in shown]
    figure = new_figure(13.0, 2.2 + 0.27 * len(shown))
    left, right = figure.subplots(1, 2, sharey=True, width_ratios=[1, 1.15])
    _dots(left, detectors, shown)
    _published(left, published)
    _cells(figure, right, classes, names)
    most = max(detectors["tasks"])
    labels = [_label(detectors, k, most) for k in shown]
    left.set_yticks(range(len(names)), labels, fontsize=8.5)
    left.set_ylim(len(names) - 0.4, -0.6)
    figure.legend(loc="outside lower left", ncols=3)
    figure.suptitle(title, x=0.01, ha="left", fontweight="bold")
    return figure


def _label(detectors: Table, row: int, most: int) -> str:
    count = detectors["tasks"][row]
    some = "" if count == most else f", {count} of {most} tasks"
    return f"{detectors['detector'][row]} ({detectors['access'][row]}{some})"


def _dots(axes: Axes, table: Table, shown: Sequence[int]) -> None:
    """Macro AUROC with its interval, worst task and hardest class."""
    rows = np.arange(len(shown))
    column = {
        name: np.array([table[name][k] for k in shown], float)
        for name in ("auroc", "lower", "upper", "worst_task_auroc", "hardest_class_auroc")
    }
    axes.hlines(rows, column["lower"], column["upper"], color=BLUE, linewidth=2.2)
    axes.plot(column["auroc"], rows, "o", color=BLUE, label="mean of tasks, 95 % interval")
    axes.plot(
        column["worst_task_auroc"], rows, "o", mfc="none", mec=ORANGE, mew=1.5, label="worst task"
    )
    axes.plot(
        *(column["hardest_class_auroc"], rows, "x"),
        color=VERMILLION,
        markersize=6,
        mew=1.8,
        label="hardest negative class",
    )
    axes.set(xlim=(LOW - 0.02, HIGH + 0.02), xlabel="AUROC")
    axes.grid(visible=True, axis="both")


def _published(axes: Axes, table: Table) -> None:
    """One labelled line per published figure."""
    transform = axes.get_xaxis_transform()
    rows = zip(table["name"], table["auroc"], table["drawn"], strict=True)
    before = -np.inf
    for area, name in sorted((area, name) for name, area, drawn in rows if drawn):
        aside = 14 if area - before < CLOSE else 0
        before = area
        axes.axvline(area, color=GREY, linestyle=(0, (4, 3)), linewidth=1)
        axes.annotate(
            *(name, (area, 1.0)),
            xycoords=transform,
            xytext=(aside, 3),
            textcoords="offset points",
            rotation=50,
            fontsize=7.5,
            color=INK,
            ha="left",
            va="bottom",
            annotation_clip=False,
        )


def _cells(figure: Figure, axes: Axes, table: Table, names: Sequence[str]) -> None:
    """AUROC of every detector (row) on every task against every class (column)."""
    columns = [
        (task, against)
        for task in in_order(table["task"])
        for against in in_order(table["against"])
        if against != "all"
    ]
    grid = np.full((len(names), len(columns)), np.nan)
    for detector, task, against, area in zip(
        *(table[c] for c in ("detector", "task", "against", "auroc")), strict=True
    ):
        if detector in names and (task, against) in columns:
            grid[names.index(detector), columns.index((task, against))] = area
    image = axes.imshow(grid, aspect="auto", cmap="cividis", vmin=LOW, vmax=HIGH)
    for (row, column), area in np.ndenumerate(grid):
        if not np.isnan(area):
            colour = "white" if area < DARK else INK
            text = "1" if area > 0.995 else f"{area:.2f}".lstrip("0")
            axes.text(column, row, text, ha="center", va="center", fontsize=7, color=colour)
    axes.set_xticks(range(len(columns)), [against for _, against in columns], rotation=60)
    axes.tick_params(left=False, labelleft=False, labelsize=8)
    axes.grid(visible=False)
    tasks = in_order([task for task, _ in columns])
    wide = len(columns) // len(tasks)
    for number, task in enumerate(tasks):
        axes.text(wide * (number + 0.5) - 0.5, -0.8, task, ha="center", va="bottom", fontsize=9)
        if number:
            axes.axvline(wide * number - 0.5, color="white", linewidth=3)
    figure.colorbar(image, ax=axes, label="AUROC", shrink=0.6)
