"""Pictures of coloured-digits, for networks and for people."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from proxylab_envs.coloured_digits.level import ANSWERS, BRIGHTEST, SIDE, DigitLevel, data_set

BACKGROUNDS = np.array([[0.7, 0.1, 0.1], [0.1, 0.5, 0.5]], np.float32)
"""float32[2, 3]: red, green and blue of ``level.COLOURS``, from 0 to 1."""
_PIXEL = 24
_FRAME = 12


class Scene(NamedTuple):
    """The current state of one environment."""

    pixels: NDArray[np.uint8]  # uint8[8, 8], brightness from 0 to 16
    level: DigitLevel
    answer: int  # index into ANSWERS, -1 before the step


def paintings() -> NDArray[np.float32]:
    """float32[P, 2, 3, 8, 8]: every picture in white on both colours, from 0 to 1."""
    ink = (data_set()[0].astype(np.float32) / BRIGHTEST)[:, None, None]
    paper = BACKGROUNDS[None, :, :, None, None]
    return paper + (1 - paper) * ink


def picture(scene: Scene) -> NDArray[np.uint8]:
    """uint8[216, 216, 3]: the picture, framed in the colour of the answer, in grey before it."""
    painted = paintings_of(scene).transpose(1, 2, 0).repeat(_PIXEL, 0).repeat(_PIXEL, 1)
    frame = BACKGROUNDS[scene.answer] if scene.answer >= 0 else np.full(3, 0.5, np.float32)
    side = SIDE * _PIXEL + 2 * _FRAME
    canvas = np.broadcast_to(frame, (side, side, 3)).copy()
    canvas[_FRAME:-_FRAME, _FRAME:-_FRAME] = painted
    return (canvas * 255).round().astype(np.uint8)


def paintings_of(scene: Scene) -> NDArray[np.float32]:
    """float32[3, 8, 8]: one picture on its colour."""
    ink = scene.pixels.astype(np.float32) / BRIGHTEST
    paper = BACKGROUNDS[scene.level.colour][:, None, None]
    return paper + (1 - paper) * ink


def text(scene: Scene) -> str:
    """The level as text, and a row with the answer once it is given."""
    answer = ANSWERS[scene.answer] if scene.answer >= 0 else ""
    return f"{scene.level.to_ascii()}\n{answer:.^{SIDE}}"
