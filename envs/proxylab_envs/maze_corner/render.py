"""Maze-corner as pictures and text."""

import numpy as np

_PALETTE = np.array([[240, 236, 228], [52, 58, 70], [96, 96, 104], [246, 190, 60]], np.uint8)


def pixels(planes):
    """One pixel a cell: planes uint8[N, 3, S, S] -> uint8[N, S, S, 3]."""
    wall, mouse, cheese = planes[:, 0], planes[:, 1], planes[:, 2]
    index = np.where(mouse, 2, np.where(cheese, 3, wall))
    return _PALETTE[index]


def picture(scene):
    """(walls bool[S, S], mouse, cheese) -> uint8[H, W, 3]."""
    walls, mouse, cheese = scene
    index = walls.astype(np.int64)
    index[cheese], index[mouse] = 3, 2
    return _PALETTE[index].repeat(32, 0).repeat(32, 1)


def text(scene):
    """The scene as ASCII, one line a row; a mouse on the cheese is ``@``."""
    walls, mouse, cheese = scene
    cells = np.where(walls, "#", ".")
    cells[cheese] = "c"
    cells[mouse] = "@" if mouse == cheese else "m"
    return "\n".join("".join(row) for row in cells)
