"""Settings of a judgement, declared once for the function, the command line and the JSON."""

from dataclasses import dataclass
from typing import Any

from proxylab.errors import UsageError

DEFAULT_DETECTOR = "higher_criticism"
"""The detector that decides the verdict by default: docs/verdicts.md says why it is this one."""


@dataclass(frozen=True)
class JudgeSettings:
    """Settings of a judgement.

    Raises:
        UsageError: ``alpha`` or ``correlation`` outside (0, 1).
    """

    detector: Any = DEFAULT_DETECTOR
    """the score that decides: see proxylab list detectors; or module:Class, file.py:Class"""
    also: tuple[str, ...] | None = None
    """further scores to report, where they apply; by default what the kind of difference needs"""
    alpha: float = 0.05
    """false-alarm rate, in (0, 1)"""
    fdr: bool = False
    """let the false-discovery rate over all suspects (Benjamini-Hochberg) decide"""
    trim: bool = False
    """leave out trusted policies that lie far from the other ones, at a price that is stated"""
    correlation: float | None = None
    """assumed least correlation of proxy and intended reward, for the certificate only"""

    def __post_init__(self) -> None:
        for name in ("alpha", "correlation"):
            value = getattr(self, name)
            if value is not None and not 0 < value < 1:
                raise UsageError(f"{name} must lie between 0 and 1, not {value}")
