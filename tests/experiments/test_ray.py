"""The same sweep through Ray: a worker killed, then the driver, and all results are there once."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from proxylab.storage.store import read_table

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not Path("/proc").is_dir(), reason="finds Ray's processes in /proc"),
]
SWEEP = Path(__file__).with_name("toy_sweep.py")
MARK = "PROXYLAB_TEST_CLUSTER"
"""Environment variable that all processes of a cluster inherit; others are left alone."""
WAIT = 300
"""Seconds until something must have happened."""


@pytest.fixture
def ray_folder():
    """Ray's own folder; short, because it holds sockets."""
    pytest.importorskip("ray")
    with tempfile.TemporaryDirectory(prefix="ray-", ignore_cleanup_errors=True) as folder:
        yield folder


def started(command, mark, ray_folder, cwd, log, **settings):
    """A process in a session of its own, whose descendants all carry ``mark``."""
    environment = {**os.environ, **settings, MARK: mark}
    environment |= {"RAY_TMPDIR": ray_folder, "RAY_USAGE_STATS_ENABLED": "0"}
    environment.pop("RAY_ADDRESS", None)
    with open(log, "ab") as stream:
        return subprocess.Popen(
            [sys.executable, "-m", *command],
            cwd=cwd,
            env=environment,
            stdout=stream,
            stderr=stream,
            start_new_session=True,
        )


def processes(mark):
    """{process id: command line} of the processes that carry ``mark``."""
    found = {}
    for path in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if f"{MARK}={mark}".encode() in (path / "environ").read_bytes().split(b"\0"):
                found[int(path.name)] = (path / "cmdline").read_bytes()
    return found


def stop(mark):
    """Kill the processes that carry ``mark``, and wait until none is left."""

    def none_left():
        for pid in (left := running(mark)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return not left

    wait_for(none_left)


def running(mark):
    """Process ids that carry ``mark`` and are no zombies."""
    return [pid for pid, command in processes(mark).items() if command]


@pytest.fixture
def bench(tmp_path, ray_folder):
    """Function (engine) -> started ``reproduce`` of the sweep, in a folder of that engine."""
    (tmp_path / "experiments").mkdir()
    shutil.copy(SWEEP, tmp_path / "experiments" / "sweep.py")
    mark = str(tmp_path)

    def start(engine):
        command = ["proxylab.cli", "reproduce", "sweep", "--engine", engine, "--jobs", "2"]
        results, log = str(tmp_path / engine), tmp_path / f"{engine}.txt"
        return started(command, mark, ray_folder, tmp_path, log, PROXYLAB_RESULTS=results)

    yield tmp_path, start
    stop(mark)


@pytest.fixture
def neighbour(tmp_path, ray_folder):
    """Mark of another cluster of this machine, the one that Ray would choose by default."""
    mark, log = f"{tmp_path}-neighbour", tmp_path / "neighbour.txt"
    words = "start --head --block --num-cpus 1 --include-dashboard false --disable-usage-stats"
    port = ["--port", "0"]
    started(["ray.scripts.scripts", *words.split(), *port], mark, ray_folder, tmp_path, log)
    wait_for(lambda: "Ray runtime started" in log.read_text())
    yield mark
    stop(mark)


def wait_for(condition):
    until = time.monotonic() + WAIT
    while not (found := condition()):
        assert time.monotonic() < until, "nothing happened"
        time.sleep(0.05)
    return found


def complete(folder):
    return sorted((folder / "runs").glob("maze-corner/*/seed-*/complete"))


def workers(mark):
    """Process ids of the Ray workers that are at a job."""
    return [pid for pid, line in processes(mark).items() if line.startswith(b"ray::run_assignment")]


def results(folder):
    """{relative path: content} of what must not depend on the engine; clocks are left out."""
    agents = (folder / "runs").glob("maze-corner/**/agent.safetensors")
    found = {p: p.read_bytes() for p in (*agents, *(folder / "tables").glob("*.csv"))}
    for path in (folder / "runs").glob("maze-corner/**/metrics.parquet"):
        found[path] = [{k: v for k, v in r.items() if "second" not in k} for r in read_table(path)]
    return {str(path.relative_to(folder)): content for path, content in found.items()}


def test_kills_lose_nothing_and_ray_equals_local(neighbour, bench):
    folder, start = bench
    others = set(running(neighbour))
    driver = start("ray")
    os.kill(wait_for(lambda: workers(str(folder)))[0], signal.SIGKILL)
    wait_for(lambda: complete(folder / "ray"))
    os.killpg(driver.pid, signal.SIGKILL)
    driver.wait()
    before = {path: path.stat().st_mtime_ns for path in complete(folder / "ray")}
    assert before
    assert len(before) < 6
    assert start("ray").wait(WAIT) == 0, (folder / "ray.txt").read_text()[-2000:]
    after = complete(folder / "ray")
    assert len(after) == 6
    assert all(path.stat().st_mtime_ns == before[path] for path in before)
    assert start("local").wait(WAIT) == 0, (folder / "local.txt").read_text()[-2000:]
    ray, local = results(folder / "ray"), results(folder / "local")
    assert len(local) == 6 * 2 + 2
    assert ray == local
    stop(str(folder))
    assert not running(str(folder))
    assert others
    assert others <= set(running(neighbour))
