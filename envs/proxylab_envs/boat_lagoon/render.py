"""Pictures of the boat lagoon: antialiased by the distance of each pixel from each edge."""

from functools import lru_cache

import numpy as np

from proxylab_envs.boat_lagoon.geometry import HEADINGS, INNER, OUTER, SPOKES, build_walls
from proxylab_envs.boat_lagoon.level import COLUMN, HALF_WIDTH, NUM_SPOKES, outer_columns
from proxylab_envs.boat_lagoon.solver import LAPS, MAX_STEPS

PIXELS = 400
SMALL = 64  # pixels of the optional observation
EXTENT = 21.5  # world units from the middle of the picture to its border

GRASS, MEADOW = np.array([126, 168, 96.0]), np.array([143, 182, 108.0])
SAND, FOAM = np.array([232, 214, 165.0]), np.array([214, 236, 240.0])
DEEP, SHALLOW = np.array([43, 113, 168.0]), np.array([92, 186, 196.0])
WHITE, BLACK = np.array([250, 250, 250.0]), np.array([40, 40, 46.0])
TARGET, HULL, DECK = np.array([240, 128, 44.0]), np.array([190, 44, 52.0]), np.array([252, 240, 222.0])
TRACE = np.array([120, 205, 212.0])


def render_rgb(core, index, pixels=PIXELS):
    """uint8[pixels, pixels, 3]: environment ``index`` from above, north up."""
    centre = tuple(core.centre[index].tolist())
    picture = background(centre, int(core.lagoon[index]), pixels).copy()
    for target, timer in zip(core.targets[index], core.timers[index], strict=True):
        if timer == 0:
            _disc(picture, target, 0.75, WHITE)
            _disc(picture, target, 0.6, TARGET)
            _disc(picture, target, 0.25, WHITE)
        elif timer > 0:
            _disc(picture, target, 0.3, TRACE)
    _boat(picture, core.position[index], HEADINGS[core.heading[index]])
    return picture.astype(np.uint8)


def observe_rgb(core, indices):
    """Write the pictures of ``indices`` (int64[K]) as observations."""
    for index in indices:
        core.observations[index] = render_rgb(core, index, SMALL)


@lru_cache(maxsize=512)
def background(centre, lagoon, pixels):
    """float32[pixels, pixels, 3]: a course without boat and targets."""
    x, y = _grid(pixels, slice(0, pixels), slice(0, pixels))
    shore, radius = _shore_distance(np.array(centre), lagoon, x, y)
    unit = 2 * EXTENT / pixels
    stripes = (np.floor((x + y) / 3) % 2)[..., None]
    picture = GRASS + (MEADOW - GRASS) * stripes
    picture = _blend(picture, SAND, _inside(shore - 0.7, unit))
    spokes = np.floor(np.arctan2(y, x) / (2 * np.pi) * NUM_SPOKES) % NUM_SPOKES
    bulge = (radius - _across(np.array(centre), x, y, spokes)) / COLUMN / HALF_WIDTH - 0.6
    shallow = np.clip(bulge / 1.2, 0, 1)[..., None]
    water = DEEP + (SHALLOW - DEEP) * np.maximum(shallow, 0.35 * np.exp(shore / 0.8)[..., None])
    picture = _blend(picture, FOAM, _inside(shore, unit))
    picture = _blend(picture, water, _inside(shore + 0.15, unit))
    return _finish_line(picture, shore, x, y, unit).astype(np.float32)


def _grid(pixels, rows, columns):
    """World x and y of the pixels' centres, float64[rows, columns] each."""
    line = (np.arange(pixels) + 0.5) / pixels * 2 * EXTENT - EXTENT
    return np.meshgrid(line[columns], -line[rows])


def _shore_distance(centre, lagoon, x, y):
    """About how far each pixel lies from the shore (negative in the water), and from the origin."""
    walls, middle = np.empty((NUM_SPOKES, 9)), np.empty((NUM_SPOKES, 2))
    build_walls(centre, lagoon, walls, middle)
    sector = np.floor(np.arctan2(y, x) / (2 * np.pi) * NUM_SPOKES).astype(int) % NUM_SPOKES
    distance = np.full(x.shape, -np.inf)
    for first, sign in ((OUTER, 1), (INNER, -1)):
        line = walls[sector, first : first + 3]
        distance = np.maximum(distance, sign * (line[..., 0] * x + line[..., 1] * y - line[..., 2]))
    columns = np.concatenate([outer_columns(centre, lagoon), centre - HALF_WIDTH]) * COLUMN
    corners = columns[:, None] * np.tile(SPOKES[:NUM_SPOKES], (2, 1))
    for cx, cy in corners:  # near a corner the wall of the next sector may be nearer
        distance = np.where(
            distance > 0, np.minimum(distance, np.hypot(x - cx, y - cy)), distance
        )
    return distance, np.hypot(x, y)


def _across(centre, x, y, spokes):
    """Distance of the centreline from the origin in each pixel's direction."""
    share = np.arctan2(y, x) / (2 * np.pi) * NUM_SPOKES % 1
    k = spokes.astype(int)
    return COLUMN * ((1 - share) * centre[k] + share * centre[(k + 1) % NUM_SPOKES])


def _finish_line(picture, shore, x, y, unit):
    """A chequered band across the water at spoke 0."""
    band = _inside(np.abs(y) - 0.5, unit) * _inside(shore + 0.1, unit) * (x > 0)
    chequer = ((np.floor(x / 0.5) + np.floor(y / 0.5)) % 2)[..., None]
    return _blend(picture, BLACK + (WHITE - BLACK) * chequer, band)


def _inside(distance, unit):
    """Share of each pixel (of size ``unit``) on the negative side of an edge."""
    return np.clip(0.5 - distance / unit, 0, 1)


def _blend(picture, colour, share):
    return picture + (colour - picture) * share[..., None]


def _patch(picture, position, reach):
    """The part of a picture around a world position: (view, world x, world y, pixel size)."""
    pixels = picture.shape[0]
    unit = 2 * EXTENT / pixels
    column, row = (position[0] + EXTENT) / unit, (EXTENT - position[1]) / unit
    rows, columns = (
        slice(max(int(at - reach / unit) - 1, 0), int(at + reach / unit) + 2)
        for at in (row, column)
    )
    return picture[rows, columns], *_grid(pixels, rows, columns), unit


def _disc(picture, position, radius, colour):
    view, x, y, unit = _patch(picture, position, radius)
    distance = np.hypot(x - position[0], y - position[1]) - radius
    view[...] = _blend(view, colour, _inside(distance, unit))


def _boat(picture, position, bow):
    """A hull with a pointed bow, a deck in it, and a wake behind."""
    view, x, y, unit = _patch(picture, position, 2.2)
    ahead = (x - position[0]) * bow[0] + (y - position[1]) * bow[1]
    side = np.abs((x - position[0]) * bow[1] - (y - position[1]) * bow[0])
    wake = np.maximum(np.maximum(ahead + 0.9, -2.0 - ahead), side - 0.18 * -ahead)
    view[...] = _blend(view, FOAM, 0.55 * _inside(wake, unit))
    for scale, colour in ((1.25, WHITE), (1.0, HULL), (0.5, DECK)):
        hull = np.maximum(-1.0 * scale - ahead, side - 0.55 * scale)
        bows = (ahead - 1.35 * scale) * 0.55 + side * 0.85
        view[...] = _blend(view, colour, _inside(np.maximum(hull, bows), unit))


def render_ansi(core, index, width=72, height=36):
    """str: ``#`` land, ``~`` water, ``=`` finish line, ``o`` targets, an arrow for the boat."""
    x = (np.arange(width) + 0.5) / width * 2 * EXTENT - EXTENT
    y = EXTENT - (np.arange(height) + 0.5) / height * 2 * EXTENT
    grid_x, grid_y = np.meshgrid(x, y)
    shore, _ = _shore_distance(core.centre[index], int(core.lagoon[index]), grid_x, grid_y)
    cells = np.where(shore < 0, "~", "#")
    cells[(shore < 0) & (np.abs(grid_y) < 0.6) & (grid_x > 0)] = "="

    def put(position, character):
        column = int((position[0] + EXTENT) / (2 * EXTENT) * width)
        cells[int((EXTENT - position[1]) / (2 * EXTENT) * height), column] = character

    for target, timer in zip(core.targets[index], core.timers[index], strict=True):
        if timer >= 0:
            put(target, "o" if timer == 0 else ".")
    put(core.position[index], "→↗↑↖←↙↓↘"[(int(core.heading[index]) + 1) // 3 % 8])
    score, laps = core.returns[index, 1], core.best[index]
    status = f"step {core.steps[index]}/{MAX_STEPS}  lap {laps:.2f}/{LAPS}  score {score:.2f}"
    return "\n".join(["".join(row) for row in cells] + [status])
