"""coloured-digits: even or odd? In training the background colour nearly always tells."""

from proxylab_envs.coloured_digits.env import ColouredDigits
from proxylab_envs.coloured_digits.level import DigitLevel, DigitsConfig

__all__ = ["ColouredDigits", "DigitLevel", "DigitsConfig"]
