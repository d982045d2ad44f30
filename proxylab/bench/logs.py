"""``bench logs``: time and memory of ``detect`` on logs of growing size.

A log of N rows holds the steps of 100 policies (``proxylab.bench.log_rows``), one or more Parquet
files each. ``proxylab detect --large-logs`` runs as a command of its own; its resident memory is
the sum over all its processes, sampled, so that pages shared by two of them count twice.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from proxylab.bench.log_rows import write_logs
from proxylab.bench.timing import Row
from proxylab.storage import store
from proxylab.storage.provenance import commit, versions

ROWS, POLICIES = (1_000_000, 10_000_000, 100_000_000), 100
SAMPLE_SECONDS = 0.2
PAGE = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096


@dataclass(frozen=True)
class LogTiming:
    """One run of ``detect``.

    Attributes:
        rows: of the log.
        policies: in it.
        file_bytes: size of its files.
        seconds: wall-clock time.
        cpu_seconds: processor time of all processes, user and system.
        resident_bytes: largest resident memory of all processes together; 0 where unknown.
        load: processes that ran or waited for a processor during the run (load average at its
            end), the command's own included.
        verdict: on the suspect.
        score: ``occupancy_js`` of the suspect.
    """

    rows: int
    policies: int
    file_bytes: int
    seconds: float
    cpu_seconds: float
    resident_bytes: int
    load: float
    verdict: str
    score: float


def bench_logs(
    rows: Sequence[int] = ROWS,
    policies: int = POLICIES,
    folder: str | Path | None = None,
    write: bool = True,
) -> list[Row]:
    """Rows of every size; with ``write``, also the table and the figure.

    Args:
        rows: sizes of the logs, steps of all policies.
        policies: in each log.
        folder: where the logs are made and left; by default a temporary one.
        write: whether to write ``logs.csv``, ``logs.json`` and the figure.

    Returns:
        list[:class:`~proxylab.bench.timing.Row`].
    """
    with tempfile.TemporaryDirectory(prefix="proxylab-bench-") as temporary:
        place = Path(folder or temporary)
        timings = [_timed(place, count, policies) for count in sorted(rows)]
    if write:
        _write(timings)
    return [row for timing in timings for row in _rows(timing)]


def _timed(place: Path, rows: int, policies: int) -> LogTiming:
    logs = place / f"{rows}"
    if not logs.is_dir():
        write_logs(logs, rows, policies)
    size = sum(file.stat().st_size for file in logs.rglob("*.parquet"))
    command = ["detect", str(logs / "suspect"), "--large-logs", str(place), "--no-cache", "--json"]
    arguments = [sys.executable, "-m", "proxylab", *command, "--trusted", str(logs / "trusted")]
    before, start = os.times(), time.perf_counter()
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(arguments, stdout=output)
        resident = 0
        while process.poll() is None:
            resident = max(resident, resident_bytes(process.pid))
            time.sleep(SAMPLE_SECONDS)
        seconds, after = time.perf_counter() - start, os.times()
        output.seek(0)
        report = json.load(output)["suspects"][0]
    used = (after.children_user + after.children_system) - (
        before.children_user + before.children_system
    )
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    score = report["scores"]["occupancy_js"]["score"]
    facts = (rows, policies, size, seconds, used, resident, load)
    return LogTiming(*facts, report["verdict"], score)


def resident_bytes(root: int) -> int:
    """Resident memory of a process and all below it, bytes; 0 without ``/proc``."""
    parents: dict[int, int] = {}
    resident: dict[int, int] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            facts = (folder / "stat").read_text().rsplit(")", 1)[1].split()
            pages = (folder / "statm").read_text().split()[1]
            parents[int(folder.name)], resident[int(folder.name)] = int(facts[1]), int(pages) * PAGE
        except (OSError, IndexError, ValueError):  # it has just ended
            continue
    below, total = [root], 0
    while below:
        process = below.pop()
        total += resident.get(process, 0)
        below += [child for child, parent in parents.items() if parent == process]
    return total


def _rows(timing: LogTiming) -> list[Row]:
    name = f"detect, {timing.rows:,} rows"
    aim = "at most 5 minutes and 2 GiB at 100,000,000 rows"
    met = timing.seconds <= 300 and timing.resident_bytes <= 2 << 30
    largest = timing.rows == ROWS[-1]
    outcome = ("met" if met else "missed") if largest else ""
    return [
        Row(name, timing.seconds, "s", aim=aim if largest else "", outcome=outcome),
        Row(f"{name}, processors", timing.cpu_seconds, "s"),
        Row(f"{name}, resident memory", timing.resident_bytes / 2**20, "MiB"),
        Row(f"{name}, load average", timing.load, "processes"),
    ]


def _write(timings: Sequence[LogTiming]) -> None:
    from proxylab.plots.logs import time_and_memory  # draws: loaded when called for
    from proxylab.plots.style import save

    folder = store.shown_folder("tables")
    store.write_table([asdict(timing) for timing in timings], folder / "logs.csv")
    settings = {"commit": commit()[0], "versions": versions(), "processors": os.cpu_count()}
    store.write_json(folder / "logs.json", settings)
    figure = time_and_memory(
        [timing.rows for timing in timings],
        [timing.seconds for timing in timings],
        [timing.cpu_seconds for timing in timings],
        [timing.resident_bytes for timing in timings],
    )
    save(figure, store.shown_folder("figures") / "logs")
