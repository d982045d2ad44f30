"""Images of grids: walls, paths and sprites, drawn with numpy."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from proxylab_envs.grid.shapes import Colour, Layer, line_distance, sprite


class Theme(NamedTuple):
    """Colours of a grid, each (red, green, blue)."""

    floor: tuple[int, int, int]
    tile: tuple[int, int, int]  # every second floor cell
    wall: tuple[int, int, int]
    edge: tuple[int, int, int]  # lower edge of a wall above a floor cell


THEMES = {
    "maze": Theme((244, 240, 231), (238, 233, 222), (72, 80, 98), (50, 56, 70)),
    "water": Theme((98, 170, 214), (90, 163, 208), (226, 206, 160), (202, 178, 126)),
    "garden": Theme((214, 222, 170), (206, 215, 160), (74, 118, 72), (54, 90, 54)),
}


def draw_grid(
    walls: NDArray[np.bool_],
    sprites: Sequence[tuple[int, int, str | tuple[Layer, ...]]] = (),
    cell_px: int = 32,
    theme: str = "maze",
    paths: Sequence[tuple[NDArray[Any], Colour]] = (),
) -> NDArray[np.uint8]:
    """Draw a grid.

    Args:
        walls: bool[H, W].
        sprites: (row, column, name) of each object, drawn in this order; the names are
            those of ``shapes.SPRITES``, or an environment's own layers stand in their place.
        cell_px: side of a cell in pixels.
        theme: a key of ``THEMES``.
        paths: (cells, colour) of each line, drawn under the sprites; cells int[n, 2]
            (row, column), colour (red, green, blue).

    Returns:
        uint8[H * cell_px, W * cell_px, 3].
    """
    picture = _ground(np.asarray(walls, bool), cell_px, THEMES[theme])
    for k, (cells, colour) in enumerate(paths):
        shift = (k - (len(paths) - 1) / 2) * 0.16
        draw_path(picture, np.asarray(cells) + shift, colour, cell_px)
    for row, col, name in sprites:
        paint, opacity = sprite(name, cell_px)
        cell = picture[row * cell_px : (row + 1) * cell_px, col * cell_px : (col + 1) * cell_px]
        cell *= 1 - opacity
        cell += paint
    return np.clip(np.rint(picture), 0, 255).astype(np.uint8)


def draw_path(
    picture: NDArray[np.float32],
    cells: NDArray[Any],
    colour: Colour,
    cell_px: int,
    width: float = 0.14,
) -> None:
    """Draw an antialiased line through the centres of cells, in place.

    Args:
        picture: float32[H, W, 3].
        cells: float[n, 2], (row, column) of each cell, in order.
        colour: (red, green, blue).
        cell_px: side of a cell in pixels.
        width: of the line, in cells.
    """
    points = [((col + 0.5) * cell_px, (row + 0.5) * cell_px) for row, col in cells]
    cover = np.zeros(picture.shape[:2], np.float32)
    for start, end in pairwise(points):
        _cover_segment(cover, start, end, width * cell_px / 2)
    picture += cover[:, :, None] * (np.array(colour, np.float32) - picture)


def _cover_segment(
    cover: NDArray[np.float32], start: tuple[float, float], end: tuple[float, float], radius: float
) -> None:
    """Update ``cover`` (float32[H, W]): the share of each pixel that the segment covers."""
    (x0, y0), (x1, y1) = start, end
    top, bottom = _span(y0, y1, radius, cover.shape[0])
    left, right = _span(x0, x1, radius, cover.shape[1])
    y, x = np.arange(top, bottom)[:, None] + 0.5, np.arange(left, right)[None, :] + 0.5
    near = np.clip(radius + 0.5 - line_distance(x, y, (start, end)), 0, 1)
    box = cover[top:bottom, left:right]
    np.maximum(box, near, out=box)


def _span(a: float, b: float, margin: float, limit: int) -> tuple[int, int]:
    """Whole pixels from min(a, b) to max(a, b), ``margin`` wider, within [0, limit)."""
    return max(int(min(a, b) - margin - 1), 0), min(int(max(a, b) + margin + 2), limit)


def _ground(walls: NDArray[np.bool_], cell_px: int, theme: Theme) -> NDArray[np.float32]:
    """Floor tiles and walls: float32[H * cell_px, W * cell_px, 3]."""
    height, width = walls.shape
    odd = np.add.outer(np.arange(height), np.arange(width)) % 2
    kind = np.where(walls, 2, odd).repeat(cell_px, 0).repeat(cell_px, 1)
    colours = np.array([theme.floor, theme.tile, theme.wall, theme.edge], np.float32)
    below = np.ones_like(walls)
    below[:-1] = walls[1:]
    rim = max(cell_px // 6, 1)
    edges = (walls & ~below).repeat(cell_px, 0).repeat(cell_px, 1)
    edges &= (np.arange(height * cell_px) % cell_px >= cell_px - rim)[:, None]
    kind[edges] = 3
    return colours[kind]
