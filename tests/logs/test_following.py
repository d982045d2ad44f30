"""Logs that grow: lines of a CSV, and whole files in a folder."""

import numpy as np
import pytest
from played import NUM_ACTIONS, NUM_STATES, played, same

from proxylab.errors import UsageError
from proxylab.logs import write_log
from proxylab.logs.following import episodes_of_files, files_are_whole, task_of_files
from proxylab.logs.live import EpisodeReader, Tail, episodes_of, first_fact, tail_of
from proxylab.rollouts.episodes import concatenate

FACTS = {
    "task": "somewhere",
    "policy": "watched",
    "num_states": NUM_STATES,
    "num_actions": NUM_ACTIONS,
}


def read(path):
    parts = episodes_of(tail_of(path), EpisodeReader(path, **FACTS))
    return concatenate([episode for part in parts for episode in part])


def test_a_csv_holds_the_episodes_of_json_lines(tmp_path):
    for ending in ("csv", "jsonl"):
        write_log(tmp_path / f"log.{ending}", [played()])
    one, other = read(tmp_path / "log.csv"), read(tmp_path / "log.jsonl")
    assert one.num_episodes == 3
    assert first_fact(tmp_path / "log.csv", "task") == "somewhere"
    for name in ("state_id", "action", "level_seed", "terminated", "truncated"):
        assert np.array_equal(getattr(one, name), getattr(other, name)), name
    for name in ("features", "probabilities", "proxy_reward"):
        np.testing.assert_allclose(getattr(one, name), getattr(other, name), rtol=1e-6)


def test_a_csv_is_read_while_it_grows(tmp_path):
    whole, log = tmp_path / "whole.csv", tmp_path / "log.csv"
    write_log(whole, [played()])
    lines = whole.read_bytes().splitlines(keepends=True)
    tail, reader = tail_of(log), EpisodeReader(log, **FACTS)
    counts = []
    for line in lines:
        with open(log, "ab") as file:
            file.write(line[:4])
        counts.append(len(reader.take(tail.records())))
        with open(log, "ab") as file:
            file.write(line[4:])
        counts.append(len(reader.take(tail.records())))
    assert sum(counts) == 3
    assert not any(counts[::2])  # never of half a line


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("action,action\n", "name each column once"),
        ("level_seed,action\n1\n", "line 2: 1 values, but 2 columns"),
        ("level_seed,action\n1,left\n", "action"),
        ("level_seed,action\n1,nan\n", "action"),
    ],
)
def test_bad_lines_are_one_line(tmp_path, text, message):
    log = tmp_path / "log.csv"
    log.write_text(text)
    with pytest.raises(UsageError, match=message):
        list(episodes_of(tail_of(log), EpisodeReader(log, **FACTS)))


def test_lines_of_json_keep_their_reader(tmp_path):
    assert type(tail_of(tmp_path / "log.jsonl")) is Tail
    assert not files_are_whole(tmp_path / "log.csv")
    assert files_are_whole(tmp_path / "log.parquet")
    assert files_are_whole(tmp_path)


def test_a_folder_is_followed_file_by_file(tmp_path):
    first, second = played(), played(seed=1)
    write_log(tmp_path / "0.parquet", [first])
    assert task_of_files(tmp_path) == "somewhere"
    waited = []

    def sleep(seconds):
        waited.append(seconds)
        if len(waited) == 1:
            (tmp_path / "1.parquet").write_bytes(b"PAR1 half of a file")
        else:
            write_log(tmp_path / "1.parquet", [second])

    stream = episodes_of_files(tmp_path, FACTS, follow=True, sleep=sleep)
    assert same(next(stream)[0], first)
    assert same(next(stream)[0], second)
    assert len(waited) == 2


def test_a_damaged_file_that_does_not_change_is_refused(tmp_path):
    (tmp_path / "0.parquet").write_bytes(b"PAR1 half of a file")
    with pytest.raises(UsageError, match=r"0\.parquet cannot be read"):
        list(episodes_of_files(tmp_path, FACTS, follow=True, sleep=lambda _: None))


def test_a_monitor_watches_one_policy_and_folders_are_followed(tmp_path):
    log = tmp_path / "0.parquet"
    write_log(log, [played(), played("b")])
    with pytest.raises(UsageError, match="2 policies; a monitor watches one"):
        list(episodes_of_files(log, FACTS))
    with pytest.raises(UsageError, match="follow the folder"):
        list(episodes_of_files(log, FACTS, follow=True))
