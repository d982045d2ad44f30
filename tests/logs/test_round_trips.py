"""What is written is read again, in every format."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from played import played, same

from proxylab.errors import UsageError
from proxylab.logs import FORMATS, log_files, read_log, same_sizes, write_log

ENDINGS = (".parquet", ".jsonl", ".csv", ".hdf5")


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("full", [True, False])
def test_two_policies_come_back_as_they_were(tmp_path, ending, full):
    log = tmp_path / f"log{ending}"
    written = [played("a", full=full), played("b", (2, 2), seed=1, full=full)]
    write_log(log, written)
    read = read_log(log)
    assert [episodes.policy for episodes in read] == ["a", "b"]
    assert all(map(same, read, written))
    assert [path.name for path in tmp_path.iterdir()] == [log.name]


@settings(max_examples=15)
@given(
    lengths=st.lists(st.integers(1, 6), min_size=1, max_size=6),
    seed=st.integers(0, 2**31),
    ending=st.sampled_from(ENDINGS),
    full=st.booleans(),
)
def test_any_episodes_come_back(tmp_path_factory, lengths, seed, ending, full):
    log = tmp_path_factory.mktemp("log") / f"log{ending}"
    written = played("a", tuple(lengths), seed, full)
    write_log(log, [written])
    assert same(read_log(log)[0], written)


@pytest.mark.parametrize("ending", ENDINGS)
def test_the_same_episodes_give_the_same_bytes(tmp_path, ending):
    for name in ("one", "two"):
        write_log(tmp_path / f"{name}{ending}", [played()])
    one, two = ((tmp_path / f"{name}{ending}").read_bytes() for name in ("one", "two"))
    assert one == two


def test_rows_may_stand_in_any_order(tmp_path):
    written = played()
    write_log(tmp_path / "log.csv", [written])
    header, *rows = (tmp_path / "log.csv").read_text().splitlines()
    np.random.default_rng(0).shuffle(rows)
    (tmp_path / "mixed.csv").write_text("\n".join([header, *rows]) + "\n")
    (read,) = read_log(tmp_path / "mixed.csv")
    assert same(read, written)


def test_a_line_a_step_and_a_line_an_episode_are_the_same_log(tmp_path):
    written = played()
    write_log(tmp_path / "episodes.jsonl", [written])
    with open(tmp_path / "steps.jsonl", "w") as file:
        for line in (tmp_path / "episodes.jsonl").read_text().splitlines():
            for row in steps_of(json.loads(line)):
                file.write(json.dumps(row) + "\n")
    (read,) = read_log(tmp_path / "steps.jsonl")
    assert same(read, written)


def steps_of(record):
    """The rows of an episode's line."""
    lists = {name: value for name, value in record.items() if isinstance(value, list)}
    count = len(record["action"])
    for step in range(count):
        ends = {n: record[n] and step == count - 1 for n in ("terminated", "truncated")}
        yield record | {n: value[step] for n, value in lists.items()} | {"step": step} | ends


@pytest.mark.parametrize("ending", [".csv", ".jsonl", ".parquet"])
def test_a_true_reward_in_a_log_is_not_read(tmp_path, ending):
    """Columns outside the schema change nothing, whatever they are called."""
    import duckdb

    written = played()
    write_log(tmp_path / f"log{ending}", [written])
    reader = {".csv": "read_csv", ".jsonl": "read_json", ".parquet": "read_parquet"}[ending]
    form = {".csv": "csv, header", ".jsonl": "json", ".parquet": "parquet"}[ending]
    duckdb.sql(
        f"copy (select *, 7 as \"reward/true\" from {reader}('{tmp_path / f'log{ending}'}')) "
        f"to '{tmp_path / f'more{ending}'}' (format {form})"
    )
    (read,) = read_log(tmp_path / f"more{ending}")
    assert same(read, written)


def test_the_smallest_log_needs_four_columns(tmp_path):
    (tmp_path / "log.csv").write_text("level_seed,episode,step,action\n7,0,0,1\n7,0,1,2\n")
    (read,) = read_log(tmp_path / "log.csv")
    assert (read.task, read.num_states, read.num_actions) == ("unnamed", 0, 3)
    assert read.policy == str(tmp_path / "log.csv")
    assert read.level_seed.tolist() == [7]
    assert read.state_id.tolist() == [-1, -1]
    assert not read.sizes_known
    wider = played(num_actions=5, probabilities=None)
    assert same_sizes([read, wider])[0].num_actions == 5
    assert read_log(tmp_path / "log.csv", "elsewhere")[0].task == "elsewhere"


def test_hashes_of_observations_stand_for_states(tmp_path):
    rows = [
        ("7", "0", "0", "1", "wall"),
        ("7", "0", "1", "0", "door"),
        ("7", "0", "2", "0", "wall"),
    ]
    with open(tmp_path / "log.csv", "w", newline="") as file:
        names = ("level_seed", "episode", "step", "action", "observation_hash")
        csv.writer(file).writerows([names, *rows])
    (read,) = read_log(tmp_path / "log.csv")
    first, second, third = read.state_id.tolist()
    assert first == third != second


def test_a_folder_a_pattern_and_a_minari_dataset_name_their_files(tmp_path):
    for name in ("a.csv", "b.parquet", "notes.txt"):
        (tmp_path / name).touch()
    dataset = tmp_path / "set" / "data" / "main_data.hdf5"
    dataset.parent.mkdir(parents=True)
    dataset.touch()
    assert [p.name for p in log_files(tmp_path)] == ["a.csv", "b.parquet", "main_data.hdf5"]
    assert log_files(tmp_path / "set") == [dataset]
    assert log_files(tmp_path / "*.csv") == [tmp_path / "a.csv"]
    assert log_files("zoo:maze-corner/trusted") == []


@pytest.mark.parametrize(
    ("policies", "name", "complaint"),
    [
        ([], "log.csv", "there are no episodes to write"),
        ([played()], "log.txt", f"a log ends in {', '.join(FORMATS)}"),
        ([played(), played()], "log.csv", "two policies have the same name"),
        ([played(), played("b", task="other")], "log.csv", "a log holds one task"),
    ],
)
def test_what_makes_no_log_is_not_written(tmp_path, policies, name, complaint):
    with pytest.raises(UsageError, match=complaint):
        write_log(tmp_path / name, policies)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("ending", ENDINGS)
def test_the_examples_of_the_documentation_hold_the_same_episodes(ending):
    examples = Path(__file__).parents[2] / "docs" / "examples"
    (read,) = read_log(examples / f"walk{ending}")
    assert (read.num_episodes, read.policy) == (3, "corridor:walk")
    assert same(read, read_log(examples / "walk.csv")[0])
