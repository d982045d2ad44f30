"""Pictures of coloured-digits, for networks and for people."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from proxylab_envs.coloured_digits.level import ANSWERS, BRIGHTEST, SIDE, DigitLevel, data_set

BACKGROUNDS = np.array([[0.7, 0.1, 0.1], [0.1, 0.5, 0.5]], np.float32)
"""float32[2, 3]: red, green and blue of ``level.COLOURS``, from 0 to 1."""
_PIXEL = 24
_PAPER = SIDE * _PIXEL
_GAP = 6
_PANE = 42
_EDGE = 4
_DOT = 10
SIZE = (_PAPER + _GAP + _PANE, _PAPER)
"""(height, width) of :func:`picture`, pixels: the digit, and under it a pane for each answer."""
PLACES = np.array(
    [(k * _PAPER / 4, SIZE[0] - _PANE / 2) for k in (1, 3)] + [(_PAPER / 2, _PAPER - _PIXEL / 2)]
)
"""float64[3, 2]: x and y of the middle of each answer's pane, and of the start (index -1)."""


class Scene(NamedTuple):
    """The current state of one environment."""

    pixels: NDArray[np.uint8]  # uint8[8, 8], brightness from 0 to 16
    level: DigitLevel
    answer: int  # index into ANSWERS, -1 before the step


def paintings() -> NDArray[np.float32]:
    """float32[P, 2, 3, 8, 8]: every picture in white on both colours, from 0 to 1."""
    return _painted(data_set()[0][:, None, None], BACKGROUNDS[None, :, :, None, None])


def picture(scene: Scene) -> NDArray[np.uint8]:
    """uint8[240, 192, 3]: the digit on its colour, and under it a pane for each answer.

    Left is even (two dots) in the colour that goes with it, right is odd (one dot). The answer is
    framed in white.
    """
    canvas = np.full((*SIZE, 3), 0.2, np.float32)
    digit = _painted(scene.pixels[:, :, None], BACKGROUNDS[scene.level.colour])
    canvas[:_PAPER] = digit.repeat(_PIXEL, 0).repeat(_PIXEL, 1)
    for answer in range(len(ANSWERS)):
        pane = canvas[_PAPER + _GAP :, answer * _PAPER // 2 : (answer + 1) * _PAPER // 2]
        pane[:] = 1 if scene.answer == answer else 0.2
        pane[_EDGE:-_EDGE, _EDGE:-_EDGE] = BACKGROUNDS[answer]
        for place in (-_DOT, _DOT) if answer == 0 else (0,):
            row, col = (_PANE - _DOT) // 2, _PAPER // 4 + place - _DOT // 2
            pane[row : row + _DOT, col : col + _DOT] = 1
    return (canvas * 255).round().astype(np.uint8)


def _painted(pixels: NDArray[np.uint8], paper: NDArray[np.float32]) -> NDArray[np.float32]:
    """White ink of brightness ``pixels`` on the colours ``paper``, which broadcast; from 0 to 1."""
    return paper + (1 - paper) * (pixels.astype(np.float32) / BRIGHTEST)


def text(scene: Scene) -> str:
    """The level as text, and a row with the answer once it is given."""
    answer = ANSWERS[scene.answer] if scene.answer >= 0 else ""
    return f"{scene.level.to_ascii()}\n{answer:.^{SIDE}}"
