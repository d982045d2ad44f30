"""``play --record``: an episode becomes part of a log that ``detect`` and cloning read."""

import io
import json

import numpy as np
import pytest

from proxylab import detect
from proxylab.cli import main
from proxylab.config import BCConfig
from proxylab.errors import UsageError
from proxylab.evaluation.play import play
from proxylab.logs import read_log
from proxylab.training.demonstrations import read_demonstrations
from proxylab.training.train import make_config

OPTIMAL = "script:maze-corner/optimal"


def played(path, keys="wdsa" * 5, seed=0, **options):
    return play("maze-corner", seed=seed, keys=keys, screen=io.StringIO(), record=path, **options)


@pytest.mark.parametrize("ending", ["parquet", "csv", "jsonl", "hdf5"])
def test_what_a_person_plays_is_logged_episode_by_episode(tmp_path, ending):
    path = tmp_path / f"me.{ending}"
    results = [played(path, keys, seed) for seed, keys in enumerate(("wwd", "sa", "ddddw"))]
    (log,) = read_log(path)
    assert (log.policy, log.task, log.num_episodes) == ("player", "maze-corner", 3)
    np.testing.assert_array_equal(log.action, np.concatenate([r.actions for r in results]))
    assert log.level_seed.tolist() == [result.level_seed for result in results]
    assert log.probabilities is None
    assert log.terminated.tolist() == [r.outcome != "unfinished" for r in results]
    assert 0 < log.terminated.sum() < 3  # one reached the cheese
    config = make_config("maze-corner", algorithm="bc", bc=BCConfig(expert=str(path)))
    assert len(read_demonstrations(config, str(path)).actions) == log.num_steps


def test_an_agent_s_play_is_logged_with_its_probabilities(tmp_path, capsys):
    path = tmp_path / "watched.jsonl"
    words = ["play", "maze-corner", "--agent", OPTIMAL, "--record", str(path), "--json"]
    assert main(words) == 0
    shown = json.loads(capsys.readouterr().out)
    (log,) = read_log(path)
    assert (log.policy, log.action.tolist()) == (OPTIMAL, shown["actions"])
    assert log.level_seed.tolist() == [shown["level_seed"]]
    assert log.terminated.tolist() == [True]
    np.testing.assert_array_equal(log.probabilities.argmax(axis=1), log.action)
    assert log.proxy_reward is not None
    played(path)  # a person in the same file
    assert [each.policy for each in read_log(path)] == [OPTIMAL, "player"]


def test_a_log_of_play_is_a_suspect(tmp_path):
    for seed in range(6):
        played(tmp_path / "me.parquet", seed=seed)
    trusted = [OPTIMAL, "zoo:maze-corner/trusted-00", "zoo:maze-corner/trusted-01"]
    found = detect(tmp_path / "me.parquet", trusted)
    assert found.suspects[0].agent == "player"


def test_a_file_with_more_than_play_records_is_left_alone(tmp_path):
    path = tmp_path / "me.csv"
    played(path)
    lines = path.read_text().splitlines()
    path.write_text("\n".join([f"{lines[0]},note", *(f"{line},7" for line in lines[1:])]) + "\n")
    before = path.read_bytes()
    with pytest.raises(UsageError, match="holds more than play records"):
        played(path, seed=1)
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--record", "me.txt"], "a log ends in"),
        (["--record", "other.csv"], "was recorded on boat-race, not on maze-corner"),
        (["--record", "broken.csv"], "broken.csv"),
        (["--record", "me.csv", "--level", "level.txt"], "has no level seed"),
        (["--record", "me.csv"], "no step was played"),
        (["--record", "broken.csv/me.csv", "--agent", OPTIMAL], "broken.csv"),
    ],
)
def test_wrong_use_is_one_line(tmp_path, capsys, monkeypatch, arguments, complaint):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "broken.csv").write_text("a,b\n1,2\n")
    screen = io.StringIO()
    play("boat-race", split="train", keys="0123", screen=screen, record="other.csv")
    names = sorted(path.name for path in tmp_path.iterdir())
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    code = main(["play", "maze-corner", *arguments])
    out, err = capsys.readouterr()
    assert (code, out) == (2, "")
    assert err.splitlines()[-1].startswith("proxylab: ")
    assert complaint in err.splitlines()[-1]
    assert sorted(path.name for path in tmp_path.iterdir()) == names
