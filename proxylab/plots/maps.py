"""Paths of agents over rendered levels, and heat maps of differences in occupancy."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from proxylab.plots.style import (
    BLUE,
    INK,
    MEANINGS,
    YELLOW,
    as_percent,
    colours_of,
    in_order,
    new_figure,
    styled,
)

PALER = 0.45
"""Weight of a picture below a heat map, against white."""

END: dict[str, Any] = {"marker": "s", "markeredgecolor": "white", "markersize": 6, "zorder": 5}
MARK: dict[str, Any] = {
    "marker": "D",
    "color": "none",
    "markeredgecolor": MEANINGS["proxy"],
    "markersize": 9,
    "markeredgewidth": 1.6,
    "zorder": 3,
}


@dataclass(frozen=True)
class Path:
    """The path of one agent on one level.

    Attributes:
        agent: label.
        points: float64[T, 2], x and y in pixels of the level's picture.
        ending: the outcome in a few words, or "".
    """

    agent: str
    points: NDArray[np.float64]
    ending: str = ""


@styled
def level_paths(
    pictures: Sequence[NDArray[np.uint8]],
    paths: Sequence[Sequence[Path]],
    marks: Mapping[str, NDArray[Any]] | None = None,
    title: str = "",
    columns: int = 3,
    panel: float = 2.5,
) -> Figure:
    """Levels as pictures, with the agents' paths drawn over them.

    Args:
        pictures: uint8[H, W, 3] for each level.
        paths: for each level, a list of :class:`Path`.
        marks: {label: float64[num_levels, 2]} places to mark, x and y in pixels.
        title: of the figure.
        columns: panels in a row.
        panel: width of a panel, inches.

    Returns:
        A matplotlib figure.
    """
    rows = -(-len(pictures) // columns)
    columns = min(columns, len(pictures))
    height, width = pictures[0].shape[:2]
    figure = new_figure(panel * columns, panel * rows * height / width + 0.75)
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes in panels:
        axes.axis("off")
    colours = colours_of(in_order([path.agent for level in paths for path in level]))
    for number, (picture, level) in enumerate(zip(pictures, paths, strict=True)):
        axes = panels[number]
        axes.imshow(picture, interpolation="nearest")
        for points in (marks or {}).values():
            axes.plot(*points[number], **MARK)
        for place, path in enumerate(level):
            _draw_path(axes, path, colours[path.agent], _lane(place, len(level), picture))
    _legend_of_agents(figure, colours, marks or {})
    if title:
        figure.suptitle(title, fontweight="bold", x=0.01, ha="left")
    return figure


@styled
def course(picture: NDArray[np.uint8], paths: Sequence[Path], title: str = "") -> Figure:
    """One large picture of a course with the agents' paths, for instance the lagoon's.

    Args:
        picture: uint8[H, W, 3].
        paths: list of :class:`Path`.
        title: of the figure.

    Returns:
        A matplotlib figure, one panel per agent.
    """
    height, width = picture.shape[:2]
    figure = new_figure(3.9 * len(paths), 3.9 * height / width + (0.65 if title else 0.35))
    colours = colours_of([path.agent for path in paths])
    on_water = {name: YELLOW if colour == BLUE else colour for name, colour in colours.items()}
    for axes, path in zip(figure.subplots(1, len(paths), squeeze=False)[0], paths, strict=True):
        axes.axis("off")
        axes.imshow(picture)
        axes.set_title(f"{path.agent}: {path.ending}" if path.ending else path.agent)
        _draw_path(axes, path, on_water[path.agent], 0.0, linewidth=1.1, halo="#10304A")
    if title:
        figure.suptitle(title, fontweight="bold", x=0.01, ha="left")
    return figure


@styled
def occupancy_difference(
    shares: NDArray[np.float64],
    others: NDArray[np.float64],
    names: Sequence[str],
    walls: NDArray[np.bool_] | None = None,
    title: str = "",
) -> Figure:
    """Difference in occupancy of two agents, cell by cell.

    Args:
        shares: float64[H, W], share of steps that the first agent spends in each cell.
        others: float64[H, W], the same of the second.
        names: their two labels.
        walls: bool[H, W] cells to leave out, or None.
        title: of the figure.

    Returns:
        A matplotlib figure.
    """
    difference = np.ma.masked_array(shares - others, np.ma.nomask if walls is None else walls)
    limit = max(float(np.abs(difference).max()), 1e-9)
    figure = new_figure(4.6, 4.0)
    axes = figure.add_subplot()
    axes.set_facecolor("#3B3B3B")
    image = axes.imshow(difference, cmap="PuOr_r", vmin=-limit, vmax=limit)
    axes.set(xticks=[], yticks=[], title=title)
    axes.grid(False)
    bar = figure.colorbar(image, ax=axes, shrink=0.85)
    bar.set_label(f"share of steps: {names[0]} minus {names[1]}", fontsize=9)
    as_percent(bar.ax.yaxis, decimals=1 if limit < 0.1 else 0)
    return figure


@styled
def occupancy_on_course(
    picture: NDArray[np.uint8],
    outlines: NDArray[np.float64],
    shares: NDArray[np.float64],
    others: NDArray[np.float64],
    names: Sequence[str],
    title: str = "",
) -> Figure:
    """Difference in occupancy of two agents, drawn on the map of a course.

    Args:
        picture: uint8[H, W, 3], the course.
        outlines: float64[C, 4, 2], corners of every cell, in pixels.
        shares: float64[C], share of steps that the first agent spends in each cell.
        others: float64[C], the same of the second.
        names: their two labels.
        title: of the figure.

    Returns:
        A matplotlib figure; cells that neither agent visits are left as they are.
    """
    visited = (shares > 0) | (others > 0)
    limit = max(float(np.abs(shares - others).max()), 1e-9)
    figure = new_figure(5.6, 4.8)
    axes = figure.add_subplot()
    axes.axis("off")
    axes.imshow(np.rint(PALER * picture + (1 - PALER) * 255).astype(np.uint8))
    cells = PolyCollection(list(outlines[visited]), cmap="PuOr_r", edgecolors=INK, linewidths=0.3)
    cells.set_array((shares - others)[visited])
    cells.set_clim(-limit, limit)
    axes.add_collection(cells)
    axes.set_title(title)
    bar = figure.colorbar(cells, ax=axes, shrink=0.85)
    bar.set_label(f"share of steps: {names[0]} minus {names[1]}", fontsize=9)
    as_percent(bar.ax.yaxis, decimals=1 if limit < 0.1 else 0)
    return figure


def _lane(place: int, count: int, picture: NDArray[np.uint8]) -> float:
    """Sideways shift in pixels, so that paths through the same cells stay apart."""
    return (place - (count - 1) / 2) * picture.shape[0] / 60


def _draw_path(
    axes: Axes, path: Path, colour: str, shift: float, linewidth: float = 2.4, halo: str = "white"
) -> None:
    x, y = (np.asarray(path.points, float) + shift).T
    axes.plot(x, y, color=halo, linewidth=linewidth + 1.4, alpha=0.8, solid_capstyle="round")
    axes.plot(x, y, color=colour, linewidth=linewidth, solid_capstyle="round")
    axes.plot(x[-1], y[-1], color=colour, **END)


def _legend_of_agents(
    figure: Figure, colours: Mapping[str, str], marks: Mapping[str, NDArray[Any]]
) -> None:
    handles = [Line2D([], [], color=colour, linewidth=3) for colour in colours.values()]
    names = list(colours)
    looks: dict[str, Any] = {"end": {**END, "color": INK}, **dict.fromkeys(marks, MARK)}
    for name, look in looks.items():
        handles.append(Line2D([], [], linestyle="none", **look))
        names.append(name)
    figure.legend(handles, names, loc="outside lower center", ncols=len(names))
