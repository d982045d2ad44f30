"""colour-shape as images for people."""

from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from proxylab_envs.dish.render import Scene
from proxylab_envs.grid.render import draw_grid
from proxylab_envs.grid.shapes import Colour, Layer, Point, polygon
from proxylab_envs.scenes import Thing

_GEM: tuple[Point, ...] = ((0.5, 0.1), (0.88, 0.5), (0.5, 0.9), (0.12, 0.5))
_FACET: tuple[Point, ...] = ((0.5, 0.26), (0.72, 0.5), (0.5, 0.5), (0.28, 0.5))
_STAR: tuple[Point, ...] = tuple(
    (
        float(0.5 + radius * np.sin(np.pi * k / 5)),
        float(0.52 - radius * np.cos(np.pi * k / 5)),
    )
    for k, radius in enumerate((0.44, 0.18) * 5)
)


def _gem(dark: Colour, light: Colour) -> tuple[Layer, ...]:
    return ((dark, polygon, _GEM), (light, polygon, _FACET))


YELLOW_GEM = _gem((226, 172, 20), (255, 226, 110))
RED_GEM = _gem((196, 40, 44), (240, 120, 116))
STAR: tuple[Layer, ...] = (((226, 172, 20), polygon, _STAR),)


def _path(points: tuple[Point, ...]) -> str:
    """Outline of a report's drawing, on a square of side 10."""
    return "M" + "L".join(f"{10 * x:.1f} {10 * y:.1f}" for x, y in points) + "z"


THINGS = MappingProxyType(
    {
        "y": Thing("yellow gem", _path(_GEM), "#e2ac14"),
        "r": Thing("red gem", _path(_GEM), "#c4282c"),
        "s": Thing("yellow star", _path(_STAR), "#e2ac14"),
    }
)
"""How reports draw the objects."""


def picture(scene: Scene, cell_px: int = 32) -> NDArray[np.uint8]:
    """A scene (walls, mouse, gem, yellow object) as uint8[S * cell_px, S * cell_px, 3]."""
    walls, mouse, gem, yellow = scene
    sprites: list[tuple[int, int, str | tuple[Layer, ...]]] = [
        (*yellow, STAR),
        (*gem, RED_GEM),
        (*mouse, "mouse"),
    ]
    if gem == yellow:
        sprites[:2] = [(*gem, YELLOW_GEM)]
    return draw_grid(walls, sprites, cell_px)
