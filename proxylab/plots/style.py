"""Colours, sizes and file formats of all figures.

The colours are those of Okabe and Ito 2008, "Color Universal Design", distinguishable with
all common kinds of colour blindness. A meaning has the same colour in every figure.
"""

import functools
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, ParamSpec, Protocol, TypeVar

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from proxylab.storage.whole_files import whole_file

BLUE, SKY, GREEN = "#0072B2", "#56B4E9", "#009E73"
YELLOW = "#F0E442"  # the blue of water hides a blue line
ORANGE, VERMILLION, PURPLE = "#E69F00", "#D55E00", "#CC79A7"
INK, GREY, PALE = "#222222", "#8A8A8A", "#E6E6E6"
CYCLE = (BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY)

MEANINGS = {
    "intended": BLUE,
    "both": SKY,
    "proxy": VERMILLION,
    "neither": "#B9B9B9",
    "true": BLUE,
    "trusted": BLUE,
    "honest": GREEN,
    "suspect": VERMILLION,
}
"""Colour of each recurring label."""

RC: dict[Any, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 10,
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelsize": 10,
    "axes.edgecolor": GREY,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.axisbelow": True,
    "grid.color": PALE,
    "grid.linewidth": 0.8,
    "xtick.color": INK,
    "ytick.color": INK,
    "text.color": INK,
    "legend.frameon": False,
    "legend.fontsize": 9,
    "legend.handlelength": 2.8,
    "lines.linewidth": 2.0,
    "svg.hashsalt": "proxylab",
}
DOTS_PER_INCH = 150

P = ParamSpec("P")
R = TypeVar("R")


class Table(Protocol):
    """Columns by name: a dict of lists, a DuckDB ``fetchnumpy()``, a data frame."""

    def __getitem__(self, column: str, /) -> Any: ...


def styled(draw: Callable[P, R]) -> Callable[P, R]:
    """Decorator: run a drawing function under ``RC`` without changing matplotlib's settings."""

    @functools.wraps(draw)
    def wrapper(
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> R:
        with matplotlib.rc_context(RC):
            return draw(*args, **kwargs)

    return wrapper


def new_figure(width: float, height: float) -> Figure:
    """An empty figure with constrained layout, size in inches; needs no pyplot or display."""
    return Figure(figsize=(width, height), layout="constrained")


def colours_of(names: Sequence[str]) -> dict[str, str]:
    """{name: colour}: the meaning's colour if the name begins with one, else the next unused."""
    known = {name: MEANINGS[name.split()[0]] for name in names if name.split()[0] in MEANINGS}
    free = iter([colour for colour in CYCLE if colour not in known.values()] + list(CYCLE) * 9)
    return {name: known.get(name) or next(free) for name in names}


def in_order(values: Iterable[Any]) -> list[Any]:
    """The distinct values, in the order in which they first appear."""
    return list(dict.fromkeys(np.asarray(values).tolist()))


def as_percent(axis: Any, decimals: int = 0) -> None:
    """Show the shares 0 to 1 of a matplotlib axis as percentages."""
    axis.set_major_formatter(PercentFormatter(1.0, decimals=decimals))


@styled
def save(figure: Figure, stem: str | Path) -> tuple[Path, Path]:
    """Write ``<stem>.png`` and ``<stem>.svg``; the same figure gives the same bytes.

    Args:
        figure: a matplotlib figure.
        stem: path without its ending; folders are made.

    Returns:
        The two paths.
    """
    stem = Path(stem)
    png, svg = stem.with_name(stem.name + ".png"), stem.with_name(stem.name + ".svg")
    with whole_file(png) as temporary:
        options: dict[str, Any] = {"dpi": DOTS_PER_INCH, "metadata": {"Software": None}}
        figure.savefig(temporary, format="png", **options)
    with whole_file(svg) as temporary:
        figure.savefig(temporary, format="svg", metadata={"Date": None})
    return png, svg
