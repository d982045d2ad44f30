"""The pictures of coloured-digits, a level as data, and its ASCII form.

``digits.npz`` holds the 1,797 pictures that scikit-learn calls its digits: the test part of
E. Alpaydin and C. Kaynak, "Optical Recognition of Handwritten Digits", UCI Machine Learning
Repository 1998, doi 10.24432/C50P49, licence CC BY 4.0. Pictures and labels are unchanged; only
the file format is another.

The text of a level is eight rows of brightness (``.`` is 0, ``1`` to ``9``, ``a`` to ``g`` is 16)
and a row that names the digit and the colour: ``7 on red``.
"""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from proxylab_envs.grid.checks import check_choice, check_ranges
from proxylab_envs.levels import BUCKETS, NUM_BUCKETS
from proxylab_envs.streams import combine

SIDE = 8
BRIGHTEST = 16
SYMBOLS = ".123456789abcdefg"
ANSWERS = ("even", "odd")
COLOURS = ("red", "sea")
"""``COLOURS[k]`` goes with ``ANSWERS[k]`` in training."""
SHIFTED_AGREEMENT = 0.5
"""Probability that the colour goes with the label on shifted levels."""


@dataclass(frozen=True)
class DigitsConfig:
    """Parameters of coloured-digits.

    Attributes:
        agreement: probability that the colour goes with the label on training levels.
    """

    agreement: float = 0.95

    def __post_init__(self) -> None:
        check_ranges(self, {"agreement": (0.5, 1)})


@cache
def data_set() -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """(uint8[1797, 8, 8] brightness from 0 to 16, int64[1797] digits)."""
    with np.load(Path(__file__).with_name("digits.npz"), allow_pickle=False) as stored:
        return stored["pictures"], stored["labels"].astype(np.int64)


@cache
def picture_hashes() -> NDArray[np.uint64]:
    """uint64[1797]: a hash of each picture's index, which assigns it to a split."""
    count = len(data_set()[1])
    return np.array([combine(np.uint64(k), np.uint64(7)) for k in range(count)], np.uint64)


@cache
def pictures_of_split(split: str) -> NDArray[np.int64]:
    """int64[n]: indices of the pictures of a split; no picture is in two splits."""
    buckets = picture_hashes() % np.uint64(NUM_BUCKETS)
    return np.flatnonzero(np.isin(buckets, list(BUCKETS[split])))


@dataclass(frozen=True)
class DigitLevel:
    """One level.

    Attributes:
        picture: index into :func:`data_set`.
        colour: index into ``COLOURS``.
    """

    picture: int
    colour: int

    @property
    def digit(self) -> int:
        """The digit that was written."""
        return int(data_set()[1][self.picture])

    @classmethod
    def from_ascii(cls, text: str) -> Self:
        """Read a level; ``ValueError`` describes what is invalid."""
        lines = [line.strip() for line in text.split("\n") if line.strip()]
        if len(lines) != SIDE + 1 or any(len(line) != SIDE for line in lines):
            raise ValueError("a level has 8 rows of 8 characters, and a row such as '7 on red'")
        unknown = set("".join(lines[:SIDE])) - set(SYMBOLS)
        if unknown:
            raise ValueError(f"unknown brightness {min(unknown)!r}: the symbols are {SYMBOLS}")
        digit, _, colour = lines[SIDE].partition(" on ")
        check_choice("colour", colour, COLOURS)
        pixels = np.array([[SYMBOLS.index(symbol) for symbol in row] for row in lines[:SIDE]])
        equal = np.flatnonzero((data_set()[0] == pixels).all((1, 2)))
        if len(equal) == 0 or str(data_set()[1][equal[0]]) != digit:
            raise ValueError(f"the picture is none of the data set's with the digit {digit}")
        return cls(int(equal[0]), COLOURS.index(colour))

    def to_ascii(self) -> str:
        """The level as text."""
        rows = ["".join(SYMBOLS[pixel] for pixel in row) for row in data_set()[0][self.picture]]
        return "\n".join([*rows, f"{self.digit} on {COLOURS[self.colour]}"])
