"""proxylab record, and detect on what it wrote instead of the agents."""

import json
from dataclasses import replace

import numpy as np
import pytest

from proxylab import record
from proxylab.cli import main
from proxylab.logs import read_log
from proxylab.screening.run import detect

TRUSTED = "zoo:maze-corner/trusted-0*"
SUSPECT = "zoo:maze-corner/proxy-00"


@pytest.fixture(scope="module")
def logs(tmp_path_factory):
    """{ending: (suspect's log, log of ten trusted agents)} of 30 shifted levels."""
    folder, found = tmp_path_factory.mktemp("logs"), {}
    for ending in (".parquet", ".jsonl", ".csv", ".hdf5"):
        paths = folder / f"suspect{ending}", folder / f"trusted{ending}"
        for agents, path in zip((SUSPECT, TRUSTED), paths, strict=True):
            record(agents, path, episodes=30)
        found[ending] = tuple(map(str, paths))
    return found


@pytest.fixture(scope="module")
def played():
    """What detect finds with the agents themselves."""
    return detect(SUSPECT, TRUSTED, episodes=30, no_cache=True)


@pytest.mark.parametrize("ending", [".parquet", ".jsonl", ".csv", ".hdf5"])
def test_logs_give_the_scores_that_their_agents_give(logs, played, ending):
    suspect, trusted = logs[ending]
    found = detect(suspect, trusted)
    assert found.suspects[0].scores == played.suspects[0].scores
    assert found.trusted == played.trusted
    assert found.suspects[0].verdict == played.suspects[0].verdict


def test_a_log_and_agents_meet_on_the_levels_of_the_log(logs, played):
    """The agents draw other actions then, but play the same levels."""
    found = detect(logs[".parquet"][0], TRUSTED)
    assert found.episodes == 30
    mine, theirs = (f.suspects[0].scores["occupancy_js"].score for f in (found, played))
    assert mine == pytest.approx(theirs, abs=0.1)


def test_without_probabilities_the_scores_that_need_them_are_left_out(tmp_path):
    log, trusted = str(tmp_path / "log.parquet"), str(tmp_path / "trusted.parquet")
    record(SUSPECT, log, episodes=10, probabilities=False)
    record(TRUSTED, trusted, episodes=10, probabilities=False)
    (suspect,) = detect(log, trusted, also=["usual"]).suspects
    assert {row.access for row in suspect.scores.values()} == {"L", "P"}
    assert "occupancy_js" in suspect.scores


def test_a_log_needs_no_model_and_no_task_of_ours(tmp_path):
    """Eight columns of text, a task that nobody knows, and a verdict."""
    rng = np.random.default_rng(0)

    def write(path, policies, wanted):
        with open(path, "w") as file:
            file.write("policy,level_seed,episode,step,state_id,action,terminated\n")
            for policy in policies:
                for episode in range(20):
                    for step in range(6):
                        action = wanted if rng.random() < 0.9 else 1 - wanted
                        row = (policy, episode, episode, step, 2 * step + action, action, step == 5)
                        file.write(",".join(map(str, row)) + "\n")
        return str(path)

    trusted = write(tmp_path / "trusted.csv", [f"t{k}" for k in range(30)], 0)
    suspect = write(tmp_path / "suspect.csv", ["s"], 1)
    found = detect(suspect, trusted, task="shop-bot")
    assert (found.task, found.suspects[0].verdict) == ("shop-bot", "FLAG")
    # A fresh policy of the trusted kind: FLAG would have odds of 1 in 24; the seed is fixed.
    fresh = write(tmp_path / "fresh.csv", ["f"], 0)
    assert detect(fresh, trusted, task="shop-bot").suspects[0].verdict != "FLAG"


def test_the_command_line_records_and_says_what(tmp_path, capsys):
    out = tmp_path / "log.csv"
    assert main(["record", SUSPECT, "--out", str(out), "--episodes", "5", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["schema"], said["split"], said["num_bytes"]) == (
        "proxylab.record/1",
        "shifted",
        out.stat().st_size,
    )
    (read,) = read_log(out)
    assert (read.num_episodes, read.policy, read.task) == (5, SUSPECT, "maze-corner")
    assert said["agents"] == [
        {"agent": SUSPECT, "sha256": read.sha256, "episodes": 5, "steps": read.num_steps}
    ]


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ([SUSPECT, "--out", "log.txt"], "a log ends in"),
        ([SUSPECT, "--out", "log.csv", "--episodes", "0"], "'0' is not between"),
        ([SUSPECT, "--out", "nowhere/deep/log.csv", "--split", "odd"], "invalid choice|odd"),
        ([SUSPECT, "script:boat-race/racer", "--out", "log.csv"], "boat-race"),
    ],
)
def test_bad_use_is_one_line_and_leaves_nothing(
    tmp_path, monkeypatch, capsys, arguments, complaint
):
    monkeypatch.chdir(tmp_path)
    assert main(["record", *arguments]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert any(part in error for part in complaint.split("|"))
    assert not list(tmp_path.iterdir())


def test_a_log_is_not_recorded_again(logs, tmp_path, capsys):
    log = logs[".csv"][0]
    assert main(["record", log, "--out", str(tmp_path / "again.csv")]) == 2
    assert "record runs agents" in capsys.readouterr().err


def test_a_log_of_another_task_is_refused(logs, capsys):
    assert main(["detect", logs[".csv"][0], "--trusted", "zoo:boat-race/trusted"]) == 2
    assert "maze-corner" in capsys.readouterr().err
    found = detect(*logs[".parquet"])
    assert replace(found, provenance={}) == replace(detect(*logs[".parquet"]), provenance={})
