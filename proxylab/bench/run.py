"""Which benchmarks there are."""

import os

from proxylab.bench.envs import bench_envs
from proxylab.bench.procgen import bench_procgen
from proxylab.bench.statistics import bench_statistics
from proxylab.bench.timing import Measured
from proxylab.bench.training import bench_training
from proxylab.errors import UsageError

BENCHES = ("envs", "statistics", "training", "procgen")


def bench(what="envs", task="maze-corner", seeds=5):
    """Measure ``envs``, ``statistics``, ``training`` (of ``task``, ``seeds`` runs) or ``procgen``.

    Nothing else should run meanwhile.

    Returns:
        :class:`~proxylab.bench.timing.Measured`.

    Raises:
        UsageError: there is no such benchmark or task, or there are no seeds.
    """
    if what not in BENCHES:
        raise UsageError(f"no benchmark {what!r}: choose {', '.join(BENCHES)}")
    if what == "training":
        rows = bench_training(task, seeds)
    elif what == "procgen":
        rows = bench_procgen()
    else:
        rows = bench_envs() if what == "envs" else bench_statistics()
    return Measured(what, rows, os.cpu_count() or 1)
