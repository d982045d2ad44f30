"""Observations as networks take them: images with channels first, categories as one-hot rows."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from gymnasium.spaces import Discrete, MultiDiscrete, Space
from numpy.typing import NDArray

CHANNELS = 3


def is_picture(shape: Sequence[int]) -> bool:
    """Whether observations of ``shape`` are images [H, W, 3]."""
    return len(shape) == 3 and shape[-1] == CHANNELS < min(shape[:2])


def channels_first_shape(shape: Sequence[int]) -> tuple[int, ...]:
    """The shape of an observation as networks take it: [H, W, 3] becomes [3, H, W]."""
    return (shape[2], *shape[:2]) if is_picture(shape) else tuple(shape)


def channels_first(observations: NDArray[Any]) -> NDArray[Any]:
    """Observations [K, ...]; images with channels first, others unchanged."""
    if is_picture(observations.shape[1:]):
        return np.ascontiguousarray(np.moveaxis(observations, -1, 1))
    return observations


def network_input(observations: NDArray[Any], space: Space[Any]) -> NDArray[Any]:
    """Observations [K, ...] of ``space`` as SB3 hands them to a network.

    ``Discrete`` and ``MultiDiscrete`` observations become one-hot rows uint8[K, n], the others are
    those of :func:`channels_first`.
    """
    if isinstance(space, Discrete):
        return _one_hot(observations - space.start, int(space.n))
    if isinstance(space, MultiDiscrete):
        columns = (observations - space.start).reshape(len(observations), -1).T
        counts = np.ravel(space.nvec).tolist()
        return np.concatenate([_one_hot(*pair) for pair in zip(columns, counts, strict=True)], 1)
    return channels_first(observations)


def _one_hot(numbers: NDArray[Any], count: int) -> NDArray[np.uint8]:
    """uint8[K, count] from int[K] in [0, count)."""
    return np.eye(count, dtype=np.uint8)[numbers.astype(np.int64)]
