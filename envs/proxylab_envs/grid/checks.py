"""Checks that the parameters and the levels of grid environments share.

Each raises a ``ValueError`` that describes what is invalid.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray


def check_choice(name: str, value: str, choices: Sequence[str]) -> None:
    """``value`` is one of ``choices``."""
    if value not in choices:
        raise ValueError(f"unknown {name} {value!r}: choose {', '.join(choices)}")


def check_ranges(config: object, ranges: Mapping[str, tuple[float, float]]) -> None:
    """Every named attribute of ``config`` lies in its range, ends included."""
    for name, (low, high) in ranges.items():
        if not low <= getattr(config, name) <= high:
            raise ValueError(f"{name} {getattr(config, name)} is not between {low} and {high}")


def check_walls(walls: NDArray[Any], level: str, square: bool = True) -> None:
    """``walls`` are bool, a rectangle (or a square), and a border of wall.

    Args:
        walls: the array to check.
        level: what the message calls a level.
        square: whether both sides must be equal.
    """
    sides = "S, S" if square else "H, W"
    unequal = square and len(set(walls.shape)) != 1
    if walls.ndim != 2 or unequal or walls.dtype != bool:
        raise ValueError(f"walls must be bool[{sides}], not {walls.dtype}{list(walls.shape)}")
    if not np.concatenate([walls[0], walls[-1], walls[:, 0], walls[:, -1]]).all():
        raise ValueError(f"the border of a {level} must be wall")


def only_cell(
    cells: NDArray[Any], wanted: Sequence[Any], name: str, level: str = "level"
) -> tuple[int, int]:
    """(row, column) of the one cell that holds one of ``wanted``.

    Args:
        cells: [H, W], codes or characters.
        wanted: codes or characters.
        name: what the message calls the thing.
        level: what the message calls a level.
    """
    found = np.argwhere(np.isin(cells, wanted))
    if len(found) != 1:
        raise ValueError(f"a {level} needs exactly one {name}, not {len(found)}")
    return int(found[0, 0]), int(found[0, 1])
