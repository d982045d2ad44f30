"""A log that is none costs one clear line, with the file, the row and the column."""

import json

import pytest
from played import played

from proxylab.cli import main
from proxylab.logs import LogError, read_log, write_log

HEADER = "level_seed,episode,step,action"
GOOD = f"{HEADER}\n7,0,0,1\n7,0,1,2\n"

BAD_CSV = {
    "empty": ("", "the first line must name each column once"),
    "no rows": (f"{HEADER}\n", "holds no rows"),
    "a column missing": ("level_seed,episode,step\n7,0,0\n", "the column action is missing"),
    "no number": (GOOD + "7,0,2,left\n", "line 4: action left is not a whole number"),
    "half an action": (GOOD + "7,0,2,1.5\n", "line 4: action 1.5 is not a whole number"),
    "NaN": (GOOD + "7,0,2,nan\n", "line 4: action nan is not a whole number"),
    "an empty field": (GOOD + "7,0,2,\n", "line 4: action is missing"),
    "negative action": (GOOD + "7,0,2,-1\n", r"line 4: action -1 is not in \[0, 3\)"),
    "a step twice": (GOOD + "7,0,1,0\n", "step 1 comes twice"),
    "a step missing": (GOOD + "7,0,3,0\n", "a step before 3 is missing"),
    "two levels": (GOOD + "8,0,2,0\n", "level_seed changes within an episode"),
    "too large": (GOOD + f"7,0,2,{10**30}\n", f"action {10**30} is not a whole number"),
    "mixed tasks": (
        f"{HEADER},task\n7,0,0,1,boat-race\n7,0,1,1,maze-corner\n",
        "line 3: task is maze-corner, before it was boat-race: a log holds one task",
    ),
    "wrong action range": (
        f"{HEADER},num_actions\n7,0,0,1,4\n7,0,1,4,4\n",
        r"line 3: action 4 is not in \[0, 4\)",
    ),
    "wrong state": (
        f"{HEADER},state_id,num_states\n7,0,0,1,30,30\n",
        r"line 2: state_id 30 is not in \[-1, 30\)",
    ),
    "actions of another task": (
        f"{HEADER},task\n7,0,0,9,maze-corner\n",
        r"line 2: action 9 is not in \[0, 4\)",
    ),
    "a reward NaN": (
        f"{HEADER},proxy_reward\n7,0,0,1,2\n7,0,1,1,nan\n",
        "line 3: proxy_reward is missing, NaN or infinite",
    ),
    "no distribution": (
        f"{HEADER},probabilities_0,probabilities_1\n7,0,0,1,.5,.5\n7,0,1,1,.5,.6\n",
        "line 3: probabilities are no distribution",
    ),
    "a gap in a vector": (
        f"{HEADER},features_0,features_2\n7,0,0,1,0,0\n",
        "columns features_0, features_1, … are not without a gap",
    ),
}


@pytest.mark.parametrize("name", BAD_CSV)
def test_a_bad_csv_is_named_with_its_line(tmp_path, name):
    text, complaint = BAD_CSV[name]
    (tmp_path / "log.csv").write_text(text)
    with pytest.raises(LogError, match=complaint) as found:
        read_log(tmp_path / "log.csv")
    assert str(tmp_path / "log.csv") in str(found.value)
    assert "\n" not in str(found.value)


EPISODE = {"level_seed": 7, "action": [1, 2], "num_actions": 4}

BAD_LINES = {
    "no JSON": ("{", "line 2: this is not a JSON object"),
    "a list": ("[1]", "line 2: this is not a JSON object"),
    "no action": ({"level_seed": 7}, "line 2: action is missing"),
    "no level": ({"action": [1]}, "line 2: level_seed is missing"),
    "length zero": (EPISODE | {"action": []}, "line 2: an episode has no steps"),
    "too short": (EPISODE | {"state_id": [1]}, "state_id is no list of 2 entries, one a step"),
    "a text": (EPISODE | {"action": [1, "left"]}, "'left' is not a whole number"),
    "out of range": (EPISODE | {"action": [1, 4]}, r"line 2: action 4 is not in \[0, 4\)"),
    "other size": (EPISODE | {"num_actions": 5}, "num_actions is 5, before it was 4"),
    "NaN": ('{"level_seed": 7, "action": [NaN]}', "NaN where a number must stand"),
    "vector": (EPISODE | {"features": [[1.0], [1.0, 2.0]]}, "features is not 1 numbers a step"),
}


@pytest.mark.parametrize("name", BAD_LINES)
def test_a_bad_line_is_named(tmp_path, name):
    given, complaint = BAD_LINES[name]
    line = given if isinstance(given, str) else json.dumps(given)
    (tmp_path / "log.jsonl").write_text(json.dumps(EPISODE) + "\n" + line + "\n")
    with pytest.raises(LogError, match=complaint):
        read_log(tmp_path / "log.jsonl")


@pytest.mark.parametrize("ending", [".parquet", ".hdf5", ".jsonl"])
@pytest.mark.parametrize("share", [0.2, 0.5, 0.95])
def test_a_truncated_file_is_one_line(tmp_path, ending, share):
    log = tmp_path / f"log{ending}"
    write_log(log, [played(lengths=(9, 9, 9))])
    octets = log.read_bytes()
    log.write_bytes(octets[: int(share * len(octets))])
    with pytest.raises(LogError):
        read_log(log)


def test_a_csv_that_ends_in_the_middle_of_a_row_is_one_line(tmp_path):
    log = tmp_path / "log.csv"
    write_log(log, [played(lengths=(9, 9, 9))])
    log.write_text(log.read_text()[:-30])
    with pytest.raises(LogError, match="line 28"):
        read_log(log)


@pytest.mark.parametrize("ending", [".parquet", ".hdf5", ".csv", ".jsonl"])
def test_noise_is_no_log(tmp_path, ending):
    log = tmp_path / f"log{ending}"
    log.write_bytes(bytes(range(256)) * 20)
    with pytest.raises(LogError):
        read_log(log)


def test_the_command_line_says_it_in_one_line(tmp_path, capsys):
    (tmp_path / "bad.csv").write_text("level_seed,episode,step\n7,0,0\n")
    (tmp_path / "good.csv").write_text(GOOD)
    for arguments in (["bad.csv"], ["good.csv", "--task", "nonsense"], ["missing.csv"]):
        paths = [str(tmp_path / a) if a.endswith(".csv") else a for a in arguments]
        assert main(["detect", *paths, "--trusted", str(tmp_path / "good.csv")]) == 2
        error = capsys.readouterr().err
        assert error.count("\n") == 1
        assert error.startswith("proxylab: ")
