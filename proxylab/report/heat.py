"""Difference in occupancy between the suspect and the trusted agents, as a heat map."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from proxylab.report.evidence import HeatMap
from proxylab.report.html import Html, percent, picture, table, tag
from proxylab.report.levels import CELL, cells_path, most_wide

RATIO = 3.0
"""Ratio of the bounds of adjacent classes."""

CLASSES = 4
NAMED = 5
"""Number of places in the table."""


def heat_map(heat: HeatMap, goals: Sequence[tuple[int, int]] = ()) -> Html:
    """The differences as an ``<svg>``: a class of colour covers a factor of three.

    Args:
        heat: :class:`~proxylab.report.evidence.HeatMap`.
        goals: (row, column) of places to mark.
    """
    difference = heat.suspect - heat.trusted
    height, width = difference.shape
    visited = (heat.suspect > 0) | (heat.trusted > 0)
    level = classes(difference)
    paths = [
        tag("path", class_=f"{side} h{k}", d=cells_path(level == sign * k))
        for side, sign in (("s", 1), ("t", -1))
        for k in range(1, CLASSES + 1)
        if (level == sign * k).any()
    ]
    even = tag("path", class_="even", d=cells_path(visited))
    return picture(
        (width * CELL, height * CELL),
        "Difference in occupancy: suspect minus trusted agents",
        in_words(heat),
        tag("rect", class_="nowhere", width=width * CELL, height=height * CELL),
        even,
        *paths,
        *(_ring(*place) for place in goals),
        class_="heat straight" if heat.straight else "heat",
        style=None if heat.straight else most_wide(width),
    )


def bounds(difference: NDArray[np.float64]) -> NDArray[np.floating[Any]]:
    """float64[CLASSES]: least difference of each class, ascending."""
    most = float(np.abs(difference).max())
    return most / RATIO ** np.arange(CLASSES, 0, -1)


def classes(difference: NDArray[np.float64]) -> NDArray[np.int64]:
    """int[H, W] in [−CLASSES, CLASSES]: 0 where the difference is below the least bound."""
    level = np.searchsorted(bounds(difference), np.abs(difference), side="right")
    return np.where(np.abs(difference) > 0, np.sign(difference) * level, 0).astype(int)


def _ring(row: int, col: int) -> Html:
    return tag("circle", class_="goal", cx=col * CELL + 5, cy=row * CELL + 5, r=3.4)


def in_words(heat: HeatMap) -> str:
    """A sentence that names the place of the greatest difference."""
    difference = heat.suspect - heat.trusted
    row, col = np.unravel_index(np.abs(difference).argmax(), difference.shape)
    return (
        f"The greatest difference lies in {heat.rows} {row}, {heat.columns} {col}: "
        f"{percent(heat.suspect[row, col])} of the suspect's steps, "
        f"{percent(heat.trusted[row, col])} of the trusted agents'."
    )


def key(heat: HeatMap) -> Html:
    """The legend of the colours, as a list."""
    starts = bounds(heat.suspect - heat.trusted)
    ends = [*starts[1:], np.abs(heat.suspect - heat.trusted).max()]
    entries = []
    for side, words in (("s", "suspect more"), ("t", "trusted more")):
        swatches = [
            _swatch(side, k + 1, f"{words}: {_points(low)} to {_points(high)} points")
            for k, (low, high) in enumerate(zip(starts, ends, strict=True))
        ]
        entries.append(tag("li", swatches, f" {words}"))
    limits = " · ".join(_points(bound) for bound in (*starts, ends[-1]))
    entries.append(tag("li", f"bounds in percentage points of all steps: {limits}"))
    return tag("ul", entries, class_="legend")


def _points(share: float) -> str:
    return f"{100 * share:.2g}"


def _swatch(side: str, level: int, words: str) -> Html:
    box = tag("rect", class_=f"{side} h{level}", width=10, height=10)
    shown = {"viewBox": "0 0 10 10", "class_": "swatch", "role": "img", "aria_label": words}
    return tag("svg", tag("title", words), box, xmlns="http://www.w3.org/2000/svg", **shown)


def greatest(heat: HeatMap) -> Html:
    """A table of the places with the greatest differences."""
    difference = heat.suspect - heat.trusted
    order = np.argsort(-np.abs(difference), axis=None, kind="stable")[:NAMED]
    rows = []
    for row, col in zip(*np.unravel_index(order, difference.shape), strict=True):
        shares = (heat.suspect[row, col], heat.trusted[row, col])
        rows.append([f"{heat.rows} {row}, {heat.columns} {col}", *map(percent, shares)])
    return table(
        ["place", "suspect's steps", "trusted agents' steps"], rows, "Greatest differences"
    )
