"""Images of the boat lagoon, antialiased by the distance of each pixel from each edge."""

from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from proxylab_envs.boat_lagoon.core import LagoonCore
from proxylab_envs.boat_lagoon.geometry import HEADINGS, INNER, OUTER, SPOKES, build_walls
from proxylab_envs.boat_lagoon.level import COLUMN, HALF_WIDTH, NUM_SPOKES, outer_columns
from proxylab_envs.boat_lagoon.solver import LAPS, MAX_STEPS

PIXELS = 400
SMALL = 64  # pixels of the optional observation
MARGIN = 1.5  # world units around the course

GRASS, MEADOW = np.array([126, 168, 96.0]), np.array([143, 182, 108.0])
SAND, FOAM = np.array([232, 214, 165.0]), np.array([214, 236, 240.0])
DEEP, SHALLOW = np.array([43, 113, 168.0]), np.array([92, 186, 196.0])
WHITE, BLACK = np.array([250, 250, 250.0]), np.array([40, 40, 46.0])
TARGET, HULL, DECK = (
    np.array([240, 128, 44.0]),
    np.array([190, 44, 52.0]),
    np.array([252, 240, 222.0]),
)
TRACE = np.array([150, 220, 224.0])

ARROWS = "→↗↑↖←↙↓↘"


class View(NamedTuple):
    """The square, in world coordinates, that an image shows."""

    left: float  # world units
    top: float
    unit: float  # world units per pixel
    pixels: int


def render_rgb(core: LagoonCore, index: int, pixels: int = PIXELS) -> NDArray[np.uint8]:
    """uint8[pixels, pixels, 3]: environment ``index`` from above, north up."""
    level = tuple(core.centre[index].tolist()), int(core.lagoon[index])
    view, picture = fit_view(*level, pixels), background(*level, pixels).copy()
    for target, timer in zip(core.targets[index], core.timers[index], strict=True):
        if timer == 0:
            _disc(picture, view, target, 0.75, WHITE)
            _disc(picture, view, target, 0.6, TARGET)
            _disc(picture, view, target, 0.25, WHITE)
        elif timer > 0:
            _disc(picture, view, target, 0.35, TRACE)
    _boat(picture, view, core.position[index], HEADINGS[core.heading[index]])
    return picture.astype(np.uint8)


def observe_rgb(core: LagoonCore, indices: NDArray[np.int64]) -> None:
    """Write the images of ``indices`` (int64[K]) as observations."""
    for index in indices:
        core.observations[index] = render_rgb(core, index, SMALL)


def fit_view(centre: tuple[int, ...], lagoon: int, pixels: int) -> View:
    """The smallest :class:`View` that contains a course and its margin."""
    corners = _corners(np.array(centre), lagoon)[0]
    low, high = corners.min(0) - MARGIN, corners.max(0) + MARGIN
    extent = (high - low).max()
    left, top = (low[0] + high[0] - extent) / 2, (low[1] + high[1] + extent) / 2
    return View(left, top, extent / pixels, pixels)


@lru_cache(maxsize=512)
def background(centre: tuple[int, ...], lagoon: int, pixels: int) -> NDArray[np.float32]:
    """float32[pixels, pixels, 3]: a course without boat and targets."""
    view = fit_view(centre, lagoon, pixels)
    x, y = _grid(view, slice(0, pixels), slice(0, pixels))
    shore, unit = _shore_distance(np.array(centre), lagoon, x, y), view.unit
    stripes = (np.floor((x + y) / 2) % 2)[..., None]
    picture = GRASS + (MEADOW - GRASS) * stripes
    picture = _blend(picture, SAND, _inside(shore - 0.6, unit))
    bulge = (np.hypot(x, y) - _across(np.array(centre), x, y)) / COLUMN / HALF_WIDTH - 0.6
    shallow = np.clip(bulge / 1.2, 0, 1)[..., None]
    water = DEEP + (SHALLOW - DEEP) * np.maximum(shallow, 0.35 * np.exp(shore / 0.8)[..., None])
    picture = _blend(picture, FOAM, _inside(shore, unit))
    picture = _blend(picture, water, _inside(shore + 0.15, unit))
    return _finish_line(picture, shore, x, y, unit).astype(np.float32)


def _grid(
    view: View, rows: slice, columns: slice
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """World coordinates x and y of the pixel centres, float64[rows, columns] each."""
    steps = (np.arange(view.pixels) + 0.5) * view.unit
    return np.meshgrid(view.left + steps[columns], view.top - steps[rows])


def _corners(centre: NDArray[np.int64], lagoon: int) -> list[NDArray[np.float64]]:
    """Corners of the outer and the inner wall: two float64[24, 2]."""
    columns = outer_columns(centre, lagoon), centre - HALF_WIDTH
    return [COLUMN * radii[:, None] * SPOKES[:NUM_SPOKES] for radii in columns]


def _shore_distance(
    centre: NDArray[np.int64], lagoon: int, x: NDArray[np.float64], y: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Distance of each pixel from the nearest wall, negative in the water."""
    walls, middle = np.empty((1, NUM_SPOKES, 9)), np.empty((NUM_SPOKES, 2))
    build_walls(centre, lagoon, walls[0], middle)
    spoke = np.arctan2(y, x) / (2 * np.pi) * NUM_SPOKES
    lines = walls[0, np.floor(spoke).astype(int) % NUM_SPOKES]
    out = lines[..., OUTER] * x + lines[..., OUTER + 1] * y - lines[..., OUTER + 2]
    into = lines[..., INNER] * x + lines[..., INNER + 1] * y - lines[..., INNER + 2]
    distance = np.full(x.shape, np.inf)
    for corners in _corners(centre, lagoon):
        for a, b in zip(corners, np.roll(corners, -1, 0), strict=True):
            distance = np.minimum(distance, _segment_distance(a, b - a, x, y))
    return np.where((out < 0) & (into > 0), -distance, distance)


def _segment_distance(
    start: NDArray[np.float64],
    edge: NDArray[np.float64],
    x: NDArray[np.float64],
    y: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Distance of each pixel from the segment ``start`` to ``start + edge``."""
    x, y = x - start[0], y - start[1]
    share = np.clip((x * edge[0] + y * edge[1]) / (edge @ edge), 0, 1)
    return np.hypot(x - share * edge[0], y - share * edge[1])


def _across(
    centre: NDArray[np.int64], x: NDArray[np.float64], y: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Approximate distance of the centreline from the origin in the direction of each pixel."""
    spoke = np.arctan2(y, x) / (2 * np.pi) * NUM_SPOKES % NUM_SPOKES
    k, share = spoke.astype(int) % NUM_SPOKES, spoke % 1
    return COLUMN * ((1 - share) * centre[k] + share * centre[(k + 1) % NUM_SPOKES])


def _finish_line(
    picture: NDArray[np.float64],
    shore: NDArray[np.float64],
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    unit: float,
) -> NDArray[np.float64]:
    """A chequered band across the water at spoke 0."""
    band = _inside(np.abs(y) - 0.5, unit) * _inside(shore + 0.1, unit) * (x > 0)
    chequer = ((np.floor(x / 0.5) + np.floor(y / 0.5)) % 2)[..., None]
    return _blend(picture, BLACK + (WHITE - BLACK) * chequer, band)


def _inside(distance: NDArray[np.float64], unit: float) -> NDArray[np.float64]:
    """Share of each pixel (of size ``unit``) on the negative side of an edge."""
    return np.clip(0.5 - distance / unit, 0, 1)


def _blend(
    picture: NDArray[Any], colour: NDArray[np.float64], share: NDArray[np.float64]
) -> NDArray[Any]:
    return picture + (colour - picture) * share[..., None]


def _patch(
    picture: NDArray[np.float32], view: View, position: NDArray[np.float64], reach: float
) -> tuple[NDArray[np.float32], NDArray[np.float64], NDArray[np.float64]]:
    """The part of an image around a position, and the world coordinates of its pixels."""
    column, row = (position[0] - view.left) / view.unit, (view.top - position[1]) / view.unit
    reach = reach / view.unit
    rows, columns = (
        slice(max(int(at - reach) - 1, 0), max(int(at + reach) + 2, 0)) for at in (row, column)
    )
    return picture[rows, columns], *_grid(view, rows, columns)


def _disc(
    picture: NDArray[np.float32],
    view: View,
    position: NDArray[np.float64],
    radius: float,
    colour: NDArray[np.float64],
) -> None:
    part, x, y = _patch(picture, view, position, radius)
    distance = np.hypot(x - position[0], y - position[1]) - radius
    part[...] = _blend(part, colour, _inside(distance, view.unit))


def _boat(
    picture: NDArray[np.float32],
    view: View,
    position: NDArray[np.float64],
    bow: NDArray[np.float64],
) -> None:
    """A hull with a pointed bow, a deck in it, and a wake behind."""
    part, x, y = _patch(picture, view, position, 2.2)
    ahead = (x - position[0]) * bow[0] + (y - position[1]) * bow[1]
    side = np.abs((x - position[0]) * bow[1] - (y - position[1]) * bow[0])
    wake = np.maximum(np.maximum(ahead + 0.9, -2.0 - ahead), side - 0.18 * -ahead)
    part[...] = _blend(part, FOAM, 0.55 * _inside(wake, view.unit))
    for scale, colour in ((1.25, WHITE), (1.0, HULL), (0.5, DECK)):
        hull = np.maximum(-1.0 * scale - ahead, side - 0.55 * scale)
        bows = (ahead - 1.35 * scale) * 0.55 + side * 0.85
        part[...] = _blend(part, colour, _inside(np.maximum(hull, bows), view.unit))


def render_ansi(core: LagoonCore, index: int, width: int = 72, height: int = 36) -> str:
    """str: ``#`` land, ``~`` water, ``=`` finish line, ``o`` targets, an arrow for the boat."""
    centre, lagoon = core.centre[index], int(core.lagoon[index])
    view = fit_view(tuple(centre.tolist()), lagoon, width)
    rows = (np.arange(height) + 0.5) * width / height
    x, y = np.meshgrid(
        view.left + (np.arange(width) + 0.5) * view.unit, view.top - rows * view.unit
    )
    water = _shore_distance(centre, lagoon, x, y) < 0
    cells = np.where(water, "~", "#")
    cells[water & (np.abs(y) < view.unit) & (x > 0)] = "="

    def put(position: NDArray[np.float64], character: str) -> None:
        column, row = (position[0] - view.left) / view.unit, (view.top - position[1]) / view.unit
        cells[int(row * height / width), int(column)] = character

    for target, timer in zip(core.targets[index], core.timers[index], strict=True):
        if timer >= 0:
            put(target, "o" if timer == 0 else ".")
    put(core.position[index], ARROWS[(int(core.heading[index]) + 1) // 3 % 8])
    score, laps = core.returns[index, 1], core.best[index]
    status = f"step {core.steps[index]}/{MAX_STEPS}  lap {laps:.2f}/{LAPS}  score {score:.2f}"
    return "\n".join(["".join(row) for row in cells] + [status])
