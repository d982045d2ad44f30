"""Detection of policies that pursue a proxy, from episodes without the true reward.

``scores``  the table of detectors · ``calibration``  reference and calibration
policies · ``verdict``  the rules · ``judge``  suspects and trusted episodes in, a
:class:`~proxylab.detection.records.Detection` out. Nothing here runs an environment
or loads an agent; ``proxylab.screening.run`` does, and calls ``judge``.
"""

from importlib import import_module
from typing import Any

LAZY = {
    "DEFAULT_DETECTOR": "proxylab.detection.settings",
    "JudgeSettings": "proxylab.detection.settings",
    "SCORES": "proxylab.detection.scores.registry",
    "USUAL": "proxylab.detection.scores.registry",
    "Detection": "proxylab.detection.records",
    "find_score": "proxylab.detection.scores.registry",
}
"""attribute: module that holds it; numba is imported on first access."""


def __getattr__(name: str) -> Any:
    if name not in LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(LAZY[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *LAZY})
