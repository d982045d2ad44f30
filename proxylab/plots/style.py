"""The one place for colours, sizes and file formats.

The colours are those of Okabe and Ito 2008, "Color Universal Design": they stay apart
for all common kinds of colour blindness. A meaning keeps its colour in every figure.
"""

import functools
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

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
"""Colour of every word that figures use again and again."""

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
    "lines.linewidth": 2.0,
    "svg.hashsalt": "proxylab",
}
DOTS_PER_INCH = 150


def styled(draw):
    """Decorator: run a drawing function under ``RC``, and leave matplotlib's settings alone."""

    @functools.wraps(draw)
    def wrapper(*args, **kwargs):
        with matplotlib.rc_context(RC):
            return draw(*args, **kwargs)

    return wrapper


def new_figure(width, height):
    """An empty figure, in inches, that lays itself out; independent of pyplot and displays."""
    return Figure(figsize=(width, height), layout="constrained")


def colours_of(names):
    """{name: colour}: the meaning's colour if the name begins with one, else the next unused."""
    known = {name: MEANINGS[name.split()[0]] for name in names if name.split()[0] in MEANINGS}
    free = iter([colour for colour in CYCLE if colour not in known.values()] + list(CYCLE) * 9)
    return {name: known.get(name) or next(free) for name in names}


def in_order(values):
    """The distinct values, in the order in which they first appear."""
    return list(dict.fromkeys(np.asarray(values).tolist()))


def as_percent(axis, decimals=0):
    """Show the shares 0 to 1 of a matplotlib axis as percentages."""
    axis.set_major_formatter(PercentFormatter(1.0, decimals=decimals))


@styled
def save(figure, stem):
    """Write ``<stem>.png`` and ``<stem>.svg``; the same figure gives the same bytes.

    Args:
        figure: a matplotlib figure.
        stem: path without its ending; folders are made.

    Returns:
        The two paths.
    """
    stem = Path(stem)
    stem.parent.mkdir(parents=True, exist_ok=True)
    png, svg = stem.with_name(stem.name + ".png"), stem.with_name(stem.name + ".svg")
    figure.savefig(png, dpi=DOTS_PER_INCH, metadata={"Software": None})
    figure.savefig(svg, metadata={"Date": None})
    return png, svg
