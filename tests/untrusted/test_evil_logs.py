"""Logs that would cost much are refused for little: memory, time and disk are bounded."""

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import evil_bombs
import pytest
from evil_files import Evil
from test_evil_files import MEMORY, SECONDS, run, wrong

from proxylab.errors import UsageError
from proxylab.logs import LogError, log_files, process, read_log
from proxylab.logs.live import EpisodeReader, Tail, episodes_of

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="pipes, devices, resource limits")
FACTS = {"task": "maze-corner", "policy": "watched", "num_states": 81, "num_actions": 4}


@pytest.fixture(scope="module")
def bombs(tmp_path_factory):
    """{name: path}."""
    return evil_bombs.bombs(tmp_path_factory.mktemp("bombs"))


@pytest.fixture(scope="module")
def live(tmp_path_factory):
    """{name: path}."""
    return evil_bombs.live_logs(tmp_path_factory.mktemp("live"))


def most_memory(pid):
    """Bytes of the process at its largest."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) << 10 for line in lines if line.startswith("VmHWM"))


def processor_seconds(pid):
    """Processor time of a process; a busy machine does not add to it."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def attempt(path):
    """(what is said, seconds, bytes of the reading process or None where it has ended)."""
    before = process._process._process.pid if process._process else None
    used = processor_seconds(before) if before and process._process.running else 0.0
    began = time.process_time()
    try:
        read_log(path)
        said = None
    except LogError as error:
        said = str(error)
    spent = time.process_time() - began
    running = process._process is not None and process._process.running
    if not running:  # the bound on its processor time is tested with the process
        return said, spent, None
    pid = process._process._process.pid
    spent += processor_seconds(pid) - (used if pid == before else 0.0)
    return said, spent, most_memory(pid)


def test_every_bomb_is_refused_in_a_line_and_for_little(bombs):
    wrong = []
    for name, path in bombs.items():
        said, spent, memory = attempt(path)
        if said is None or not said.isprintable() or len(said) > 500:
            wrong.append(f"{name}: {said and said[:200]!r}")
        if spent > SECONDS or (memory or 0) > MEMORY:
            wrong.append(f"{name}: {spent:.1f} s, {(memory or 0) >> 20} MiB")
    assert not wrong, "\n".join(wrong)
    kinds = {name.split(", ")[-1].split(":")[0] for name in bombs}
    assert len(bombs) > 150
    assert len(kinds) >= 15


def test_the_reading_process_keeps_nothing(bombs):
    for name in ("parquet, sum: 400 MB of hashes", "csv, row: zeros"):
        attempt(bombs[name])
        assert not list(Path(process._process.folder.name).rglob("*.tmp"))
    folder = Path(process._process.folder.name)
    process.close_process()
    assert not folder.exists()


def test_every_live_bomb_is_refused_in_a_line(live):
    for name, path in live.items():
        with pytest.raises(UsageError) as refusal:
            list(episodes_of(Tail(path), EpisodeReader(str(path), **FACTS)))
        assert str(refusal.value).isprintable(), name
        assert len(str(refusal.value)) < 500, name
    assert len(live) > 20


def test_a_pipe_is_not_waited_for_by_monitor(bombs):
    for name in ("pipe: ending in .jsonl", "device: ending in .jsonl"):
        with pytest.raises(UsageError, match="this is no file"):
            Tail(bombs[name]).records(at_end=True)


def test_a_path_that_exists_is_no_pattern(tmp_path):
    text = "level_seed,episode,step,action\n7,0,0,1\n"
    for name in ("log[1].csv", "log1.csv", "a*.csv", "ab.csv"):
        (tmp_path / name).write_text(text.replace("7", str(len(name))))
    for name in ("log[1].csv", "a*.csv"):
        assert log_files(tmp_path / name) == [tmp_path / name]
        assert read_log(tmp_path / name)[0].level_seed.tolist() == [len(name)]
    assert log_files(tmp_path / "log[12].csv") == [tmp_path / "log1.csv"]


UNBOUNDED = """
import json, os, sys, tempfile
from proxylab.storage import limits
from proxylab.logs import reading, rows
from proxylab.logs.budget import Budget
from proxylab.untrusted.confined import address_space, rebound
path, bounded = sys.argv[1], sys.argv[2] == "bounded"
object.__setattr__(limits.LIMITS, "log_array_bytes", 1 << 40)
object.__setattr__(limits.LIMITS, "log_step_bytes", 1 << 20)
budget = Budget(path, os.stat(path).st_size)
if bounded:
    rebound(address_space() + budget.memory, budget.disk)
with tempfile.TemporaryDirectory() as folder:
    try:
        for part in reading.reader_of(path)(path, budget, folder):
            for episodes in rows.episodes_of_rows(part):
                pass
        said = "read"
    except rows.LogError:
        said = "read"
    except MemoryError:
        said = "MemoryError"
status = open("/proc/self/status").read()  # ru_maxrss would hold that of the parent process
print(json.dumps([said, int(status.split("VmHWM:")[1].split()[0]) << 10]))
"""


def without_guard(path, how):
    done = subprocess.run(
        [sys.executable, "-c", UNBOUNDED, path, how], capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout)


BOMB = "jsonl, sum: nulls in an episode's features"


def test_the_bound_on_memory_holds_without_that_on_arrays(bombs):
    """What the first guard would let through, the second stops."""
    said, memory = without_guard(bombs[BOMB], "bounded")
    assert said == "MemoryError"
    assert memory < MEMORY


@pytest.mark.slow
def test_without_its_guards_a_bomb_takes_over_a_gibibyte(bombs):
    """Control: no bound on arrays, none on the process."""
    said, memory = without_guard(bombs[BOMB], "unbounded")
    assert said == "read"
    assert memory > MEMORY


DISK = 200_000_000
"""Bytes of temporary files."""


class Watched:
    """The most that a folder ever held, looked at every few milliseconds."""

    def __init__(self, folder):
        self.folder, self.most = folder, 0
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self.look)

    def look(self):
        while not self.ended.wait(0.02):
            sizes = []
            for path in self.folder.rglob("*"):
                try:
                    sizes.append(path.lstat().st_size)
                except OSError:  # gone meanwhile
                    continue
            self.most = max(self.most, sum(sizes))

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        self.thread.join()


def attempts(bombs, live):
    """list[Evil] for the command line."""
    for name, path in bombs.items():
        yield Evil(name, ["detect", str(path), "--task", "maze-corner", "--episodes", "4"])
    for name, path in live.items():
        yield Evil(f"monitor, {name}", ["monitor", str(path), "--episodes", "4"])


@pytest.mark.slow
def test_every_bomb_costs_the_command_line_little(bombs, live, tmp_path, monkeypatch, capsys):
    """A process each, its children counted; processor time, as the clock runs for others."""
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    complaints, costs = [], []
    for one in attempts(bombs, live):
        with Watched(temporary) as watched:
            code, stderr, memory, spent, clock = run(one, tmp_path)
        complaints.append(wrong(one, code, stderr))
        costs.append((memory, spent, clock, watched.most, one.name))
        if memory > MEMORY or spent > SECONDS or watched.most > DISK:
            complaints.append(
                f"{one.name}: {memory >> 20} MiB, {spent:.1f} s, {watched.most:,} bytes"
            )
        if list(temporary.glob("proxylab-log-*")):
            complaints.append(f"{one.name}: temporary files stay")
    with capsys.disabled():
        units = ("bytes of memory", "s of processor", "s of the clock", "bytes of disk")
        for column, unit in enumerate(units):
            most = max(costs, key=lambda row: row[column])
            print(f"\nmost of {len(costs)}: {most[column]:,.1f} {unit} ({most[-1]})", end="")
    assert not list(filter(None, complaints)), "\n".join(filter(None, complaints))
