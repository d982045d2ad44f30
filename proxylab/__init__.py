"""A laboratory for goal misgeneralization and proxy gaming in reinforcement learning.

The three verbs are functions of the package: ``proxylab.train``, ``proxylab.evaluate``,
``proxylab.detect``. They load on first access, so ``import proxylab`` is cheap.
"""

from importlib import import_module
from typing import Any

LAZY = {
    "train": "proxylab.training.train",
    "train_trusted": "proxylab.training.population",
    "evaluate": "proxylab.evaluation.evaluate",
    "detect": "proxylab.screening.run",
    "draw_report": "proxylab.screening.report_files",
    "record": "proxylab.screening.record",
    "guard_agents": "proxylab.guard.run",
    "search_levels": "proxylab.search.run",
    "bow_tie": "proxylab.barriers.run",
    "bench_detectors": "proxylab.leaderboard.run",
    "import_sb3": "proxylab.agents.import_sb3",
    "export_agent": "proxylab.export.run",
    "push": "proxylab.export.hub",
    "pull": "proxylab.export.hub",
    "tune": "proxylab.training.tuning",
    "load_agent": "proxylab.agents.references",
    "load_agents": "proxylab.agents.references",
    "TASKS": "proxylab.tasks",
}
"""Attribute: module that defines it."""

__all__ = list(LAZY)


def __getattr__(name: str) -> Any:
    """Load an attribute of :data:`LAZY`, or the version, on first access."""
    if name == "__version__":
        return _version()
    if name not in LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from proxylab.storage.user_cache import keep_kernels  # not for import proxylab alone

    keep_kernels()
    return getattr(import_module(LAZY[name]), name)


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version  # slow to load

    try:
        return version("proxylab")
    except PackageNotFoundError:  # copied files that are not installed
        return "0+unknown"


def __dir__() -> list[str]:
    return sorted({*globals(), *LAZY, "__version__"})
