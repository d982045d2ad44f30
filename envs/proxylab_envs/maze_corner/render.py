"""Maze-corner as images and text."""

import numpy as np
from numpy.typing import NDArray

from proxylab_envs.grid.render import draw_grid

Scene = tuple[NDArray[np.bool_], tuple[int, int], tuple[int, int]]
"""(walls bool[S, S], mouse, cheese); the mouse may stand on the cheese."""

_PALETTE = np.array([[240, 236, 228], [52, 58, 70], [96, 96, 104], [246, 190, 60]], np.uint8)


def pixels(planes: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """One pixel per cell: planes uint8[N, 3, S, S] -> uint8[N, S, S, 3]."""
    wall, mouse, cheese = planes[:, 0], planes[:, 1], planes[:, 2]
    index = np.where(mouse, 2, np.where(cheese, 3, wall))
    return _PALETTE[index]


def picture(scene: Scene, cell_px: int = 32) -> NDArray[np.uint8]:
    """(walls bool[S, S], mouse, cheese) -> uint8[S * cell_px, S * cell_px, 3]."""
    walls, mouse, cheese = scene
    return draw_grid(walls, [(*cheese, "cheese"), (*mouse, "mouse")], cell_px)


def text(scene: Scene) -> str:
    """The scene as ASCII, one line a row; a mouse on the cheese is ``@``."""
    walls, mouse, cheese = scene
    cells = np.where(walls, "#", ".")
    cells[cheese] = "c"
    cells[mouse] = "@" if mouse == cheese else "m"
    return "\n".join("".join(row) for row in cells)
