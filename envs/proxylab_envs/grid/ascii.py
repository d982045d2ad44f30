"""Grids as text: one character a cell, one line a row."""

import numpy as np

MAX_SIDE = 128
"""Most rows, and most cells of a row, that a level's text may have."""


def grid_rows(text):
    """The rows of a grid's text, indentation and blank lines around them left out: list[str].

    Raises:
        ValueError: no rows, or more of them, or longer ones, than ``MAX_SIDE``.
    """
    rows = [line.strip() for line in text.strip().splitlines()]
    if not rows:
        raise ValueError("the grid has no rows")
    if max(len(rows), *map(len, rows)) > MAX_SIDE:
        raise ValueError(f"a level has at most {MAX_SIDE} rows of {MAX_SIDE} cells")
    return rows


def parse_grid(text, symbols):
    """Read a grid.

    Args:
        text: rows of equal length; blank lines around them and indentation do not count.
        symbols: str, the characters that may occur; ``symbols[k]`` stands for code k.

    Returns:
        int8[H, W], the codes.

    Raises:
        ValueError: no rows, rows of unequal length, or a character that is no symbol.
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


def format_grid(codes, symbols):
    """Write a grid: int[H, W] codes -> str, rows joined by line ends, none at the end."""
    return "\n".join("".join(symbols[code] for code in row) for row in codes)
