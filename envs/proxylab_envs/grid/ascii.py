"""Grids as text: one character per cell, one line per row."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

MAX_SIDE = 128
"""Maximum number of rows, and of cells per row, of a level as text."""


def grid_rows(text: str) -> list[str]:
    """The rows of a grid as text, without indentation and surrounding blank lines.

    Raises:
        ValueError: no rows, or more or longer rows than ``MAX_SIDE``.
    """
    rows = [line.strip() for line in text.strip().splitlines()]
    if not rows:
        raise ValueError("the grid has no rows")
    if max(len(rows), *map(len, rows)) > MAX_SIDE:
        raise ValueError(f"a level has at most {MAX_SIDE} rows of {MAX_SIDE} cells")
    return rows


def parse_grid(text: str, symbols: str) -> NDArray[np.int8]:
    """Read a grid.

    Args:
        text: rows of equal length; indentation and surrounding blank lines are ignored.
        symbols: the allowed characters; ``symbols[k]`` is code k.

    Returns:
        int8[H, W], the codes.

    Raises:
        ValueError: no rows, rows of unequal length, or an unknown character.
    """
    rows = grid_rows(text)
    ragged = [k for k, row in enumerate(rows) if len(row) != len(rows[0])]
    if ragged:
        raise ValueError(
            f"row {ragged[0]} has {len(rows[ragged[0]])} cells, row 0 has {len(rows[0])}"
        )
    strangers = sorted(set("".join(rows)) - set(symbols))
    if strangers:
        raise ValueError(f"unknown symbol {strangers[0]!r}: choose from {symbols!r}")
    return np.array([[symbols.index(cell) for cell in row] for row in rows], np.int8)


def format_grid(codes: NDArray[Any], symbols: str) -> str:
    """Write a grid: int[H, W] codes -> str, rows joined by line ends, none at the end."""
    return "\n".join("".join(symbols[code] for code in row) for row in codes)
