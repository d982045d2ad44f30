"""The command line and the system: closed streams, full disks, odd files, narrow terminals."""

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import proxylab
from proxylab import cli
from proxylab.agents.format import save_agent
from proxylab.agents.references import agent_folders, load_agent
from proxylab.cli import command_of, main
from proxylab.errors import AgentError, DiskFullError
from proxylab.logs import log_files

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="/dev, /proc")
OPTIMAL = "script:boat-race/optimal"


def shell(line, folder, **variables):
    """(exit code, stdout bytes, stderr bytes) of a shell's line, ``P`` being the program."""
    program = f"{sys.executable} -m proxylab"
    done = subprocess.run(
        ["sh", "-c", line.replace("P ", f"{program} ", 1)],
        capture_output=True,
        cwd=folder,
        env={**os.environ, "PROXYLAB_RESULTS": str(folder / "results"), **variables},
        timeout=120,
    )
    return done.returncode, done.stdout, done.stderr


@pytest.fixture
def said(capsys, monkeypatch, tmp_path):
    """Function: run a command line, and give (exit code, stdout, stderr)."""
    monkeypatch.setenv("PROXYLAB_RESULTS", str(tmp_path / "results"))

    def run(*arguments):
        code = main([str(a) for a in arguments])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


# Streams


@LINUX
def test_a_closed_stdout_takes_nothing_and_spoils_no_file(tmp_path):
    table = tmp_path / "episodes.csv"
    line = f"P evaluate {OPTIMAL} --episodes 2 --table {table} --json >&-"
    code, out, err = shell(line, tmp_path)
    assert (code, out, err) == (0, b"", b"")
    assert b"schema" not in table.read_bytes()
    assert table.read_text().count("\n") == 1 + 2 * 3 * 2 - 4  # train and shifted of two splits


@LINUX
@pytest.mark.parametrize("line", ["P list envs <&-", "P list envs 2>&-", "P play boat-race <&-"])
def test_other_closed_streams(tmp_path, line):
    code, out, err = shell(line.replace("boat-race", "boat-race --split train"), tmp_path)
    assert code == 0
    assert out
    assert b"Traceback" not in err


@LINUX
def test_a_closed_stderr_does_not_send_complaints_to_stdout(tmp_path):
    assert shell("P evalute 2>&-", tmp_path) == (2, b"", b"")


@LINUX
def test_a_full_disk_behind_stdout_is_one_line(tmp_path):
    code, _, err = shell("P list envs --json >/dev/full", tmp_path)
    assert (code, err.count(b"\n")) == (1, 1)
    assert b"the disk is full" in err


@LINUX
@pytest.mark.parametrize("option", ["", "--help", "--version"])
def test_the_overview_needs_no_reader(tmp_path, option):
    """A pipe that is closed at once, a full disk, no stdout at all."""
    assert shell(f"P {option} >&-", tmp_path) == (0, b"", b"")
    code, _, err = shell(f"{{ sleep 1; P {option}; echo $? >&2; }} | true", tmp_path)
    assert (code, err) == (0, b"0\n")
    code, _, err = shell(f"P {option} >/dev/full", tmp_path)
    assert (code, err.count(b"\n")) == (1, 1)


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_every_terminal_gets_the_verdict(tmp_path, encoding):
    """Whatever it can show, names that are no UTF-8 included."""
    variables = {"LANG": "C", "LC_ALL": "C", "PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"}
    others = " ".join(f"script:boat-race/{s}" for s in ("still", "counter-clockwise"))
    line = f"P detect script:boat-race/back-and-forth --trusted {OPTIMAL} {others} --episodes 4"
    code, out, err = shell(line, tmp_path, **variables)
    assert code == 0, err
    assert b"suspect: script:boat-race/back-and-forth" in out
    line = "P evaluate \"$(printf 'n\\303\\244me\\377\\342\\200\\256')\""
    code, out, err = shell(line, tmp_path, **variables)
    assert (code, out, err.count(b"\n")) == (2, b"", 1)
    assert b"there is no agent here" in err
    assert b"\xff" not in err
    assert b"\xe2\x80\xae" not in err


# Disks


def full(*_arguments):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device", "x"),
        OSError(errno.EDQUOT, "Disk quota exceeded", "x"),
        RuntimeError("[enforce fail] unexpected pos 64: No space left on device"),
        DiskFullError("x"),
    ],
)
def test_a_full_disk_says_what_to_do(said, monkeypatch, error):
    def fail(_self):
        raise error

    monkeypatch.setattr(command_of("list"), "run", fail)
    code, out, err = said("list")
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert "the disk is full (No space left on device): free some space" in err
    assert "Error:" not in err


@pytest.mark.parametrize("name", ["table.parquet", "table.csv"])
def test_a_table_on_a_full_disk(said, monkeypatch, tmp_path, name):
    monkeypatch.setattr(os, "fsync", full)
    code, _, err = said("evaluate", OPTIMAL, "--episodes", 2, "--table", tmp_path / name)
    assert (code, err.count("\n")) == (1, 1)
    assert f"{name}: the disk is full" in err
    assert list(tmp_path.iterdir()) == []


@LINUX
@pytest.mark.skipif(os.geteuid() != 0, reason="mounting takes root")
def test_a_disk_that_is_really_full(tmp_path):
    small = tmp_path / "small"
    small.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(small)]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("no tmpfs can be mounted here")
    try:
        (small / "filler").write_bytes(b"x" * (64 << 10))
        for name in ("log.parquet", "log.jsonl", "log.csv"):
            line = f"P record {OPTIMAL} --out {small}/{name} --split train --episodes 4"
            code, _, err = shell(line, tmp_path)
            assert (code, err.count(b"\n")) == (1, 1), err
            assert b"the disk is full" in err
        training = "train boat-race --total-timesteps 64 --num-envs 2"
        code, _, err = shell(f"P {training} --out {small}/run", tmp_path)
        assert code == 1
        assert b"the disk is full" in err.splitlines()[-1]
        assert not list(small.rglob("*.part"))
    finally:
        subprocess.run(["umount", str(small)], check=True)


# Files and folders


@LINUX
@pytest.mark.parametrize("out", ["/dev/null/x", "/proc/x/y", "/dev/null"])
def test_folders_that_cannot_be(said, out):
    code, _, err = said("train", "boat-race", "--out", out, "--total-timesteps", 64)
    assert (code, err.count("\n")) == (2, 1)
    assert err.startswith("proxylab: /")
    assert "Error" not in err


def test_a_folder_where_a_file_belongs(said, tmp_path):
    for name in ("x.png", "x.html", "x.parquet"):
        (tmp_path / name / "y").mkdir(parents=True)
    seeker = "script:maze-corner/optimal"
    given = [
        ("field", seeker, "--out", tmp_path / "x.png"),
        ("evaluate", OPTIMAL, "--episodes", 1, "--table", tmp_path / "x.parquet"),
        ("record", OPTIMAL, "--episodes", 1, "--split", "train", "--out", tmp_path / "x.parquet"),
        ("train", "boat-race", "--config", tmp_path),
        ("play", "maze-corner", "--level", tmp_path),
    ]
    for arguments in given:
        code, _, err = said(*arguments)
        assert (code, err.splitlines()[-1][:10]) == (2, "proxylab: "), err
        assert "Error" not in err.splitlines()[-1]


def test_what_is_there_goes_before_a_pattern(tmp_path):
    kept = load_agent("zoo:boat-race/trusted-00")
    for name in ("run[1]", "run1"):
        save_agent(tmp_path / name, kept.spec, kept.network.state_dict())
        (tmp_path / f"{name}.jsonl").touch()
    assert agent_folders(tmp_path / "run[1]") == [tmp_path / "run[1]"]
    assert log_files(tmp_path / "run[1].jsonl") == [tmp_path / "run[1].jsonl"]
    assert agent_folders(tmp_path / "run[12]") == [tmp_path / "run1"]
    with pytest.raises(AgentError, match="an empty name"):
        load_agent("")


@pytest.mark.parametrize("text", ["", " ", "x" * 300, "x" * 5_000, "/dev/zero", "\udcff"])
@pytest.mark.parametrize("verb", ["evaluate", "detect", "field", "train", "play", "monitor"])
def test_names_that_name_nothing(said, verb, text):
    code, out, err = said(verb, text)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert len(err) < 1_200
    assert err.isprintable() or err.rstrip("\n").isprintable()


# Version and speed


def test_the_version(said):
    code, out, _ = said("--version")
    assert (code, out) == (0, f"proxylab {proxylab.__version__}\n")
    assert "__version__" in dir(proxylab)
    assert proxylab.__version__[0].isdigit()


LIGHT = {
    *("proxylab.cli", "proxylab.errors", "proxylab.console", "proxylab.console.terminal"),
    "proxylab.commands",
    *("proxylab.storage", "proxylab.storage.whole_files"),
}
"""Modules of ours that ``--help`` needs."""


def test_help_loads_next_to_nothing(tmp_path):
    """0.1 s: the standard library and the verbs' table, nothing that was installed."""
    code = "import sys; before = set(sys.modules); from proxylab.cli import main; main(['--help'])"
    code += "\nprint('LOADED', *sorted(set(sys.modules) - before))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, check=True
    )
    loaded = done.stdout.split("LOADED ")[1].split()
    tops = {name.split(".")[0] for name in loaded} - {"proxylab"}
    assert tops <= set(sys.stdlib_module_names)
    assert {name for name in loaded if name.startswith("proxylab.")} <= LIGHT
    assert Path(cli.__file__).is_file()
    assert json.loads(json.dumps(loaded))
