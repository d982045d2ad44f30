"""A laboratory for goal misgeneralization and proxy gaming in reinforcement learning.

The three verbs are functions of the package: ``proxylab.train``, ``proxylab.evaluate``,
``proxylab.detect``. They load when they are first named, so a plain import costs nothing.
"""

from importlib import import_module

LAZY = {
    "train": "proxylab.training.train",
    "evaluate": "proxylab.evaluation.evaluate",
    "detect": "proxylab.screening.run",
    "record": "proxylab.screening.record",
    "bench_detectors": "proxylab.leaderboard.run",
    "import_sb3": "proxylab.agents.import_sb3",
    "load_agent": "proxylab.agents.loading",
    "load_agents": "proxylab.agents.loading",
    "TASKS": "proxylab.tasks",
}
"""attribute: module that holds it."""

__all__ = list(LAZY)


def __getattr__(name):
    """Load an attribute of :data:`LAZY` when it is first asked for."""
    if name not in LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(LAZY[name]), name)


def __dir__():
    return sorted({*globals(), *LAZY})
