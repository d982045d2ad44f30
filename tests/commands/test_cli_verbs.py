"""The verbs through the command line: results, and one clear line for every wrong use."""

import dataclasses
import io
import json
import types

import numpy as np
import pytest

from proxylab.bench import envs, timing
from proxylab.bench import training as training_bench
from proxylab.cli import main
from proxylab.commands import installation as doctor
from proxylab.evaluation.play import action_of, play, terminal_keys
from proxylab.storage.store import read_table
from proxylab.tasks import TASKS
from proxylab.training import train as training
from proxylab.training.train import train as real_train
from proxylab_envs.maze_corner import MazeCorner
from proxylab_envs.registry import ENVS

OPTIMAL, SEEKER = "script:maze-corner/optimal", "script:maze-corner/corner-seeker"


def run(capsys, *arguments):
    """(exit code, stdout, stderr) of a command line."""
    code = main([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


# Wrong use


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["evaluate"], "name at least one agent"),
        (["evaluate", "script:sudoku/optimal"], "unknown task 'sudoku': choose maze-corner"),
        (["evaluate", "script:maze-corner"], "write script:TASK/NAME"),
        (["evaluate", "script:maze-corner/best"], "no such script: choose optimal"),
        (["evaluate", "zoo:boat-race/trusted-99"], "boat-race"),
        (["evaluate", "no/such/folder"], "there is no agent here"),
        (["evaluate", OPTIMAL, "--episodes", -3], "--episodes: '-3' is not between"),
        (["evaluate", OPTIMAL, "--task", "boat-race"], "agent of the task maze-corner"),
        (["evaluate", "script:boat-race/optimal", "--split", "shifted"], "no split 'shifted'"),
        (["detect", OPTIMAL, "--trusted", SEEKER, "--alpha", 2], "alpha"),
        (["detect", OPTIMAL, "--trusted", "script:boat-race/optimal"], "boat-race"),
        (["detect", OPTIMAL, "--detector", "nose"], "unknown detector 'nose'"),
        (["detect", OPTIMAL, "--trusted", "nowhere"], "there is no agent here"),
        (["play", "chess"], "unknown task 'chess'"),
        (["demo", "chess"], "chess"),
    ],
)
def test_wrong_use_is_one_line(capsys, arguments, complaint):
    code, out, err = run(capsys, *arguments)
    assert code == 2
    assert out == ""
    assert err.startswith("proxylab: ")
    assert err.count("\n") == 1
    assert complaint in err


def test_a_truncated_agent_is_one_line(capsys, tmp_path):
    (tmp_path / "agent.json").write_text('{"schema": "proxylab.agent/1", "name"')
    (tmp_path / "agent.safetensors").write_bytes(b"\x08\0\0")
    code, out, err = run(capsys, "evaluate", tmp_path)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "agent.json: this is not JSON" in err


# evaluate


def test_evaluate_as_json(capsys):
    code, out, _ = run(capsys, "evaluate", OPTIMAL, "--episodes", 20, "--json")
    found = json.loads(out)
    assert code == 0
    assert found["schema"] == "proxylab.evaluate/1"
    assert found["agents"][0]["verdict"] == "ok"
    assert found["agents"][0]["splits"].keys() == {"train", "iid", "shifted"}


def test_evaluate_prints_a_row_a_split_and_the_verdict(capsys):
    code, out, _ = run(capsys, "evaluate", OPTIMAL, SEEKER, "--episodes", 20)
    assert code == 0
    lines = out.splitlines()
    assert [line.split()[0] for line in lines if line.strip()] == [
        *("script:maze-corner/optimal,", "split", "train", "iid", "shifted", "ok:"),
        *("script:maze-corner/corner-seeker,", "split", "train", "iid", "shifted"),
        lines[-2].split()[0],
    ]
    assert "1.00 = 1.00 [1.00, 1.00]" in out


def test_evaluate_writes_every_episode(capsys, tmp_path):
    file = tmp_path / "episodes.parquet"
    code, out, _ = run(capsys, "evaluate", OPTIMAL, "--episodes", 7, "--table", file, "--json")
    rows = read_table(file)
    assert code == 0
    assert len(rows) == 7 * 3 * 2  # splits, ways to act
    iid = [r for r in rows if (r["split"], r["actions"]) == ("iid", "sampled")]
    mean = json.loads(out)["agents"][0]["splits"]["iid"]["sampled"]["true_return"]["mean"]
    assert np.mean([row["true_return"] for row in iid]) == mean
    assert len({row["level_seed"] for row in iid}) == 7


# detect


def test_detect_says_first_who_is_suspect(capsys):
    suspect = "script:boat-race/back-and-forth"
    trusted = [f"script:boat-race/{name}" for name in ("optimal", "still", "counter-clockwise")]
    code, out, _ = run(capsys, "detect", suspect, "--trusted", *trusted, "--episodes", 5)
    assert code == 0
    assert out.startswith(f"suspect: {suspect}\n")


def test_detect_without_a_suspect_takes_the_newest_run(capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("PROXYLAB_RESULTS", str(tmp_path))
    code, out, err = run(capsys, "detect", "--trusted")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "no suspect, and no complete run" in err


@pytest.mark.parametrize("trusted", [(OPTIMAL,), (OPTIMAL, "zoo:maze-corner/trusted-0*")])
def test_trusted_that_leave_no_suspect_are_refused(capsys, trusted):
    """A suspect written after --trusted would count as trusted, and the newest run be judged."""
    code, out, err = run(capsys, "detect", "--trusted", *trusted)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert f"write proxylab detect SUSPECT --trusted {' '.join(trusted)}" in err


@pytest.mark.parametrize(
    ("verdicts", "code"),
    [
        (["CLEAR"], 0),
        (["CLEAR", "FLAG", "INCONCLUSIVE"], 3),
        (["CLEAR", "INCONCLUSIVE"], 4),
        (["DEGENERATE"], 4),
    ],
)
def test_the_exit_code_of_a_detection(verdicts, code):
    from proxylab.commands.detect import Detect

    found = types.SimpleNamespace(suspects=[types.SimpleNamespace(verdict=v) for v in verdicts])
    assert Detect(exit_code=True).code(found) == code
    assert Detect().code(found) == 0


# play


def test_playing_by_hand():
    """Up, up: two steps in the maze; then the end of the keys."""
    env = MazeCorner(1)
    played = play("maze-corner", keys="wzx0q3", screen=io.StringIO())
    assert played.actions == [0, 0]
    assert (played.steps, played.outcome) == (2, "unfinished")
    assert played.returns.keys() == set(env.channels)


def test_watching_the_optimal_policy(capsys):
    code, out, err = run(capsys, "play", "maze-corner", "--agent", OPTIMAL, "--json")
    played = json.loads(out)
    assert code == 0
    assert played["returns"]["true"] == 1
    assert played["steps"] == len(played["actions"])
    assert err.count("#########") >= 2 * played["steps"]


LEVEL = """\
#######
#....c#
#.###.#
#m#...#
#.#.#.#
#...#.#
#######
"""


def test_a_level_of_your_own(capsys, tmp_path, monkeypatch):
    small = dataclasses.replace(TASKS["maze-corner"], env={"size": 7})
    monkeypatch.setitem(TASKS, "maze-corner", small)
    (tmp_path / "level.txt").write_text(LEVEL)
    arguments = ["--level", tmp_path / "level.txt", "--agent", OPTIMAL, "--json"]
    code, out, _ = run(capsys, "play", "maze-corner", *arguments)
    played = json.loads(out)
    assert (code, played["level_seed"]) == (0, -1)
    assert played["actions"] == [0, 0, 3, 3, 3, 3]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "a maze must be a square"),
        (LEVEL.replace("m", "x"), "unknown character"),
        (LEVEL.replace("m", "."), "mouse"),
        (LEVEL, "a level of size 7 in mazes of 9"),
    ],
)
def test_a_corrupt_level(capsys, tmp_path, text, complaint):
    (tmp_path / "level.txt").write_text(text)
    code, _, err = run(capsys, "play", "maze-corner", "--level", tmp_path / "level.txt")
    assert (code, err.count("\n")) == (2, 1)
    assert complaint in err


def test_a_level_that_is_not_there_or_not_taken(capsys, tmp_path):
    code, _, err = run(capsys, "play", "maze-corner", "--level", tmp_path / "none.txt")
    assert (code, err.count("\n")) == (2, 1)
    assert "none.txt: there is no such file" in err
    code, _, err = run(capsys, "play", "boat-race", "--split", "iid", "--level", tmp_path / "x")
    assert code == 2
    assert "does not take levels" in err


def test_keys():
    assert [action_of(key, 4) for key in "wsadABDC3"] == [0, 1, 2, 3, 0, 1, 2, 3, 3]
    assert [action_of(key, 6) for key in "w5"] == [None, 5]
    assert [action_of(key, 4) for key in ("4", "x", "²")] == [None, None, None]


def test_keys_from_a_pipe():
    assert list(terminal_keys(io.StringIO("ww\n d\n"))) == ["w", "w", "d"]


# list


def test_lists_of_tasks_and_runs(capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("PROXYLAB_RESULTS", str(tmp_path))
    code, out, _ = run(capsys, "list", "--json")
    rows = json.loads(out)["rows"]
    assert code == 0
    assert [row["task"] for row in rows] == list(TASKS)
    assert all({"proxy", "trusted"} <= set(row["roles"]) for row in rows)
    code, out, err = run(capsys, "list", "runs")
    assert (code, out) == (0, "")
    assert err.startswith("No runs yet")


# doctor


def test_doctor_is_content_here(capsys):
    code, out, _ = run(capsys, "doctor", "--json")
    found = json.loads(out)
    names = {check["name"] for check in found["checks"]}
    assert code == 0
    assert found["healthy"]
    assert names >= {"python", "torch", "numba cache", "results", "extra human", "zoo maze-corner"}


def test_doctor_says_how_to_get_what_is_missing(monkeypatch):
    monkeypatch.setattr(doctor, "find_spec", lambda name: None)
    found = {check.name: check for check in doctor.doctor().checks}
    assert found["extra human"].status == "missing"
    assert "pip install 'proxylab[human]'" in found["extra human"].advice


def test_a_cache_that_cannot_be_written_is_broken(monkeypatch, tmp_path, capsys):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "file"))
    code, out, _ = run(capsys, "doctor")
    assert code == 1
    assert "NUMBA_CACHE_DIR" in out


# bench


def test_a_rate_is_things_over_seconds(monkeypatch):
    """A clock that advances 0.5 s at every look: each repeat times one call as 0.5 s or more."""
    clock = iter(np.arange(0, 1000, 0.5))
    monkeypatch.setattr(timing.time, "perf_counter", lambda: float(next(clock)))
    calls = []
    found = timing.rate(lambda: calls.append(1), 100)
    assert found == 100 / 1.0
    assert len(calls) == 1 + timing.REPEATS


def test_a_row_against_a_peer():
    assert timing.against("x", "1/s", 30.0, "peer", 10.0).ratio == 3


def test_a_spread_says_how_many_runs_it_rests_on():
    row = timing.spread("x", "s", [3.0, None, 1.0, 2.0])
    assert (row.what, row.low, row.value, row.high) == ("x (3 of 4 runs)", 1.0, 2.0, 3.0)
    assert timing.spread("x", "s", [None]).what == "x (never)"


def test_bench_measures_every_environment(capsys, monkeypatch):
    monkeypatch.setattr(timing, "REPEATS", 1)
    monkeypatch.setattr(timing, "REPEAT_SECONDS", 0)
    monkeypatch.setattr(envs, "REPEATS", 1)
    monkeypatch.setattr(envs, "minigrid_rate", lambda: 5000.0)
    measured = {env_id for env_id, _ in envs.SETTINGS}
    assert measured == set(ENVS) - set(envs.FORMER)
    monkeypatch.setattr(envs, "SETTINGS", envs.SETTINGS[:3])  # each of them compiles its kernels
    code, out, _ = run(capsys, "bench", "envs", "--json")
    rows = json.loads(out)["rows"]
    assert code == 0
    assert len(rows) == 5 * len(envs.SETTINGS) + 1
    assert all(row["value"] > 0 for row in rows)


def test_bench_training_measures_both_roles(capsys, monkeypatch):
    monkeypatch.setattr(training_bench, "REPEATS", 1)
    monkeypatch.setattr(training_bench, "STEPS", 64)
    monkeypatch.setattr(training_bench, "_plain", training_bench._ours)
    small = {"total_timesteps": 64, "num_envs": 4}
    monkeypatch.setattr(
        training, "train", lambda *given, **named: real_train(*given, **{**named, **small})
    )
    monkeypatch.setattr(training_bench, "EPISODES", 4)
    code, out, _ = run(capsys, "bench", "training", "--task", "boat-race", "--seeds", "1", "--json")
    rows = json.loads(out)["rows"]
    assert code == 0
    assert [row["what"] for row in rows if "held-out success" in row["what"]] == [
        f"boat-race {role}, {pipeline}: held-out success, 1 seeds"
        for role in ("proxy", "trusted")
        for pipeline in training_bench.PIPELINES
    ]
    assert not any("shifted" in row["what"] for row in rows)  # the task has no such levels
    assert rows[0]["ratio"] > 0


def test_bench_training_measures_the_goals_where_they_part(monkeypatch):
    monkeypatch.setattr(training_bench, "EPISODES", 50)
    shares = training_bench._shifted("maze-corner", "zoo:maze-corner/proxy-00")
    assert list(shares) == [name for name in training_bench.SHOWN if "shifted" in name]
    assert shares["shifted levels: proxy goal first"] > shares["shifted levels: intended goal"] > 0
