"""Guarded episodes as logs: who acted, why, and that readers skip what they do not know."""

import json

import duckdb
import h5py
import numpy as np
import pytest

from proxylab.agents.references import load_agent
from proxylab.cli import main
from proxylab.guard.episodes import ASK, FALLBACK, NEVER, STOP, Guard, guarded_episodes
from proxylab.guard.recording import guarded_log, write_guarded
from proxylab.guard.triggers import TRIGGERS
from proxylab.logs import read_log, write_log
from proxylab.tasks import TASKS
from proxylab_envs.levels import Levels

TASK, SEED, COUNT = "maze-corner", 11, 10
COLUMNS = ["guard_actor", "guard_trigger", "guard_score", "guard_threshold"]


@pytest.fixture(scope="module")
def played():
    """{mode: (guarded episodes, their log)}, six environments for ten levels."""
    suspect = load_agent(f"zoo:{TASK}/proxy-00")
    trusted = [load_agent(f"zoo:{TASK}/trusted-0{k}") for k in range(3)]
    env = TASKS[TASK].make_env(6)
    levels = env.sample_level_seeds(Levels("shifted"), COUNT, 3)
    found = {}
    for mode, back in ((FALLBACK, None), (FALLBACK, 2), (ASK, None), (STOP, None)):
        guard = Guard(TRIGGERS["departure"], 0.6, trusted, mode, back)
        both = guarded_episodes(suspect, guard, env, levels, SEED)
        found[mode, back] = both, guarded_log(suspect, guard, env, levels, SEED, TASK)
    return found


def by_episode(log, column):
    return np.split(log.columns[column], log.episodes.episode_offsets[1:-1])


@pytest.mark.parametrize("case", [(FALLBACK, None), (FALLBACK, 2), (ASK, None), (STOP, None)])
def test_a_log_says_who_acted_and_what_the_trigger_said(played, case):
    guarded, log = played[case]
    assert guarded.any_help.any()
    assert not guarded.any_help.all()
    assert log.episodes.level_seed.tolist() == guarded.level_seed.tolist()
    stopped = guarded.any_help & (case[0] == STOP)
    assert log.episodes.lengths.tolist() == (guarded.length + stopped).tolist()
    rows = zip(by_episode(log, "guard_actor"), by_episode(log, "guard_score"), strict=True)
    for k, (actors, scores) in enumerate(rows):
        assert (actors == "trusted").sum() == guarded.helped[k]
        acted = np.flatnonzero(actors != "suspect")
        assert (acted[0] if acted.size else NEVER) == guarded.first_help[k]
        own = scores[actors == "suspect"]
        assert (own <= 0.6).all() or case == (FALLBACK, 2)
        if case == (FALLBACK, None):
            assert np.isnan(scores[acted[1:]]).all()
        if acted.size:
            assert scores[acted[0]] > 0.6
        if stopped[k]:
            assert actors.tolist() == ["suspect"] * (len(actors) - 1) + ["nobody"]
            assert log.episodes.truncated[k]
            assert log.episodes.proxy_reward[log.episodes.episode_offsets[k + 1] - 1] == 0


@pytest.mark.parametrize("ending", ["parquet", "csv", "jsonl", "hdf5"])
def test_readers_get_the_episodes_and_skip_the_rest(played, tmp_path, ending):
    _, log = played[FALLBACK, None]
    path = tmp_path / f"log.{ending}"
    write_guarded(path, [log])
    (read,) = read_log(path)
    assert read.policy == log.episodes.policy
    for name in ("action", "level_seed", "state_id", "probabilities", "truncated"):
        assert getattr(read, name).tolist() == getattr(log.episodes, name).tolist()
    scores = log.columns["guard_score"]
    told = {
        "parquet": _columns,
        "csv": _columns,
        "jsonl": _lines,
        "hdf5": _groups,
    }[ending](path)
    assert told["guard_actor"] == log.columns["guard_actor"].tolist()
    assert told["guard_trigger"] == ["departure"] * len(scores)
    assert told["guard_threshold"] == [0.6] * len(scores)
    assert [np.nan if s is None else s for s in told["guard_score"]] == pytest.approx(
        scores.tolist(), nan_ok=True
    )
    assert np.isnan(scores).any()


def _columns(path):
    rows = duckdb.sql(f"select {', '.join(COLUMNS)} from '{path}'").fetchall()
    return dict(zip(COLUMNS, map(list, zip(*rows, strict=True)), strict=True))


def _lines(path):
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    return {name: [value for line in lines for value in line[name]] for name in COLUMNS}


def _groups(path):
    with h5py.File(path) as file:
        groups = [file[f"episode_{k}"]["infos"] for k in range(COUNT)]
        told = {name: [v for g in groups for v in g[name][:-1].tolist()] for name in COLUMNS}
    texts = ("guard_actor", "guard_trigger")
    return told | {name: [value.decode() for value in told[name]] for name in texts}


def test_a_log_without_further_columns_is_unchanged(played, tmp_path):
    episodes = played[FALLBACK, None][1].episodes
    write_log(tmp_path / "plain.csv", [episodes])
    assert "guard" not in (tmp_path / "plain.csv").read_text().splitlines()[0]


def test_the_command_writes_a_log_that_detect_reads(tmp_path, capsys):
    log = tmp_path / "guarded.parquet"
    options = ["--episodes", "8", "--budget", "0.2", "--log", str(log)]
    trusted = ["--trusted", *(f"zoo:{TASK}/trusted-0{k}" for k in range(6))]
    assert main(["guard", f"zoo:{TASK}/proxy-00", *trusted, *options]) == 0
    assert f"log: {log}" in " ".join(capsys.readouterr().out.split())
    told = _columns(log)
    assert set(told["guard_actor"]) == {"suspect", "trusted"}
    assert main(["detect", str(log), *trusted]) == 0
    assert main(["guard", f"zoo:{TASK}/proxy-00", "--log", str(tmp_path / "log.txt")]) == 2
    assert "a log ends in" in capsys.readouterr().err
