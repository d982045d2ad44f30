"""Files that are whole or not there, tables, and where runs lie."""

import errno
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxylab.cli import main
from proxylab.errors import UsageError
from proxylab.storage import store
from proxylab.tasks import TASKS
from proxylab.training.train import train

SMALL = {"total_timesteps": 64, "num_envs": 4}


@pytest.fixture
def full_disk(monkeypatch):
    """Every file that is made whole meets a full disk at its end."""

    def refuse(_handle):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(store.os, "fsync", refuse)


def test_a_full_disk_leaves_nothing_half_written(tmp_path, full_disk):
    (tmp_path / "kept.json").write_text("{}")
    with pytest.raises(OSError, match="No space left"):
        store.write_json(tmp_path / "kept.json", {"new": 1})
    assert [path.name for path in tmp_path.iterdir()] == ["kept.json"]
    assert (tmp_path / "kept.json").read_text() == "{}"


def test_training_on_a_full_disk_is_one_line_and_exit_1(tmp_path, full_disk, capsys):
    code = main(["train", "boat-race", "--out", str(tmp_path / "run"), "--total-timesteps", "64"])
    told = capsys.readouterr().err.strip().splitlines()
    assert code == 1
    assert len(told) == 1
    assert "No space left" in told[0]
    assert not store.is_complete(tmp_path / "run")
    assert list((tmp_path / "run").iterdir()) == []


VALUES = st.one_of(st.none(), st.floats(allow_nan=False, width=64))


@given(
    rows=st.lists(st.tuples(st.integers(-(2**62), 2**62), VALUES, st.text("ab'\" ,", max_size=5)))
)
def test_tables_read_what_they_write(tmp_path_factory, rows):
    table = [{"n": n, "x": x, "it's": text} for n, x, text in rows]
    path = tmp_path_factory.mktemp("tables") / "it's.parquet"
    if not table:
        with pytest.raises(UsageError, match="no rows"):
            store.write_table(table, path)
        return
    store.write_table(table, path)
    assert store.read_table(path) == table


def test_only_the_seed_and_the_changes_name_a_run(monkeypatch, tmp_path):
    monkeypatch.setenv("PROXYLAB_RESULTS", str(tmp_path))
    task = TASKS["maze-corner"]
    preset = task.train_config("proxy")
    folder = store.run_folder(task.train_config("proxy", seed=7), preset)
    assert folder == tmp_path / "runs" / "maze-corner" / "proxy" / "seed-7"
    other = store.run_folder(task.train_config("proxy", seed=7, levels="mix:0.1"), preset)
    again = store.run_folder(task.train_config("proxy", seed=8, levels="mix:0.1"), preset)
    assert other.parent == again.parent != folder.parent
    assert other.parent.name.startswith("proxy-")


def test_the_newest_complete_run_is_found(monkeypatch, tmp_path):
    monkeypatch.setenv("PROXYLAB_RESULTS", str(tmp_path))
    assert store.newest_run() is None
    for seed in (0, 1):
        result = train("boat-race", seed=seed, **SMALL)
        os.utime(f"{result.run}/{store.RUN}", (seed, seed))
    assert str(store.newest_run()) == result.run
    (store.newest_run() / store.COMPLETE).unlink()
    assert store.newest_run().name == "seed-0"
    found = {row["seed"]: row["run"] for row in store.runs()}
    assert found[1] == result.run
    assert len(found) == 2
