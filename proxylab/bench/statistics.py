"""The kernels of ``proxylab.statistics``, each against the best known alternative."""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any

from proxylab.bench.statistics_cases import KernelCase, cases
from proxylab.bench.timing import Row, durations

_IN_A_NEW_PROCESS = (
    "import json; from proxylab.bench.statistics import first_calls;"
    "print(json.dumps(first_calls()))"
)


def bench_statistics() -> list[Row]:
    """One row per kernel: median, fastest and slowest repeat, peer and target."""
    compiled = compile_seconds()
    return [measure(case, compiled.get(case.what)) for case in cases()]


def measure(case: KernelCase, compiled: float | None = None) -> Row:
    """Time a ``KernelCase`` of ``statistics_cases``; ``compiled`` in seconds, or None."""
    values = [_figure(case, seconds) for seconds in durations(case.mine)]
    peer_value = case.published
    if case.theirs:
        peer_value = _figure(case, statistics.median(durations(case.theirs)))
    value, ratio = statistics.median(values), None
    if peer_value:
        ratio = value / peer_value if case.count else peer_value / value
    aim, reached = _aim(case, value, ratio)
    return Row(
        case.what,
        value,
        case.unit,
        low=min(values),
        high=max(values),
        peer=case.peer,
        peer_value=peer_value,
        ratio=ratio,
        compile_seconds=compiled,
        aim=aim,
        outcome=("met" if reached else "missed") if aim else "",
    )


def _aim(case: KernelCase, value: float, ratio: float | None) -> tuple[str, bool]:
    """(the target in words, whether it is reached)."""
    if case.least_value is not None:
        return f"{case.least_value:,g} {case.unit}", value >= case.least_value
    if case.least_ratio is not None:
        return f"{case.least_ratio:g} times", ratio is not None and ratio >= case.least_ratio
    return "", False


def _figure(case: KernelCase, seconds: float) -> float:
    """Items per second, or seconds where a case counts no items."""
    return case.count / seconds if case.count else seconds


def compile_seconds() -> dict[str, float]:
    """{case: seconds to compile} in a new process that finds no compiled code.

    A function that several kernels call is compiled, and counted, with the first of them.
    """
    with tempfile.TemporaryDirectory() as empty:
        done = subprocess.run(
            [sys.executable, "-c", _IN_A_NEW_PROCESS],
            env={**os.environ, "NUMBA_CACHE_DIR": empty},
            capture_output=True,
            text=True,
            check=True,
        )
    return json.loads(done.stdout)


def first_calls() -> dict[str, float]:
    """{case: seconds that its first call takes longer than the second}, in this process."""
    return {case.what: _first_call(case.mine) for case in cases() if case.compiles}


def _first_call(call: Callable[[], Any]) -> float:
    times = []
    for _ in range(2):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return max(0.0, times[0] - times[1])
