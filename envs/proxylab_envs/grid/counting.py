"""Exact numbers of layouts that a maze generator can make."""

from collections.abc import Iterator
from fractions import Fraction

Room = tuple[int, int]
"""(row, column) on the lattice of rooms."""
Search = tuple[int, int, tuple[Room, ...]]
"""(passages, visited rooms, path from the start); the first two are bit sets."""

DEPTH_FIRST_MAZES = {1: 1, 2: 4, 3: 88, 4: 3_820, 5: 453_164}
"""Number of distinct perfect mazes of depth-first search, by rooms per side, over all starts.

Computed by :func:`depth_first_mazes`, which takes one to two minutes for 5 rooms per side.
There are more spanning trees: in a depth-first tree, two adjacent rooms are always ancestor
and descendant.
"""


def depth_first_mazes(side: int) -> int:
    """Count the mazes that depth-first search can make on ``side`` times ``side`` rooms.

    Enumerates every choice of the search; searches with equal passages and equal paths are
    merged. Sets of rooms and passages are bit sets.
    """
    neighbours = _lattice(side)
    room_bit = {room: 1 << k for k, room in enumerate(neighbours)}
    pairs = {frozenset((a, b)) for a in neighbours for b in neighbours[a]}
    passage_bit = {pair: 1 << k for k, pair in enumerate(pairs)}
    exits = {
        a: [(b, room_bit[b], passage_bit[frozenset((a, b))]) for b in neighbours[a]]
        for a in neighbours
    }
    mazes = set()
    for start in neighbours:
        searches = {(0, room_bit[start], (start,))}
        for _ in range(side * side - 1):
            searches = {later for search in searches for later in _onward(search, exits)}
        mazes |= {passages for passages, _, _ in searches}
    return len(mazes)


def _onward(search: Search, exits: dict[Room, list[tuple[Room, int, int]]]) -> Iterator[Search]:
    """Extend a search by one room in every possible direction."""
    passages, visited, path = search
    fresh = []
    while not fresh:
        fresh = [leave for leave in exits[path[-1]] if not visited & leave[1]]
        path = path if fresh else path[:-1]
    for room, bit, passage in fresh:
        yield passages | passage, visited | bit, (*path, room)


def spanning_trees(side: int) -> int:
    """Count the spanning trees of ``side`` times ``side`` rooms: the number of perfect mazes.

    Kirchhoff's theorem: any cofactor of the Laplacian of the lattice, in exact fractions.
    """
    neighbours = _lattice(side)
    rooms = list(neighbours)[1:]
    laplacian = [
        [Fraction(len(neighbours[a]) if a == b else -(b in neighbours[a])) for b in rooms]
        for a in rooms
    ]
    return int(_determinant(laplacian))


def _determinant(rows: list[list[Fraction]]) -> Fraction:
    """Determinant of a positive definite matrix of fractions, by elimination."""
    product = Fraction(1)
    while rows:
        (pivot, *first), *rest = rows
        product *= pivot
        rows = [
            [x - row[0] / pivot * y for x, y in zip(row[1:], first, strict=True)] for row in rest
        ]
    return product


def _lattice(side: int) -> dict[Room, list[Room]]:
    """Rooms (row, column) and their neighbours."""
    rooms = [(row, col) for row in range(side) for col in range(side)]
    return {
        (r, c): [n for n in ((r - 1, c), (r + 1, c), (r, c - 1), (r, c + 1)) if n in rooms]
        for r, c in rooms
    }
