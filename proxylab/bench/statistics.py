"""The kernels of ``proxylab.statistics``, each against the best known alternative."""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

from proxylab.bench.statistics_cases import cases
from proxylab.bench.timing import Row, durations

_IN_A_NEW_PROCESS = (
    "import json; from proxylab.bench.statistics import first_calls;"
    "print(json.dumps(first_calls()))"
)


def bench_statistics():
    """One row a kernel: median of the repeats with the fastest and the slowest, peer, aim."""
    compiled = compile_seconds()
    return [measure(case, compiled.get(case.what)) for case in cases()]


def measure(case, compiled=None):
    """Time a ``KernelCase`` of ``statistics_cases``; ``compiled`` in seconds, or None."""
    mine = [_figure(case, seconds) for seconds in durations(case.mine)]
    theirs = case.published
    if case.theirs:
        theirs = _figure(case, statistics.median(durations(case.theirs)))
    value, ratio = statistics.median(mine), None
    if theirs:
        ratio = value / theirs if case.count else theirs / value
    aim, reached = _aim(case, value, ratio)
    return Row(
        case.what,
        value,
        case.unit,
        low=min(mine),
        high=max(mine),
        peer=case.peer,
        peer_value=theirs,
        ratio=ratio,
        compile_seconds=compiled,
        aim=aim,
        outcome=("met" if reached else "missed") if aim else "",
    )


def _aim(case, value, ratio):
    """(the aim in words, whether it is reached)."""
    if case.least_value is not None:
        return f"{case.least_value:,g} {case.unit}", value >= case.least_value
    if case.least_ratio is not None:
        return f"{case.least_ratio:g} times", ratio >= case.least_ratio
    return "", False


def _figure(case, seconds):
    """Things a second, or seconds where a case counts nothing."""
    return case.count / seconds if case.count else seconds


def compile_seconds():
    """{case: seconds to compile} in a new process that finds no compiled code.

    A function that several kernels call is compiled with the first of them, and counts there.
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


def first_calls():
    """{case: seconds that its first call takes longer than the second}, here and now."""
    return {case.what: _first_call(case.mine) for case in cases() if case.compiles}


def _first_call(call):
    times = []
    for _ in range(2):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return max(0.0, times[0] - times[1])
