"""Rewards that are a sum over the cells of an observation of planes.

One small network reads the planes at a cell and its place, and its outputs are summed: convolutions
of 1 × 1 with coordinates (Liu et al. 2018, arXiv 1807.03247, section 3) and a sum. So what is paid
for the mouse on the cheese is learnt once for all cells, and the corner can still be told from the
rest. Planes are 0 or 1: the network has 2^C · H · W different inputs, of which an observation has
one for each cell, and it is evaluated once for all of them.
"""

import math

import numpy as np
from numpy.typing import NDArray

MOST_PLANES = 4
"""More planes than that have too many combinations."""


def are_planes(shape: tuple[int, ...], dtype: str, high: float) -> bool:
    """Whether observations of this shape, type and greatest value are few planes of 0 and 1."""
    return len(shape) == 3 and dtype == "uint8" and high == 1 and shape[0] <= MOST_PLANES


def flag_count(shape: tuple[int, ...]) -> int:
    """Number of flags 2^C · H · W of observations of this shape (C, H, W)."""
    return 2 ** shape[0] * math.prod(shape[1:])


def cell_flags(observations: NDArray[np.uint8]) -> NDArray[np.float32]:
    """float32[K, H · W · 2^C] of observations [K, C, H, W]: 1 for the combination at each cell."""
    count, planes = observations.shape[:2]
    powers = (1 << np.arange(planes)).reshape(-1, 1, 1)
    codes = ((observations != 0) * powers).sum(1).reshape(count, -1)
    flags = np.zeros((*codes.shape, 2**planes), np.float32)
    np.put_along_axis(flags, codes[:, :, None], 1, axis=2)
    return flags.reshape(count, -1)


def cell_rows(shape: tuple[int, ...]) -> NDArray[np.float32]:
    """float32[H · W · 2^C, C + 2]: the network's input for each flag.

    That is the planes, then row and column from -1 to 1.
    """
    planes, height, width = shape
    codes = np.arange(2**planes)[:, None] >> np.arange(planes) & 1
    rows, columns = np.meshgrid(
        np.linspace(-1, 1, height), np.linspace(-1, 1, width), indexing="ij"
    )
    places = np.stack([rows.ravel(), columns.ravel()], 1)
    each = np.repeat(places, len(codes), axis=0)
    return np.hstack([np.tile(codes, (len(places), 1)), each]).astype(np.float32)
