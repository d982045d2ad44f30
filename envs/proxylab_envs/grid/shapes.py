"""Flat shapes on the unit square as boolean masks, and sprites made of them.

A sprite is a tuple of layers (colour, shape), painted in order with
``SAMPLES`` samples per pixel side and averaged (antialiasing).
Coordinates run from (0, 0), top left, to (1, 1).
"""

from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

SAMPLES = 6

Point = tuple[float, float]
Colour = tuple[int, int, int]
"""(red, green, blue), each 0 to 255."""
Layer = tuple[Colour, Callable[..., NDArray[np.bool_]], tuple[Any, ...]]
"""(colour, shape function, its arguments after x and y)."""


def disc(
    x: NDArray[Any],
    y: NDArray[Any],
    cx: float,
    cy: float,
    rx: float,
    ry: float | None = None,
    turn: float = 0.0,
) -> NDArray[np.bool_]:
    """Ellipse around (cx, cy) with half axes rx, ry, turned clockwise by ``turn`` degrees."""
    cos, sin = np.cos(np.radians(turn)), np.sin(np.radians(turn))
    along, across = (x - cx) * cos + (y - cy) * sin, (y - cy) * cos - (x - cx) * sin
    return (along / rx) ** 2 + (across / (ry or rx)) ** 2 <= 1


def polygon(x: NDArray[Any], y: NDArray[Any], *corners: Point) -> NDArray[np.bool_]:
    """Closed polygon through ``corners``, filled by the even-odd rule."""
    inside = np.zeros(np.broadcast(x, y).shape, bool)
    for (x0, y0), (x1, y1) in zip(corners, (*corners[1:], corners[0]), strict=True):
        if y0 == y1:
            continue
        crosses = ((y0 > y) != (y1 > y)) & (x < x0 + (y - y0) * (x1 - x0) / (y1 - y0))
        inside ^= crosses
    return inside


def stroke(x: NDArray[Any], y: NDArray[Any], width: float, *points: Point) -> NDArray[np.bool_]:
    """Line of ``width`` through ``points``, with round ends."""
    return line_distance(x, y, points) <= width / 2


def line_distance(x: NDArray[Any], y: NDArray[Any], points: Sequence[Point]) -> NDArray[np.float64]:
    """Distance of every (x, y) to the line through ``points``."""
    nearest = np.full(np.broadcast(x, y).shape, np.inf)
    for (x0, y0), (x1, y1) in pairwise(points):
        dx, dy = x1 - x0, y1 - y0
        share = ((x - x0) * dx + (y - y0) * dy) / max(dx * dx + dy * dy, 1e-12)
        share = np.clip(share, 0, 1)
        nearest = np.minimum(nearest, np.hypot(x - x0 - share * dx, y - y0 - share * dy))
    return nearest


_FUR, _FUR_LIGHT, _PINK, _INK = (132, 132, 142), (176, 176, 186), (240, 164, 172), (36, 36, 44)
_MOUSE = (
    (_PINK, stroke, (0.055, (0.2, 0.72), (0.09, 0.66), (0.06, 0.52), (0.12, 0.42), (0.1, 0.32))),
    (_FUR, disc, (0.42, 0.62, 0.29, 0.22, -6)),
    (_FUR, disc, (0.7, 0.58, 0.21, 0.155, 18)),
    (_FUR_LIGHT, disc, (0.42, 0.74, 0.2, 0.085, -3)),
    (_FUR, disc, (0.53, 0.38, 0.13)),
    (_PINK, disc, (0.53, 0.385, 0.08)),
    (_FUR, disc, (0.72, 0.4, 0.12)),
    (_PINK, disc, (0.72, 0.405, 0.072)),
    (_INK, disc, (0.77, 0.56, 0.038)),
    (_PINK, disc, (0.9, 0.66, 0.042)),
    (_PINK, disc, (0.32, 0.83, 0.07, 0.035)),
    (_PINK, disc, (0.56, 0.82, 0.07, 0.035)),
)
_RIND, _TOP, _SIDE, _HOLE = (214, 140, 28), (255, 222, 110), (247, 191, 58), (212, 146, 30)
_CHEESE = (
    (_RIND, polygon, ((0.07, 0.5), (0.66, 0.19), (0.94, 0.45), (0.94, 0.83), (0.07, 0.83))),
    (_TOP, polygon, ((0.1, 0.5), (0.66, 0.22), (0.91, 0.46))),
    (_SIDE, polygon, ((0.1, 0.53), (0.91, 0.49), (0.91, 0.8), (0.1, 0.8))),
    (_HOLE, disc, (0.27, 0.65, 0.075)),
    (_HOLE, disc, (0.5, 0.72, 0.06)),
    (_HOLE, disc, (0.72, 0.61, 0.085)),
    (_HOLE, disc, (0.62, 0.36, 0.085, 0.035, 6)),
)
_BOAT = (
    ((255, 255, 255), disc, (0.5, 0.8, 0.44, 0.09)),
    ((122, 74, 42), polygon, ((0.1, 0.6), (0.9, 0.6), (0.76, 0.82), (0.26, 0.82))),
    ((164, 104, 58), polygon, ((0.1, 0.6), (0.9, 0.6), (0.87, 0.655), (0.135, 0.655))),
    ((92, 60, 38), stroke, (0.05, (0.47, 0.12), (0.47, 0.6))),
    ((250, 248, 240), polygon, ((0.51, 0.12), (0.51, 0.54), (0.84, 0.54))),
    ((226, 222, 210), polygon, ((0.43, 0.2), (0.43, 0.54), (0.2, 0.54))),
    ((222, 70, 62), polygon, ((0.47, 0.06), (0.47, 0.16), (0.3, 0.11))),
)
_FLAG = (
    ((70, 70, 80), stroke, (0.06, (0.3, 0.12), (0.3, 0.88))),
    ((222, 70, 62), polygon, ((0.32, 0.13), (0.84, 0.3), (0.32, 0.48))),
)
_BUOY = (
    ((222, 70, 62), disc, (0.5, 0.5, 0.36)),
    ((255, 255, 255), disc, (0.5, 0.5, 0.24)),
    ((222, 70, 62), disc, (0.5, 0.5, 0.12)),
)
_SOIL, _STEM, _LEAF = (134, 96, 64), (86, 128, 58), (104, 158, 70)
_BED = ((_SOIL, disc, (0.5, 0.83, 0.38, 0.11)),)
_TOMATO = (
    *_BED,
    (_STEM, stroke, (0.06, (0.5, 0.82), (0.5, 0.2))),
    (_LEAF, disc, (0.3, 0.7, 0.18, 0.07, -25)),
    (_LEAF, disc, (0.7, 0.7, 0.18, 0.07, 25)),
    ((206, 50, 44), disc, (0.5, 0.44, 0.31, 0.27)),
    ((226, 78, 66), disc, (0.44, 0.39, 0.2, 0.16)),
    ((248, 160, 148), disc, (0.38, 0.33, 0.06, 0.045, -30)),
    (_STEM, polygon, ((0.5, 0.24), (0.66, 0.16), (0.58, 0.25), (0.7, 0.3), (0.5, 0.29),
                      (0.3, 0.3), (0.42, 0.25), (0.34, 0.16))),
    ((96, 170, 226), disc, (0.8, 0.52, 0.055, 0.07)),
    ((96, 170, 226), polygon, ((0.755, 0.5), (0.8, 0.4), (0.845, 0.5))),
)  # fmt: skip
_WILT, _STRAW = (170, 138, 74), (190, 160, 96)
_DRY_TOMATO = (
    *_BED,
    (_WILT, stroke, (0.06, (0.46, 0.82), (0.42, 0.5), (0.5, 0.36), (0.64, 0.4))),
    (_STRAW, disc, (0.28, 0.72, 0.17, 0.055, -50)),
    (_STRAW, disc, (0.6, 0.75, 0.15, 0.05, 45)),
    ((168, 100, 62), disc, (0.66, 0.53, 0.15, 0.14)),
    ((190, 124, 78), disc, (0.63, 0.5, 0.08, 0.07)),
)
_GARDENER = (
    ((70, 104, 160), polygon, ((0.3, 0.58), (0.7, 0.58), (0.76, 0.9), (0.24, 0.9))),
    ((238, 192, 150), disc, (0.5, 0.44, 0.19, 0.2)),
    (_INK, disc, (0.43, 0.45, 0.028, 0.035)),
    (_INK, disc, (0.57, 0.45, 0.028, 0.035)),
    ((222, 184, 92), disc, (0.5, 0.31, 0.33, 0.08)),
    ((232, 198, 112), polygon, ((0.31, 0.3), (0.37, 0.13), (0.63, 0.13), (0.69, 0.3))),
    ((178, 66, 54), polygon, ((0.325, 0.26), (0.31, 0.3), (0.69, 0.3), (0.675, 0.26))),
)


def _bucket(body: Colour, shade: Colour, rim: Colour) -> tuple[Layer, ...]:
    return (
        (rim, stroke, (0.04, (0.2, 0.34), (0.26, 0.14), (0.5, 0.07), (0.74, 0.14), (0.8, 0.34))),
        (body, polygon, ((0.16, 0.34), (0.84, 0.34), (0.72, 0.86), (0.28, 0.86))),
        (body, disc, (0.5, 0.86, 0.22, 0.05)),
        (shade, polygon, ((0.62, 0.34), (0.84, 0.34), (0.72, 0.87), (0.58, 0.88))),
        (rim, disc, (0.5, 0.34, 0.35, 0.09)),
        (shade, disc, (0.5, 0.345, 0.28, 0.055)),
    )


def _worn(body: Colour, shade: Colour, rim: Colour) -> tuple[Layer, ...]:
    """The same bucket, upside down over a head."""
    return (
        (body, polygon, ((0.2, 0.14), (0.8, 0.14), (0.88, 0.6), (0.12, 0.6))),
        (shade, polygon, ((0.62, 0.14), (0.8, 0.14), (0.88, 0.6), (0.66, 0.6))),
        (rim, disc, (0.5, 0.14, 0.3, 0.05)),
        (rim, polygon, ((0.12, 0.56), (0.88, 0.56), (0.9, 0.64), (0.1, 0.64))),
    )


_ZINC = ((120, 148, 196), (92, 118, 168), (66, 88, 132))
_RUST = ((176, 172, 166), (150, 144, 138), (112, 104, 98))
_UP = ((0.5, 0.16), (0.8, 0.5), (0.61, 0.5), (0.61, 0.84), (0.39, 0.84), (0.39, 0.5), (0.2, 0.5))


def _arrow(turn: Callable[[float, float], Point]) -> tuple[Layer, ...]:
    corners = tuple(turn(x, y) for x, y in _UP)
    return (((250, 214, 92), polygon, corners),)


SPRITES: dict[str, tuple[Layer, ...]] = {
    "mouse": _MOUSE,
    "cheese": _CHEESE,
    "boat": _BOAT,
    "flag": _FLAG,
    "buoy": _BUOY,
    "tomato": _TOMATO,
    "dry-tomato": _DRY_TOMATO,
    "gardener": _GARDENER,
    "bucket": _bucket(*_ZINC),
    "worn-bucket": _worn(*_ZINC),
    "dud-bucket": _bucket(*_RUST),
    "worn-dud-bucket": _worn(*_RUST),
    "arrow-up": _arrow(lambda x, y: (x, y)),
    "arrow-down": _arrow(lambda x, y: (x, 1 - y)),
    "arrow-left": _arrow(lambda x, y: (y, x)),
    "arrow-right": _arrow(lambda x, y: (1 - y, x)),
}
"""Name -> layers (colour, shape, its arguments), the lowest first."""


@lru_cache(maxsize=256)
def sprite(
    name: str | tuple[Layer, ...], pixels: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """A sprite of ``pixels`` by ``pixels``, with premultiplied colours.

    Args:
        name: a key of ``SPRITES``, or layers as they are there.
        pixels: side.

    Returns:
        float32[pixels, pixels, 3], colours times opacity, and float32[pixels, pixels, 1],
        opacity.

    Raises:
        ValueError: unknown sprite.
    """
    if isinstance(name, str) and name not in SPRITES:
        raise ValueError(f"unknown sprite {name!r}: choose {', '.join(SPRITES)}")
    side = pixels * SAMPLES
    ticks = (np.arange(side) + 0.5) / side
    x, y = ticks[None, :], ticks[:, None]
    paint = np.zeros((side, side, 4), np.float32)
    for colour, shape, arguments in SPRITES[name] if isinstance(name, str) else name:
        paint[shape(x, y, *arguments)] = (*colour, 1)
    small = paint.reshape(pixels, SAMPLES, pixels, SAMPLES, 4).mean(axis=(1, 3))
    return small[..., :3], small[..., 3:]
