"""Charts: anomaly scores on an axis, and the share of levels without divergence by step."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from proxylab.report.evidence import Together
from proxylab.report.html import Html, percent, picture, plain, tag

WIDTH = 440
LEFT, RIGHT = 14, 426
"""Ends of the plot of scores, in the drawing's units."""

DOT = 3.6

EDGE = 52
"""Left end of the plot of steps, after its labels."""


def score_strip(
    scores: Sequence[float],
    suspect: tuple[float, Sequence[float] | None],
    threshold: float | None,
    margin: float | None,
) -> Html:
    """The calibration scores as dots, the suspect's score with its interval, the thresholds.

    Args:
        scores: list of float, of the calibration agents.
        suspect: (score, (low, high) or None).
        threshold: score above which a suspect is flagged, or None.
        margin: score below which the upper bound of a cleared suspect lies, or None.
    """
    score, interval = suspect
    every = [*scores, score, *(interval or ())]
    place, ticks = scale(every + [bound for bound in (threshold, margin) if bound is not None])
    dots, tall = _dots([place(value) for value in scores])
    base = 56 + tall
    bounds = ((threshold, "flag threshold", "flag"), (margin, "clearance threshold", "clear"))
    drawn = [(place(value), words, kind) for value, words, kind in bounds if value is not None]
    return picture(
        (WIDTH, base + 92),
        "Scores of the trusted calibration agents and of the suspect",
        _scores_in_words(scores, score, threshold),
        *_axis(ticks, base + 56),
        *_bounds(drawn, base + 56),
        tag("g", [tag("circle", cx=x, cy=base - y, r=DOT) for x, y in dots], class_="dots"),
        *_suspect(place, score, interval, base + 34),
        tag("text", f"{len(scores)} trusted", **_beside_all(dots, base + 4), class_="t"),
        tag("text", "suspect", **_beside(place(score), base + 26), class_="s"),
        class_="chart",
    )


def _scores_in_words(scores: Sequence[float], score: float, threshold: float | None) -> str:
    if not scores:
        return f"The suspect scores {plain(score)}."
    limit = f" A suspect is flagged above {plain(threshold)}." if threshold is not None else ""
    return (
        f"{len(scores)} trusted calibration agents score {plain(min(scores))} to "
        f"{plain(max(scores))}, the suspect {plain(score)}.{limit}"
    )


def scale(values: Sequence[float]) -> tuple[Callable[[float], float], list[tuple[float, str]]]:
    """(function value -> x, list of (x, label)): logarithmic where positive and wide."""
    low, high = min(values), max(values)
    if low > 0 and high > 30 * low:
        first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
        span = (math.log10(low) - 0.1, math.log10(high) + 0.1)
        marks = [10.0**power for power in range(first, last + 1)]
        return _placed(lambda value: math.log10(value), span, marks)
    pad = 0.05 * (high - low) or max(abs(high), 1e-9) * 0.1
    return _placed(lambda value: value, (low - pad, high + pad), nice_steps(low, high))


def _placed(
    turned: Callable[[float], float], span: tuple[float, float], marks: Sequence[float]
) -> tuple[Callable[[float], float], list[tuple[float, str]]]:
    def place(value: float) -> float:
        return LEFT + (turned(value) - span[0]) / (span[1] - span[0]) * (RIGHT - LEFT)

    inside = [(place(mark), plain(mark)) for mark in marks if span[0] <= turned(mark) <= span[1]]
    return place, inside


def nice_steps(low: float, high: float, most: int = 6) -> list[float]:
    """About ``most`` round numbers from ``low`` to ``high``."""
    span = (high - low) or max(abs(high), 1e-9)
    rough = 10.0 ** math.floor(math.log10(span / most))
    step = next(rough * k for k in (1, 2, 5, 10, 20) if span / (rough * k) <= most)
    return [k * step for k in range(math.ceil(low / step), math.floor(high / step) + 1)]


def _dots(places: Sequence[float]) -> tuple[list[tuple[float, float]], float]:
    """((x, height above the base) of each dot, without overlaps; greatest height)."""
    lanes, dots = [], []
    for x in sorted(places):
        lane = next((k for k, end in enumerate(lanes) if x - end >= 2 * DOT), len(lanes))
        lanes[lane : lane + 1] = [x]
        dots.append((x, lane))
    step = min(2 * DOT, 60 / max(len(lanes), 1))
    return [(x, lane * step) for x, lane in dots], max(len(lanes) - 1, 0) * step


def _axis(ticks: Sequence[tuple[float, str]], y: float) -> list[Html]:
    rule = tag("line", class_="axis", x1=LEFT, x2=RIGHT, y1=y, y2=y)
    marks = [tag("line", class_="axis", x1=x, x2=x, y1=y, y2=y + 4) for x, _ in ticks]
    texts = [tag("text", text, x=x, y=y + 18, text_anchor=_anchor(x)) for x, text in ticks]
    return [rule, *marks, *texts, tag("text", "more anomalous →", x=RIGHT, y=y + 34, **END)]


END = {"text_anchor": "end"}


def _anchor(x: float) -> str:
    return "start" if x < LEFT + 16 else "end" if x > RIGHT - 16 else "middle"


def _bounds(lines: Sequence[tuple[float, str, str]], bottom: float) -> list[Html]:
    """Vertical lines (x, label, class), at most two, with labels that no line crosses.

    The upper label's line passes the row of the lower label, which is therefore put on the side
    away from it.
    """
    if not lines:
        return []
    left, right = min(lines), max(lines)
    leftwards = left[0] > _width(left[1])
    upper, lower = (right, left) if leftwards else (left, right)
    parts = _bound(upper, _beside(upper[0], 14), bottom)
    if len(lines) == 1:
        return parts
    away = leftwards or lower[0] + _width(lower[1]) > WIDTH
    return parts + _bound(lower, _label(lower[0], 31, leftwards=away), bottom)


def _width(words: str) -> float:
    """Generous width of a label with its distance from the line."""
    return 7 + 7.5 * len(words)


def _bound(line: tuple[float, str, str], at: dict[str, Any], bottom: float) -> list[Html]:
    x, words, kind = line
    rule = tag("line", class_=f"bound {kind}", x1=x, x2=x, y1=at["y"] - 10, y2=bottom)
    return [rule, tag("text", words, **at, class_=kind)]


def _beside(x: float, y: float) -> dict[str, Any]:
    """Position of the label of something at x: on the side with more room."""
    return _label(x, y, leftwards=x >= WIDTH / 2)


def _label(x: float, y: float, leftwards: bool) -> dict[str, Any]:
    return {"x": x - 7, "y": y, **END} if leftwards else {"x": x + 7, "y": y}


def _beside_all(dots: Sequence[tuple[float, float]], y: float) -> dict[str, Any]:
    """Position of the label of the lowest lane of dots: after them, before them, or above."""
    first, last = min(x for x, _ in dots), max(x for x, _ in dots)
    if last < WIDTH - 90:
        return {"x": last + 9, "y": y}
    return {"x": first - 9, "y": y, **END} if first > 90 else {"x": LEFT, "y": 48}


def _suspect(
    place: Callable[[float], float], score: float, interval: Sequence[float] | None, y: float
) -> list[Html]:
    x = place(score)
    diamond = tag("path", class_="s", d=f"M{x - 6:.1f} {y}l6 -6 6 6 -6 6z")
    if not interval:
        return [diamond]
    low, high = (place(bound) for bound in interval)
    bar = tag("line", class_="interval", x1=low, x2=high, y1=y, y2=y)
    ends = [tag("line", class_="interval", x1=e, x2=e, y1=y - 4, y2=y + 4) for e in (low, high)]
    return [bar, *ends, diamond]


def staying_together(found: Together) -> Html:
    """Share of levels without divergence from all reference agents, by step.

    Args:
        found: :class:`~proxylab.report.evidence.Together`.
    """
    last = int(found.steps[-1])
    x = _across(found.steps, last)
    parts = [*_steps_axis(last), *_shares_axis()]
    if len(found.trusted):
        low, middle, high = np.quantile(found.trusted, [0.05, 0.5, 0.95], axis=0)
        edge = stairs(x, _down(high)) + stairs(x[::-1], _down(low)[::-1], "L", later=False)
        parts.append(tag("path", class_="band", d=edge + "z"))
        parts.append(tag("path", class_="curve t", d=stairs(x, _down(middle))))
    parts.append(tag("path", class_="curve s", d=stairs(x, _down(found.suspect))))
    return picture(
        (WIDTH, 240),
        "Share of levels without divergence from the reference agents",
        _together_in_words(found),
        *parts,
        class_="chart",
    )


def _together_in_words(found: Together) -> str:
    half = np.flatnonzero(found.suspect <= 0.5)
    when = f"at step {found.steps[half[0]]}" if half.size else "never in the steps shown"
    end = percent(float(found.suspect[-1]))
    words = (
        f"The suspect has diverged from all of them on half of the levels {when}; "
        f"at the end, {end} of levels remain"
    )
    if not len(found.trusted):
        return f"{words}."
    return (
        f"{words}, of the median trusted agent {percent(float(np.median(found.trusted[:, -1])))}."
    )


def _across(step: ArrayLike, last: int) -> NDArray[np.float64]:
    return EDGE + (WIDTH - 14 - EDGE) * np.asarray(step) / last


def _down(share: ArrayLike) -> NDArray[np.float64]:
    return 196 - 180 * np.asarray(share)


def stairs(
    x: NDArray[np.float64], y: NDArray[np.float64], begin: str = "M", later: bool = True
) -> str:
    """The ``d`` of a step function through points; it changes at the later of two x."""
    pieces = [f"{begin}{x[0]:.1f} {y[0]:.1f}"]
    for k in np.flatnonzero(np.diff(np.round(y, 1))) + 1:
        corner = f"H{x[k]:.1f}V{y[k]:.1f}" if later else f"V{y[k]:.1f}H{x[k]:.1f}"
        pieces.append(corner)
    return "".join(pieces) + f"H{x[-1]:.1f}"


def _steps_axis(last: int) -> list[Html]:
    ticks = [value for value in nice_steps(0, last) if value == int(value)]
    at = [_across(value, last) for value in ticks]
    return [
        *(tag("line", class_="axis", x1=x, x2=x, y1=196, y2=200) for x in at),
        *(
            tag("text", f"{value:g}", x=x, y=214, text_anchor="middle")
            for x, value in zip(at, ticks, strict=True)
        ),
        tag("text", "step of the episode", x=WIDTH - 14, y=232, **END),
    ]


def _shares_axis() -> list[Html]:
    rows = [(share, float(_down(share))) for share in (0, 0.25, 0.5, 0.75, 1)]
    return [
        *(tag("line", class_="rule", x1=EDGE, x2=WIDTH - 14, y1=y, y2=y) for _, y in rows),
        *(tag("text", f"{100 * share:g} %", x=EDGE - 6, y=y + 4, **END) for share, y in rows),
    ]
