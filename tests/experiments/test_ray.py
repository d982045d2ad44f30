"""The same sweep through Ray: a worker killed, then the driver, and all results are there once."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from proxylab.storage.store import read_table

pytestmark = pytest.mark.slow
SWEEP = Path(__file__).with_name("toy_sweep.py")
WAIT = 300
"""Seconds until something must have happened."""


@pytest.fixture
def bench(tmp_path):
    """Function (engine) -> started ``reproduce`` of the sweep, in a folder of that engine."""
    pytest.importorskip("ray")
    (tmp_path / "experiments").mkdir()
    shutil.copy(SWEEP, tmp_path / "experiments" / "sweep.py")
    started = []

    def start(engine):
        command = [sys.executable, "-m", "proxylab.cli", "reproduce", "sweep", "--engine", engine]
        settings = {"PROXYLAB_RESULTS": str(tmp_path / engine), "RAY_USAGE_STATS_ENABLED": "0"}
        environment = {**os.environ, **settings}
        environment.pop("RAY_ADDRESS", None)
        with open(tmp_path / f"{engine}.txt", "ab") as log:
            process = subprocess.Popen(
                [*command, "--jobs", "2"],
                cwd=tmp_path,
                env=environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        started.append(process)
        return process

    yield tmp_path, start
    for process in started:
        process.kill()
    subprocess.run(["ray", "stop", "--force"], capture_output=True, check=False)


def wait_for(condition):
    until = time.monotonic() + WAIT
    while not (found := condition()):
        assert time.monotonic() < until, "nothing happened"
        time.sleep(0.05)
    return found


def complete(folder):
    return sorted((folder / "runs").glob("maze-corner/*/seed-*/complete"))


def workers():
    """Process ids of the Ray workers that are at a job."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if path.read_bytes().startswith(b"ray::run_assignment"):
                found.append(int(path.parent.name))
        except OSError:
            continue
    return found


def results(folder):
    """{relative path: content} of what must not depend on the engine; clocks are left out."""
    agents = (folder / "runs").glob("maze-corner/**/agent.safetensors")
    found = {p: p.read_bytes() for p in (*agents, *(folder / "tables").glob("*.csv"))}
    for path in (folder / "runs").glob("maze-corner/**/metrics.parquet"):
        found[path] = [{k: v for k, v in r.items() if "second" not in k} for r in read_table(path)]
    return {str(path.relative_to(folder)): content for path, content in found.items()}


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="finds Ray's workers in /proc")
def test_kills_lose_nothing_and_ray_equals_local(bench):
    folder, start = bench
    driver = start("ray")
    os.kill(wait_for(workers)[0], signal.SIGKILL)
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
