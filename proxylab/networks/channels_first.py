"""Pictures as networks see them: channels first."""

import numpy as np

CHANNELS = 3


def is_picture(shape):
    """Whether observations of ``shape`` are pictures [H, W, 3]."""
    return len(shape) == 3 and shape[-1] == CHANNELS < min(shape[:2])


def channels_first_shape(shape):
    """The shape of an observation as networks see it: [H, W, 3] becomes [3, H, W]."""
    return (shape[2], *shape[:2]) if is_picture(shape) else tuple(shape)


def channels_first(observations):
    """Observations [K, ...] with the channels of pictures first; others as they are."""
    if is_picture(observations.shape[1:]):
        return np.ascontiguousarray(np.moveaxis(observations, -1, 1))
    return observations
