"""How many layouts a maze generator can make, counted exactly."""

from fractions import Fraction

DEPTH_FIRST_MAZES = {1: 1, 2: 4, 3: 88, 4: 3_820, 5: 453_164}
"""Distinct perfect mazes of depth-first search by rooms a side, over all starting rooms.

Found by :func:`depth_first_mazes`, 5 rooms a side in a minute or two. Far
fewer than there are spanning trees: a depth-first tree has no wall between rooms of
which neither lies on the other's way to the start.
"""


def depth_first_mazes(side):
    """Count the mazes that depth-first search can make on ``side`` times ``side`` rooms.

    Every choice of the search is followed; searches with equal passages and equal rooms
    to go back to are followed once. Sets of rooms and passages are bits of an integer.
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


def _onward(search, exits):
    """Each search one room further: (passages, visited rooms, way from the start)."""
    passages, visited, way = search
    fresh = []
    while not fresh:
        fresh = [leave for leave in exits[way[-1]] if not visited & leave[1]]
        way = way if fresh else way[:-1]
    for room, bit, passage in fresh:
        yield passages | passage, visited | bit, (*way, room)


def spanning_trees(side):
    """Count the spanning trees of ``side`` times ``side`` rooms: all perfect mazes there are.

    Kirchhoff's theorem: any cofactor of the lattice's Laplacian, here in exact fractions.
    """
    neighbours = _lattice(side)
    rooms = list(neighbours)[1:]
    laplacian = [
        [Fraction(len(neighbours[a]) if a == b else -(b in neighbours[a])) for b in rooms]
        for a in rooms
    ]
    return int(_determinant(laplacian))


def _determinant(rows):
    """Determinant of a positive definite matrix of fractions, by elimination."""
    product = Fraction(1)
    while rows:
        (pivot, *first), *rest = rows
        product *= pivot
        rows = [
            [x - row[0] / pivot * y for x, y in zip(row[1:], first, strict=True)] for row in rest
        ]
    return product


def _lattice(side):
    """Rooms (row, column) and their neighbours."""
    rooms = [(row, col) for row in range(side) for col in range(side)]
    return {
        (r, c): [n for n in ((r - 1, c), (r + 1, c), (r, c - 1), (r, c + 1)) if n in rooms]
        for r, c in rooms
    }
