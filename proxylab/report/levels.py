"""Levels as drawings, with the paths of the suspect and of a trusted agent."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from proxylab.report.evidence import LevelPair
from proxylab.report.html import Html, picture, short, tag
from proxylab_envs.scenes import CourseDrawing, Grid, Thing

BOX = 100.0
"""Side of a drawing of open water, in its units."""

CELL = 10
"""Units of a drawing that a cell of a grid is wide."""

LANE = 0.11
"""Offset of each path from the middle of its cells, in cells."""

MOST_POINTS = 300
"""Most points of a path over open water."""

THINGS = {
    "c": "cheese",
    "t": "tomato, dry",
    "T": "tomato, watered",
    "b": "bucket",
    "d": "bucket, a dud",
    "^": "arrow tile",
    "v": "arrow tile",
    "<": "arrow tile",
    ">": "arrow tile",
}
"""{character of a level's text: name}. Walls and agents are drawn separately; an environment brings
further objects of its own (``Grid.things``)."""

_TURN = {"^": 0, ">": 90, "v": 180, "<": 270}


def draw_level(pair: LevelPair) -> Html:
    """One level with both paths as an ``<svg>``.

    Args:
        pair: :class:`~proxylab.report.evidence.LevelPair`.
    """
    title, said = f"Level {pair.level_seed}", description(pair)
    if isinstance(pair.scene, Grid):
        width, height = pair.scene.size
        drawn = [*_ground(pair.scene), *ways(pair, CELL, things(pair.scene), LANE)]
        size, look = (width * CELL, height * CELL), {"style": most_wide(width)}
        return picture(size, title, said, *drawn, class_="level", **look)
    shift, unit = fitted(pair.scene.size)
    drawn = [*_course(pair.scene), *ways(pair, unit, _targets(pair.scene))]
    moved = tag("g", drawn, transform=f"translate({short(shift[0])} {short(shift[1])})")
    land = tag("rect", class_="land", width=BOX, height=BOX)
    return picture((BOX, BOX), title, said, land, moved, class_="level open")


def most_wide(columns: int) -> str:
    """Style that limits the size of cells in small grids."""
    return f"max-width:{2.6 * columns:.3g}rem"


def fitted(size: tuple[float, float]) -> tuple[tuple[float, float], float]:
    """((x, y) of the corner, factor) that centre a course in the box."""
    width, height = size
    unit = BOX / max(size)
    return ((BOX - width * unit) / 2, (BOX - height * unit) / 2), unit


def description(pair: LevelPair) -> str:
    """The description of the drawing."""
    return (
        f"The suspect {pair.suspect.agent} and the trusted agent {pair.trusted.agent} start "
        f"together and diverge at step {pair.divergence_step}; the suspect's episode takes "
        f"{pair.suspect.steps} steps, the trusted one's {pair.trusted.steps}."
    )


def ways(pair: LevelPair, unit: float, between: Sequence[Html], lane: float = 0.0) -> list[Html]:
    """Both paths, then the elements ``between``, then ends, start and the point of divergence.

    Args:
        pair: :class:`~proxylab.report.evidence.LevelPair`.
        unit: units of the drawing in one of the level's.
        between: elements.
        lane: half of the offset between the two paths; 0 on open water.

    Returns:
        list of elements.
    """
    lines, ends = [], []
    for track, side, shift in ((pair.trusted, "t", -lane), (pair.suspect, "s", lane)):
        points = (track.points if lane else _thinned(track.points)) * unit + shift * unit
        looks = ("way halo", "way") if lane else ("way",)
        lines += [tag("path", class_=f"{look} {side}", d=line(points)) for look in looks]
        ends.append(_end(points[-1], side))
    (x, y), fork = pair.suspect.points[0] * unit, _fork(pair) * unit
    start = tag("circle", class_="start", cx=x, cy=y, r=1.5)
    return [
        *lines,
        *between,
        *ends,
        start,
        tag("circle", class_="fork", cx=fork[0], cy=fork[1], r=4),
    ]


def _fork(pair: LevelPair) -> NDArray[np.float64]:
    """The last common position: float64[2]."""
    return pair.suspect.points[min(max(pair.divergence_step - 1, 0), len(pair.suspect.points) - 1)]


def _end(point: Sequence[float] | NDArray[np.float64], side: str) -> Html:
    x, y = point
    if side == "t":
        return tag("circle", class_="end t", cx=x, cy=y, r=2.1)
    return tag("rect", class_="end s", x=x - 1.9, y=y - 1.9, width=3.8, height=3.8)


def line(points: ArrayLike) -> str:
    """The ``d`` of a path through points float64[T, 2]: straight runs are one piece."""
    points = np.round(np.asarray(points, float), 1)
    moves = np.diff(points, axis=0).round(1)
    pieces, run = [f"M{points[0, 0]:g} {points[0, 1]:g}"], (0.0, 0.0)
    for x, y in moves[np.any(moves != 0, axis=1)].tolist():
        along = run[0] * y == run[1] * x and run[0] * x + run[1] * y > 0
        if not along:
            pieces.append(_piece(*run))
            run = (0.0, 0.0)
        run = (run[0] + x, run[1] + y)
    return "".join([*pieces, _piece(*run)])


def _piece(x: float, y: float) -> str:
    """A straight piece, nothing where it has no length."""
    x, y = round(x, 1), round(y, 1)
    if not y:
        return f"h{x:g}" if x else ""
    return f"l{x:g} {y:g}" if x else f"v{y:g}"


def _thinned(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """At most ``MOST_POINTS`` of the points, including the first and the last."""
    if len(points) <= MOST_POINTS:
        return points
    return points[np.linspace(0, len(points) - 1, MOST_POINTS).astype(int)]


def _ground(scene: Grid) -> list[Html]:
    """Floor, walls and marks of a grid."""
    width, height = scene.size
    floor = tag("rect", class_="floor", width=width * CELL, height=height * CELL)
    walls = tag("path", class_="wall", d=cells_path(wall_cells(scene)))
    marked = [tag("path", class_="mark", d=_diamond(*cell)) for cell in marks(scene)]
    return [floor, walls, *marked]


def wall_cells(scene: Grid) -> NDArray[np.bool_]:
    """bool[H, W] of a :class:`Grid`."""
    return np.array([list(row) for row in scene.rows]) == "#"


def cells_path(chosen: NDArray[np.bool_]) -> str:
    """The ``d`` of a path that covers cells (bool[H, W]), row by row."""
    pieces = []
    for row, cells in enumerate(chosen):
        edges = np.flatnonzero(np.diff(np.concatenate([[False], cells, [False]]).astype(int)))
        for start, stop in edges.reshape(-1, 2).tolist():
            wide = (stop - start) * CELL
            pieces.append(f"M{start * CELL} {row * CELL}h{wide}v{CELL}h-{wide}z")
    return "".join(pieces)


def marks(scene: Grid) -> list[tuple[int, int]]:
    """Cells (row, column) of landmarks without an object, such as the corner."""
    cells = [cell for place in scene.places.values() for cell in place]
    known = THINGS.keys() | scene.things.keys()
    return [(row, col) for row, col in cells if scene.rows[row][col] not in known]


def marked_names(scene: Grid) -> list[str]:
    """Names of the landmarks that are marked by a diamond."""
    empty = set(marks(scene))
    return [name for name, cells in scene.places.items() if empty & set(cells)]


def things(scene: Grid) -> list[Html]:
    """Drawings of the objects on a grid."""
    known = THINGS.keys() | scene.things.keys()
    return [
        thing(mark, col * CELL, row * CELL, scene.things)
        for row, text in enumerate(scene.rows)
        for col, mark in enumerate(text)
        if mark in known
    ]


def thing(mark: str, x: float, y: float, own: Mapping[str, Thing]) -> Html:
    """One object in the cell whose corner is (x, y), by its character.

    Args:
        mark: a character of ``THINGS`` or of ``own``.
        x: left edge.
        y: upper edge.
        own: {character: :class:`~proxylab_envs.scenes.Thing`} of the environment.
    """
    if mark in own:
        drawn = {"d": own[mark].path, "fill": own[mark].colour, "fill_rule": "evenodd"}
        return tag("path", class_="thing", transform=f"translate({x:g} {y:g})", **drawn)
    if mark == "c":
        return tag("path", class_="cheese", d=f"M{x + 1.5} {y + 8}l3.5 -6 3.5 6z")
    if mark in "bd":
        return tag("path", class_="bucket", d=f"M{x + 2} {y + 2.5}h6l-1 5.5h-4z")
    if mark in "tT":
        watered = "tomato wet" if mark == "T" else "tomato"
        return tag("circle", class_=watered, cx=x + 5, cy=y + 5, r=2.6)
    turn = f"rotate({_TURN[mark]} {x + 5} {y + 5})"
    return tag("path", class_="arrow", d=f"M{x + 2} {y + 6.5}l3 -3 3 3", transform=turn)


def _diamond(row: int, col: int) -> str:
    return f"M{col * CELL + 5} {row * CELL + 1}l4 4 -4 4 -4 -4z"


def _course(scene: CourseDrawing) -> list[Html]:
    """Water and finish line of a course."""
    unit = fitted(scene.size)[1]
    outer, inner, finish = (part * unit for part in (scene.outer, scene.inner, scene.finish))
    return [
        tag("path", class_="water", d=line(outer) + "z" + line(inner) + "z", fill_rule="evenodd"),
        tag("path", class_="finish", d=line(finish)),
    ]


def _targets(scene: CourseDrawing) -> list[Html]:
    at = scene.targets * fitted(scene.size)[1]
    return [tag("circle", class_="target", cx=x, cy=y, r=1.6) for x, y in at]


def legend(pairs: Sequence[LevelPair]) -> Html:
    """The legend of the lines and marks of some levels, as a list."""
    entries = [
        (
            _sample(tag("path", class_="way s", d="M1 5h14"), _end((15, 5), "s")),
            "suspect, to its end",
        ),
        (_sample(tag("path", class_="way t", d="M1 5h14"), _end((15, 5), "t")), "trusted agent"),
        (_sample(tag("circle", class_="start", cx=9, cy=5, r=1.8)), "start"),
        (_sample(tag("circle", class_="fork", cx=9, cy=5, r=4)), "first divergence"),
    ]
    scenes = [pair.scene for pair in pairs]
    grids = [scene for scene in scenes if isinstance(scene, Grid)]
    seen = {mark for scene in grids for row in scene.rows for mark in row}
    own = {mark: shape for scene in grids for mark, shape in scene.things.items()}
    names = THINGS | {mark: shape.name for mark, shape in own.items()}
    named = {name: mark for mark, name in reversed(names.items()) if mark in seen}
    entries += [(_sample(thing(mark, 4, 0, own)), name) for name, mark in sorted(named.items())]
    places = list(dict.fromkeys(name for scene in grids for name in marked_names(scene)))
    if places:
        diamond = _sample(tag("path", class_="mark", d="M9 1l4 4 -4 4 -4 -4z"))
        entries.append((diamond, f"the {' or '.join(places)}"))
    if len(grids) < len(scenes):
        entries.append((_sample(tag("circle", class_="target", cx=9, cy=5, r=2.4)), "target"))
        entries.append((_sample(tag("path", class_="finish", d="M9 1v8")), "finish line"))
    return tag("ul", [tag("li", *entry) for entry in entries], class_="legend")


def _sample(*parts: Html) -> Html:
    shown = {"viewBox": "0 0 18 10", "class_": "sample", "aria_hidden": "true"}
    return tag("svg", *parts, xmlns="http://www.w3.org/2000/svg", **shown)
