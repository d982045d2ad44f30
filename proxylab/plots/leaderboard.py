"""The leaderboard of detectors: AUROC with intervals, and AUROC per task and negative class."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from proxylab.plots.scales import mark_break
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
ENLARGED = 0.9
"""The axis has one scale below this AUROC and a larger one above, where most entries are."""

DARK = 0.45
"""Below this AUROC a cell's number is white."""

SHADES = np.linspace(LOW, HIGH, 101)

CLASSES = {
    "fresh": "held out",
    "stronger": "overtrained",
    "different": "other algorithm",
    "weak": "undertrained",
}
"""Names of the negative classes, whose policies have these kinds."""

ACCESS = (
    "Needs: (W) action probabilities, (L) logs of states and actions, (P) also the proxy reward"
)


@styled
def leaderboard(
    detectors: Table,
    classes: Table,
    published: Table,
    title: str = "",
) -> Figure:
    """One row per detector, best first.

    Left: AUROC averaged over tasks with its interval, the worst task, the hardest class;
    published figures as lines; the part above 0.9 is enlarged. Right: AUROC on every task
    against every class.

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
    figure = new_figure(13.0, 2.8 + 0.3 * len(shown))
    left, cells = figure.subplots(1, 2, sharey=True, width_ratios=[1, 1.1])
    _dots(left, detectors, shown)
    _published(left, published)
    _cells(figure, cells, classes, names)
    most = max(detectors["tasks"])
    labels = [_label(detectors, k, most) for k in shown]
    left.set_yticks(range(len(names)), labels, fontsize=10)
    left.set_ylim(len(names) - 0.4, -0.6)
    figure.legend(loc="outside lower left", ncols=4, title=ACCESS, alignment="left")
    figure.suptitle(title, x=0.01, ha="left", fontweight="bold")
    return figure


def _place(auroc: object) -> NDArray[np.float64]:
    """Place of an AUROC on the axis: half of it for 0 to 0.9, half for 0.9 to 1."""
    return np.interp(np.asarray(auroc, float), (LOW, ENLARGED, HIGH), (0.0, 1.0, 2.0))


def _label(detectors: Table, row: int, most: int) -> str:
    count = detectors["tasks"][row]
    some = "" if count == most else f", {count} of {most} tasks"
    return f"{detectors['detector'][row]} ({detectors['access'][row]}{some})"


def _dots(axes: Axes, table: Table, shown: Sequence[int]) -> None:
    """Macro AUROC with its interval, worst task and hardest class."""
    rows = np.arange(len(shown))
    column = {
        name: _place([table[name][k] for k in shown])
        for name in ("auroc", "lower", "upper", "worst_task_auroc", "hardest_class_auroc")
    }
    axes.axvspan(1, 2.06, color=GREY, alpha=0.08, linewidth=0)
    look: dict[str, Any] = {"linestyle": "none", "markersize": 6}
    x = column["hardest_class_auroc"]
    axes.plot(x, rows, marker="x", color=VERMILLION, mew=1.8, label="hardest class", **look)
    x = column["worst_task_auroc"]
    axes.plot(x, rows, marker="o", mfc="white", mec=ORANGE, mew=1.5, label="worst task", **look)
    axes.hlines(rows, column["lower"], column["upper"], color=BLUE, linewidth=2.2)
    label = "mean of tasks, 95 % interval"
    axes.plot(column["auroc"], rows, marker="o", color=BLUE, label=label, **look)
    coarse, fine = np.arange(0, 0.8, 0.25), np.arange(0.9, 1.001, 0.02)
    ticks = np.concatenate([coarse, fine])
    axes.set_xticks(_place(ticks), [f"{tick:.3g}" for tick in ticks])
    axes.set(xlim=(-0.04, 2.06), xlabel="AUROC; grey: 0.9 to 1, nine times the scale")
    axes.grid(visible=True, axis="both")
    mark_break(axes, 1.0)


def _published(axes: Axes, table: Table) -> None:
    """One labelled line per published figure."""
    transform = axes.get_xaxis_transform()
    rows = zip(table["name"], table["auroc"], table["drawn"], strict=True)
    for area, name in sorted((area, name) for name, area, drawn in rows if drawn):
        place = float(_place(area))
        axes.axvline(place, color=GREY, linestyle=(0, (4, 3)), linewidth=1)
        axes.annotate(
            *(f"published: {name}", (place, 1.0)),
            xycoords=transform,
            xytext=(0, 3),
            textcoords="offset points",
            rotation=40,
            fontsize=9,
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
    image = axes.imshow(grid, aspect="auto", cmap="YlOrBr_r", vmin=LOW, vmax=HIGH + 0.1)
    for (row, column), area in np.ndenumerate(grid):
        if not np.isnan(area):
            colour = "white" if area < DARK else INK
            text = "1" if area > 0.995 else f"{area:.2f}".lstrip("0")
            axes.text(column, row, text, ha="center", va="center", fontsize=9, color=colour)
    labels = [CLASSES.get(against, against) for _, against in columns]
    axes.set_xticks(range(len(columns)), labels, rotation=40, ha="right", rotation_mode="anchor")
    axes.tick_params(left=False, labelleft=False, labelsize=9.5)
    axes.grid(visible=False)
    tasks = in_order([task for task, _ in columns])
    wide = len(columns) // len(tasks)
    for number, task in enumerate(tasks):
        axes.text(wide * (number + 0.5) - 0.5, -0.8, task, ha="center", va="bottom", fontsize=10)
        if number:
            axes.axvline(wide * number - 0.5, color="white", linewidth=3)
    bar = figure.colorbar(image, ax=axes, label="AUROC", shrink=0.5, boundaries=SHADES)
    bar.set_ticks([0.0, 0.25, 0.5, 0.75, 1.0])
