"""Keys-chests as images and text."""

from types import MappingProxyType
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from proxylab_envs.grid.ascii import format_grid
from proxylab_envs.grid.render import draw_grid
from proxylab_envs.grid.shapes import Layer, disc, polygon, stroke
from proxylab_envs.keys_chests.level import AGENT, CHEST, FREE, KEY, SYMBOLS, WALL
from proxylab_envs.scenes import Thing

ON_CHEST = len(SYMBOLS)
COUNTS = "123456789"
MANY = ON_CHEST + 1 + len(COUNTS)

_GOLD, _DARK, _WOOD, _LID, _INK = (
    (232, 180, 52), (150, 104, 24), (150, 96, 54), (176, 116, 66), (60, 40, 26)
)  # fmt: skip
KEY_LAYERS: tuple[Layer, ...] = (
    (_DARK, disc, (0.3, 0.42, 0.2)),
    (_GOLD, disc, (0.3, 0.42, 0.165)),
    (_DARK, disc, (0.3, 0.42, 0.085)),
    (_DARK, stroke, (0.11, (0.47, 0.47), (0.84, 0.6))),
    (_DARK, stroke, (0.09, (0.7, 0.56), (0.65, 0.72))),
    (_DARK, stroke, (0.09, (0.82, 0.6), (0.77, 0.76))),
    (_GOLD, stroke, (0.06, (0.47, 0.47), (0.83, 0.595))),
)
CHEST_LAYERS: tuple[Layer, ...] = (
    (_INK, polygon, ((0.1, 0.3), (0.22, 0.17), (0.78, 0.17), (0.9, 0.3), (0.9, 0.84), (0.1, 0.84))),
    (_LID, polygon, ((0.14, 0.32), (0.25, 0.21), (0.75, 0.21), (0.86, 0.32), (0.86, 0.46),
                     (0.14, 0.46))),
    (_WOOD, polygon, ((0.14, 0.5), (0.86, 0.5), (0.86, 0.8), (0.14, 0.8))),
    (_GOLD, polygon, ((0.41, 0.38), (0.59, 0.38), (0.59, 0.62), (0.41, 0.62))),
    (_INK, disc, (0.5, 0.5, 0.045)),
)  # fmt: skip

THINGS = MappingProxyType(
    {
        "k": Thing(
            "key",
            "M3 2.6a2 2 0 1 0 .01 0zM3 3.8a.8 .8 0 1 1 -.01 0z"
            "M4.9 4.1h3.9v3h-1.1v-1.7h-.8v1.2h-1.1v-1.2h-.9z",
            "#e8b434",
        ),
        "x": Thing("chest", "M1.6 2.4h6.8v5.6h-6.8zM4.3 4.3h1.4v1.6h-1.4z", "#b07442"),
    }
)
"""How reports draw keys and chests."""


class Scene(NamedTuple):
    """The state of a level: keys on the floor, closed chests; the agent may be on a chest."""

    walls: NDArray[np.bool_]
    agent: tuple[int, int]
    keys: tuple[tuple[int, int], ...]
    chests: tuple[tuple[int, int], ...]


def picture(scene: Scene, held: int, cell_px: int = 32) -> NDArray[np.uint8]:
    """A scene as uint8[32 S, 32 S, 3]; the keys in hand are drawn along the top wall.

    Args:
        scene: :class:`Scene`.
        held: number of keys in hand.
        cell_px: side of a cell in pixels.
    """
    sprites: list[tuple[int, int, str | tuple[Layer, ...]]] = [
        (*place, KEY_LAYERS) for place in scene.keys
    ]
    sprites += [(*place, CHEST_LAYERS) for place in scene.chests]
    columns = len(scene.walls)
    sprites += [(k // columns, k % columns, KEY_LAYERS) for k in range(held)]
    return draw_grid(scene.walls, [*sprites, (*scene.agent, "mouse")], cell_px)


def text(scene: Scene, held: int) -> str:
    """A scene as ASCII, one line a row.

    The agent is ``a`` without a key, else the number of keys in hand (``+`` for ten or more);
    without a key on a closed chest it is ``@``.
    """
    codes = np.where(scene.walls, WALL, FREE)
    for places, code in ((scene.keys, KEY), (scene.chests, CHEST)):
        for place in places:
            codes[place] = code
    agent = ON_CHEST if scene.agent in scene.chests else AGENT
    codes[scene.agent] = min(ON_CHEST + held, MANY) if held else agent
    return format_grid(codes, SYMBOLS + "@" + COUNTS + "+")
