"""Files made to hurt: none runs code, each costs little, and each is refused in one line."""

import json
import os
import subprocess
import sys

import pytest
from evil_files import make_all

from proxylab.cli import main

BREAKERS = ("onnx: time without end",)
"""Those that keep a confined process busy to its bound."""
MEMORY, SECONDS = 1 << 30, 10
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="pipes, devices, resource limits")


@pytest.fixture(scope="module")
def evil(tmp_path_factory):
    """(list of Evil, canary)."""
    return make_all(tmp_path_factory.mktemp("evil"))


def wrong(one, code, stderr):
    """What is wrong with an answer, or None."""
    if code != one.code:
        return f"{one.name}: exit code {code}, not {one.code}: {stderr[-300:]}"
    lines = stderr.splitlines()
    if one.code and (len(lines) != 1 or not lines[0].isprintable()):
        return f"{one.name}: {len(lines)} lines: {stderr[:300]!r}"
    return None


def test_evil_files_are_refused_in_one_line(evil, here, capsys, monkeypatch, tmp_path):
    attempts, canary = evil
    monkeypatch.setenv("PROXYLAB_RESULTS", str(tmp_path))
    complaints = []
    for one in attempts:
        if one.name in BREAKERS:
            continue
        code = main(one.argv)
        complaints.append(wrong(one, code, capsys.readouterr().err))
        assert not canary.exists(), one.name
    assert not list(filter(None, complaints)), "\n".join(filter(None, complaints))
    assert len(complaints) > 300


def test_the_payload_is_live(evil, tmp_path):
    """Control: with --trust-pickle the same zip makes the canary."""
    attempts, canary = evil
    one = next(e for e in attempts if e.name == "zip: data slot policy_class")
    main([*one.argv[:-2], str(tmp_path / "agent"), "--trust-pickle"])
    assert canary.exists()
    canary.unlink()


LAUNCHER = """
import json, os, subprocess, sys, time
began = time.perf_counter()
with open(sys.argv[1], "wb") as errors:
    null = subprocess.DEVNULL
    process = subprocess.Popen(sys.argv[2:], stdin=null, stdout=null, stderr=errors)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = code = os.waitstatus_to_exitcode(status)
spent = used.ru_utime + used.ru_stime
print(json.dumps([code, used.ru_maxrss << 10, spent, time.perf_counter() - began]))
"""
"""A small process between, since a child begins with the largest size of its parent."""


def run(one, folder):
    """(exit code, stderr, bytes of the largest process, seconds of processor, of the clock)."""
    argv = [sys.executable, "-m", "proxylab", *one.argv]
    done = subprocess.run(
        [sys.executable, "-c", LAUNCHER, str(folder / "stderr"), *argv],
        capture_output=True,
        check=True,
        env={**os.environ, "PROXYLAB_RESULTS": str(folder)},
    )
    code, memory, spent, clock = json.loads(done.stdout)
    return code, (folder / "stderr").read_text(), memory, spent, clock


@pytest.mark.slow
def test_evil_files_cost_little(evil, tmp_path, capsys):
    """Each in a process of its own; processor time is bounded, as the clock runs for others."""
    attempts, canary = evil
    complaints, costs = [], []
    for one in attempts:
        code, stderr, memory, spent, clock = run(one, tmp_path)
        complaints.append(wrong(one, code, stderr))
        costs.append((memory, spent, clock, one.name))
        if memory > MEMORY or spent > SECONDS:
            complaints.append(f"{one.name}: {memory >> 20} MiB, {spent:.1f} s")
        assert not canary.exists(), one.name
    with capsys.disabled():
        for column, unit in ((0, "bytes"), (1, "s of processor"), (2, "s of the clock")):
            most = max(costs, key=lambda row: row[column])
            print(f"\nmost of {len(costs)}: {most[column]:,.1f} {unit} ({most[3]})", end="")
    assert not list(filter(None, complaints)), "\n".join(filter(None, complaints))
