"""Image observations in the channels-first layout that networks take."""

from collections.abc import Sequence
from typing import Any

import numpy as np
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
