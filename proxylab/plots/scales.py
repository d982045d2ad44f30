"""Axes to scale: logarithmic with a place for 0, and marks where the scale is broken."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from proxylab.plots.style import INK

Places = Callable[[Any], NDArray[np.float64]]
"""From values to places on the axis."""

GAP = 0.5
"""Distance of 0 from the least positive value, in powers of ten."""


def broken_log(values: Sequence[float], gap: float = GAP) -> Places:
    """Places on a logarithmic axis on which 0 has a place of its own, before the rest.

    Args:
        values: all values to be shown; none is negative.
        gap: distance of 0 from the least positive value, in powers of ten.

    Returns:
        A function from values to places, in powers of ten.
    """
    least = min((value for value in values if value > 0), default=1.0)

    def places(shown: Any) -> NDArray[np.float64]:
        shown = np.asarray(shown, float)
        powers = np.log10(np.maximum(shown, least))
        return np.where(shown <= 0, np.log10(least) - gap, powers)

    return places


def log_ticks(
    axes: Axes, values: Sequence[float], labels: Sequence[str], gap: float = GAP
) -> Places:
    """Ticks of a :func:`broken_log` axis at all values, with a mark between 0 and the rest.

    Args:
        axes: whose horizontal axis it is.
        values: see :func:`broken_log`.
        labels: one for each value.
        gap: see :func:`broken_log`.

    Returns:
        The places.
    """
    places = broken_log(values, gap)
    axes.set_xticks(places(values), labels)
    positive = [value for value in values if value > 0]
    if positive and min(values) <= 0:
        mark_break(axes, float(places([0.0, min(positive)]).mean()))
    return places


def mark_break(axes: Axes, place: float) -> None:
    """Two strokes across the horizontal axis at ``place``: the scale is broken there."""
    axes.annotate(
        *("//", (place, 0)),
        xycoords=axes.get_xaxis_transform(),
        ha="center",
        va="center",
        fontsize=9,
        color=INK,
        annotation_clip=False,
        zorder=6,
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.6},
    )
