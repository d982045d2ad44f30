"""Logs through temporary files give the numbers of logs in memory; what a folder of files means."""

import dataclasses
import functools
import gc
import os
import signal
import sys

import duckdb
import numpy as np
import pytest

from proxylab.errors import UsageError
from proxylab.logs import budget, collection, log_files, tables, write_log
from proxylab.logs.budget import Budget
from proxylab.logs.collection import LogReader
from proxylab.rollouts import episodes as batching
from proxylab.rollouts.episodes import Episodes, concatenate
from proxylab.screening.engines import parallel
from proxylab.screening.run import detect

STATES, ACTIONS, LEVELS = 25, 4, 12


def walker(name, seed, pull=0.0, count=60):
    """Random walks on a line; ``pull`` is their drift."""
    rng = np.random.default_rng(seed)
    lengths = rng.integers(3, 15, count)
    steps = int(lengths.sum())
    action = rng.choice(ACTIONS, steps, p=np.array([1 + pull, 1, 1, 1]) / (4 + pull))
    state = np.concatenate(
        [np.cumsum(np.ones(n, int)) + rng.integers(0, 3) for n in lengths]
    ) + np.where(action == 0, 5, 0)
    return Episodes(
        task="somewhere",
        policy=name,
        num_states=STATES,
        num_actions=ACTIONS,
        episode_offsets=np.concatenate(([0], np.cumsum(lengths))),
        state_id=np.minimum(state, STATES - 1),
        features=np.zeros((steps, 0), np.float32),
        action=action,
        probabilities=None,
        proxy_reward=(action == 0).astype(np.float32),
        level_seed=np.arange(count) % LEVELS,
        terminated=np.ones(count, bool),
        truncated=np.zeros(count, bool),
    )


@pytest.fixture(scope="module")
def logs(tmp_path_factory):
    """A folder with a suspect, and one with 24 trusted policies in shards."""
    folder = tmp_path_factory.mktemp("logs")
    (folder / "trusted").mkdir()
    write_log(folder / "suspect.parquet", [walker("suspect", 99, 3.0)])
    policies = [walker(f"trusted-{k}", k) for k in range(24)]
    for shard in range(6):
        write_log(folder / "trusted" / f"{shard}.parquet", policies[4 * shard : 4 * shard + 4])
    return folder


def numbers(found):
    (report,) = found.suspects
    scores = {name: (row.score, row.ci, row.p_value) for name, row in report.scores.items()}
    record = (report.verdict, report.p_value, report.certificate, report.difference)
    trusted = tuple(found.trusted.calibration_scores.items())
    return (*record, report.where, report.first_divergence, scores, trusted)


def judged(logs, **options):
    also = ("state_action_js", "bc_surprise", "occupancy_tv")
    sides = (logs / "suspect.parquet", [logs / "trusted"])
    rule = {"detector": "occupancy_js", "alpha": 0.1, "no_cache": True}
    return numbers(detect(*sides, also=also, **rule, **options))


def test_temporary_files_give_the_numbers_of_memory(logs, tmp_path):
    here = judged(logs)
    assert here[0] == "FLAG"
    assert judged(logs, large_logs=str(tmp_path)) == here
    gc.collect()
    assert not list(tmp_path.iterdir())


def test_small_batches_give_the_numbers_of_large_ones(logs, monkeypatch):
    whole = judged(logs)
    monkeypatch.setattr(batching, "BATCH_STEPS", 50)
    parts = judged(logs)
    assert parts[0] == whole[0]
    for name, (score, _, p_value) in whole[6].items():
        assert parts[6][name][0] == pytest.approx(score, rel=1e-12)
        assert parts[6][name][2] == p_value


def test_other_episodes_give_other_numbers(logs, tmp_path):
    """The comparison above can fail."""
    write_log(tmp_path / "suspect.parquet", [walker("suspect", 98, 3.0)])
    os.symlink(logs / "trusted", tmp_path / "trusted")
    assert judged(tmp_path) != judged(logs)


@pytest.mark.parametrize("large", [False, True])
def test_parts_of_a_policy_are_put_together(tmp_path, large):
    first, second = walker("a", 1), walker("a", 2)
    write_log(tmp_path / "0.parquet", [first])
    write_log(tmp_path / "1.parquet", [second])
    reader = LogReader(large_logs=str(tmp_path) if large else None)
    (read,) = reader.read(log_files(tmp_path), tmp_path)
    both = concatenate([first, second])
    for name in ("state_id", "action", "level_seed", "episode_offsets", "proxy_reward"):
        assert np.array_equal(getattr(read, name), getattr(both, name))


def test_without_a_column_a_file_or_an_inner_folder_is_a_policy(tmp_path):
    rows = "select range as step, 0 as episode, 7 as level_seed, 1 as action from range(3)"
    for name in ("a.csv", "b/0.csv", "b/1.csv"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        duckdb.sql(f"copy ({rows}) to '{tmp_path / name}' (format csv, header)")
    read = LogReader().read(log_files(tmp_path), tmp_path)
    steps = {episodes.policy: episodes.num_steps for episodes in read}
    assert steps == {str(tmp_path / "a.csv"): 3, str(tmp_path / "b"): 6}


def rows_of(path, large, folder):
    size = path.stat().st_size
    return list(tables.read_table(path, Budget(str(path), size, large), folder))


def test_a_large_file_is_read_in_slices_of_whole_episodes(logs, tmp_path, monkeypatch):
    path = logs / "trusted" / "0.parquet"
    (whole,) = rows_of(path, False, tmp_path)
    monkeypatch.setattr(budget, "LARGE_SLICE", 100)
    slices = rows_of(path, True, tmp_path)
    assert len(slices) > 10
    assert max(len(rows.policy) for rows in slices) <= 100
    for rows in slices:
        assert rows.columns["step"][0] == 0
    for name, column in whole.columns.items():
        assert np.array_equal(np.concatenate([rows.columns[name] for rows in slices]), column)
    assert slices[1].place(0) == f"row {len(slices[0].policy) + 1}"


def test_an_episode_longer_than_a_slice_is_refused(logs, tmp_path, monkeypatch):
    monkeypatch.setattr(budget, "LARGE_SLICE", 2)
    with pytest.raises(UsageError, match="too long for a large log"):
        rows_of(logs / "suspect.parquet", True, tmp_path)


def limited(monkeypatch, **limits):
    monkeypatch.setattr(collection, "LIMITS", dataclasses.replace(collection.LIMITS, **limits))


def test_too_much_for_memory_names_the_option(logs, monkeypatch):
    limited(monkeypatch, log_kept_bytes=10_000)
    with pytest.raises(UsageError, match="--large-logs FOLDER"):
        LogReader().read(log_files(logs / "trusted"), logs / "trusted")


def test_temporary_files_have_a_limit_and_are_removed(logs, tmp_path, monkeypatch):
    limited(monkeypatch, log_disk_bytes=1000, log_large_ratio=0)
    with pytest.raises(UsageError, match=r"temporary files of logs of .* over the limit of 1,000"):
        LogReader(large_logs=str(tmp_path)).read(log_files(logs / "trusted"), logs / "trusted")
    assert not [path for path in tmp_path.iterdir() if path.name.startswith("proxylab-episodes")]


def test_a_missing_folder_is_one_line(logs):
    with pytest.raises(UsageError, match="there is no such folder"):
        judged(logs, large_logs="/nowhere/at/all")


@pytest.mark.slow
def test_ray_gives_the_same_numbers(logs, tmp_path):
    pytest.importorskip("ray")
    here = judged(logs)
    assert judged(logs, large_logs=str(tmp_path), engine="ray") == here


def dies_once(folder, item):
    """Kill the own process at the first call for item 3."""
    mark = folder / "died"
    if item == 3 and not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return item * item


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["local", "ray"])
def test_the_death_of_a_worker_loses_nothing(tmp_path, engine):
    if engine == "ray":
        ray = pytest.importorskip("ray")
        ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])
    results = parallel(functools.partial(dies_once, tmp_path), range(8), engine=engine)
    assert results == [item * item for item in range(8)]
    assert (tmp_path / "died").exists()
