"""The benchmarks by name."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from proxylab.bench.app import bench_app
from proxylab.bench.envs import bench_envs
from proxylab.bench.guard import bench_guard
from proxylab.bench.logs import ROWS, bench_logs
from proxylab.bench.mitigations import bench_mitigations
from proxylab.bench.monitor import bench_monitor
from proxylab.bench.procgen import bench_procgen
from proxylab.bench.rewards import bench_rewards
from proxylab.bench.statistics import bench_statistics
from proxylab.bench.timing import Measured
from proxylab.bench.training import LIMIT, bench_training
from proxylab.errors import UsageError
from proxylab.leaderboard.run import Leaderboard

BENCHES = (
    *("envs", "statistics", "training", "procgen", "app", "monitor", "rewards", "logs"),
    *("guard", "mitigations"),
    "detectors",
)

PLAIN = {
    "envs": bench_envs,
    "statistics": bench_statistics,
    "procgen": bench_procgen,
    "app": bench_app,
    "monitor": bench_monitor,
    "rewards": bench_rewards,
    "guard": bench_guard,
    "mitigations": bench_mitigations,
}
"""Benchmarks without options."""


def bench(
    what: str = "envs",
    task: str | None = None,
    seeds: int = 5,
    rows: Sequence[int] = ROWS,
    folder: str | Path | None = None,
    limit: float = LIMIT,
    **options: Any,
) -> Measured | Leaderboard:
    """Measure ``envs``, ``statistics``, ``training``, … or compare ``detectors``.

    Nothing else should run while speed is measured.

    Args:
        what: one of ``BENCHES``.
        task: of ``training`` (by default maze-corner) and ``detectors`` (by default all).
        seeds: of ``training``: runs of each role.
        rows: of ``logs``: sizes of the logs.
        folder: of ``logs``: where they are made and left; by default a temporary folder.
        limit: of ``training``: seconds after which a run is stopped.
        options: of ``detectors``, see :func:`proxylab.leaderboard.run.bench_detectors`.

    Returns:
        :class:`~proxylab.bench.timing.Measured`, of detectors
        :class:`~proxylab.leaderboard.run.Leaderboard`.

    Raises:
        UsageError: there is no such benchmark or task, or there are no seeds or no time.
    """
    if what not in BENCHES:
        raise UsageError(f"no benchmark {what!r}: choose {', '.join(BENCHES)}")
    if what == "detectors":
        from proxylab.leaderboard.run import bench_detectors  # loads much: only when called for

        return bench_detectors(task, **options)
    if what == "training":
        measured = bench_training(task or "maze-corner", seeds, limit)
    elif what == "logs":
        measured = bench_logs(rows, folder=folder)
    else:
        measured = PLAIN[what]()
    return Measured(what, measured, os.cpu_count() or 1)
