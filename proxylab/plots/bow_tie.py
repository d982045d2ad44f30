"""The bow tie: threats run through preventive barriers into the event, and on to what is lost."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

from proxylab.plots.style import GREEN, GREY, INK, PALE, VERMILLION, new_figure, styled

STOPS_TO_PASSES = LinearSegmentedColormap.from_list("pass rate", ["#B9E2D3", "#FFFFFF", "#F3B48C"])
STEP = 1.15
"""Distance of two barriers, in units of the axis."""

KNOT = 1.6
"""Distance of the event from the nearest barriers."""

BOX = 2.1
"""Width of the boxes of threats and of consequences."""


class Side(NamedTuple):
    """The barriers of one side: names, pass rates [threat][barrier], honest agents stopped."""

    names: list[str]
    passed: list[list[float]]
    honest: list[float]


@styled
def bow_tie_figure(tie: Mapping[str, Any]) -> Figure:
    """Draw a bow tie.

    Args:
        tie: the JSON of ``proxylab bowtie``.

    Returns:
        A figure. A cell is the share of failing agents that a barrier lets pass: green stops, red
        lets pass. On the right, the mean loss without barriers and behind all of them.
    """
    threats = tie["threats"]
    left, right = (_side(tie["barriers"], threats, where) for where in ("left", "right"))
    width = 2 * BOX + STEP * (len(left.names) + len(right.names) + 2) + 2 * KNOT
    figure = new_figure(0.78 * width, 0.6 * len(threats) + 1.9)
    axes = figure.subplots()
    rows = np.arange(len(threats))[::-1].astype(float)
    middle = float(rows.mean())
    first = STEP * np.arange(len(left.names)) + 0.8
    knot = (first[-1] if first.size else 0) + KNOT
    then = knot + KNOT + STEP * np.arange(len(right.names))
    end = (then[-1] if then.size else knot) + 0.8
    for y, threat in zip(rows, threats, strict=True):
        _strand(axes, (0, first, knot, then, end), float(y), middle)
        occurs = (
            "" if threat["occurrence"] is None else f", {threat['occurrence']['value']:.0%} fail"
        )
        _box(axes, -BOX, y, f"{threat['name']}\n{threat['agents']} agents{occurs}", PALE)
        lost = threat["severity"]["value"]
        _box(
            axes,
            end,
            y,
            f"loses {100 * lost:.2g}% alone\n{_limits(threat['both'])} behind all",
            PALE,
        )
    _bars(axes, left, first, rows)
    _bars(axes, right, then, rows)
    _event(axes, knot, middle, tie["event"])
    top = len(threats) - 0.35
    for x, text in (
        (-BOX / 2, "threats"),
        (float(np.mean(first)), "preventive barriers: share of failing agents that pass"),
        (float(np.mean(then)), "recovery barriers"),
        (end + BOX / 2, "loss of true return"),
    ):
        axes.text(x, top + 0.85, text, ha="center", va="bottom", fontweight="bold", fontsize=9)
    axes.text(-BOX / 2, -0.72, "honest agents stopped", ha="center", va="center", fontsize=8)
    axes.set(xlim=(-BOX - 0.2, end + BOX + 0.2), ylim=(-1.05, top + 1.2))
    axes.set_title(f"{tie['task']}: {tie['hazard']}")
    axes.axis("off")
    return figure


def _side(barriers: Sequence[Mapping[str, Any]], threats: Sequence[Any], where: str) -> Side:
    """The :class:`Side` of the barriers on it."""
    own = [barrier for barrier in barriers if barrier["side"] == where]
    names = [threat["name"] for threat in threats]
    passed = [[barrier["passed"][name]["value"] for barrier in own] for name in names]
    honest = [barrier["honest_stopped"]["value"] for barrier in own]
    return Side([barrier["name"] for barrier in own], passed, honest)


def _limits(number: Mapping[str, float]) -> str:
    value, low, high = (f"{100 * number[name]:.2g}" for name in ("value", "low", "high"))
    return f"{value}% [{low}, {high}]"


def _strand(axes: Axes, places: tuple[Any, ...], y: float, middle: float) -> None:
    """The line of a threat: level through the barriers, and through the knot between them."""
    start, first, knot, then, end = places
    from_, to = (first[-1] if first.size else start), (then[0] if then.size else end)
    bend = np.linspace(0, 1, 40)
    ease = bend * bend * (3 - 2 * bend)
    x = [np.array([start, from_]), from_ + (knot - from_) * bend, knot + (to - knot) * bend]
    rise = [np.full(2, y), y + (middle - y) * ease, middle + (y - middle) * ease]
    x, rise = [*x, np.array([to, end])], [*rise, np.full(2, y)]
    axes.plot(np.concatenate(x), np.concatenate(rise), color=GREY, linewidth=1.4, zorder=1)


def _bars(axes: Axes, side: Side, places: Any, rows: Any) -> None:
    """Each barrier as a bar across all strands, with its pass rates as holes."""
    for k, (name, x) in enumerate(zip(side.names, places, strict=True)):
        low, high = rows.min() - 0.42, rows.max() + 0.42
        axes.plot([x, x], [low, high], color=INK, linewidth=3, solid_capstyle="butt", zorder=2)
        axes.text(
            x,
            high + 0.12,
            name.replace(" ", "\n", 1),
            ha="center",
            va="bottom",
            fontsize=8,
        )
        for y, passed in zip(rows, side.passed, strict=True):
            _cell(axes, float(x), float(y), passed[k])
        axes.text(x, low - 0.3, f"{side.honest[k]:.0%}", ha="center", va="center", fontsize=8)


def _cell(axes: Axes, x: float, y: float, passed: float) -> None:
    colour = STOPS_TO_PASSES(passed)
    style: dict[str, Any] = {"boxstyle": "round,pad=0,rounding_size=0.12", "linewidth": 0.9}
    edge = GREEN if passed < 0.5 else VERMILLION
    axes.add_patch(
        FancyBboxPatch((x - 0.4, y - 0.26), 0.8, 0.52, fc=colour, ec=edge, zorder=3, **style)
    )
    axes.text(x, y, f"{passed:.0%}", ha="center", va="center", fontsize=8.5, zorder=4)


def _box(axes: Axes, x: float, y: float, text: str, colour: str) -> None:
    style: dict[str, Any] = {"boxstyle": "round,pad=0,rounding_size=0.1", "linewidth": 0}
    axes.add_patch(FancyBboxPatch((x, y - 0.36), BOX, 0.72, fc=colour, zorder=3, **style))
    axes.text(x + BOX / 2, y, text, ha="center", va="center", fontsize=8, zorder=4)


def _event(axes: Axes, x: float, y: float, text: str) -> None:
    """The knot."""
    words = text.replace(" is pursued ", "\nis pursued\n")
    axes.text(
        x,
        y,
        words,
        ha="center",
        va="center",
        fontsize=8.5,
        fontweight="bold",
        color="white",
        zorder=5,
        bbox={"boxstyle": "round,pad=0.5", "fc": VERMILLION, "ec": "none"},
    )
