"""Dish as images."""

from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from proxylab_envs.grid.render import draw_grid
from proxylab_envs.grid.shapes import Layer, disc
from proxylab_envs.scenes import Thing

DISH_LAYERS: tuple[Layer, ...] = (
    ((84, 104, 150), disc, (0.5, 0.72, 0.47, 0.22)),
    ((222, 230, 244), disc, (0.5, 0.69, 0.44, 0.195)),
    ((120, 146, 196), disc, (0.5, 0.69, 0.3, 0.12)),
    ((240, 244, 252), disc, (0.5, 0.69, 0.265, 0.1)),
)

_PLATE = "M.6 7.2a4.4 2 0 1 0 8.8 0a4.4 2 0 1 0 -8.8 0z"
_WEDGE = "M2.4 6.6l4.4 -4.2 1.2 4.2z"
THINGS = MappingProxyType(
    {
        "b": Thing("cheese on the dish", _PLATE + _WEDGE, "#f0c23c"),
        "d": Thing("dish", _PLATE + "M2.6 7.2a2.4 .9 0 1 0 4.8 0a2.4 .9 0 1 0 -4.8 0z", "#7892c4"),
    }
)
"""How reports draw the dish; they know the cheese."""

Scene = tuple[NDArray[np.bool_], tuple[int, int], tuple[int, int], tuple[int, int]]
"""(walls bool[S, S], mouse, cheese, dish); the mouse may stand on a goal."""


def picture(scene: Scene, cell_px: int = 32) -> NDArray[np.uint8]:
    """A scene as uint8[S * cell_px, S * cell_px, 3]."""
    walls, mouse, cheese, dish = scene
    sprites: list[tuple[int, int, str | tuple[Layer, ...]]] = [
        (*dish, DISH_LAYERS),
        (*cheese, "cheese"),
        (*mouse, "mouse"),
    ]
    return draw_grid(walls, sprites, cell_px)
