"""Preferences files: what is written is read, and what is wrong is one line."""

import numpy as np
import pytest

from proxylab.errors import UsageError
from proxylab.rewards.collect import RANDOM, collect
from proxylab.rewards.preferences import (
    PreferencesError,
    first_rows,
    read_preferences,
    write_preferences,
)
from proxylab.rewards.raters import Rater
from proxylab.storage.store import open_database

TASK = "maze-corner"
SOURCES = (RANDOM, "script:maze-corner/optimal")


@pytest.fixture(scope="module")
def preferences():
    return collect(TASK, SOURCES, 60, Rater(beta=3.0, flip=0.1), clips=30, seed=4)


@pytest.fixture(scope="module")
def file(preferences, tmp_path_factory):
    return write_preferences(preferences, tmp_path_factory.mktemp("prefs") / "p.parquet")


def test_what_is_written_is_read(preferences, file):
    read = read_preferences(file)
    for name in ("left", "right", "answer", "rater", "probability", "time"):
        assert (getattr(read, name) == getattr(preferences, name)).all()
    for name in ("level_seed", "episode", "first", "observations", "actions"):
        before, after = getattr(preferences.clips, name), getattr(read.clips, name)
        assert before.dtype == after.dtype
        assert (before == after).all()
    names = [np.array(p.clips.policies)[p.clips.policy].tolist() for p in (preferences, read)]
    assert names[0] == names[1]
    assert read.clips.task == TASK


def test_equal_preferences_give_equal_bytes(preferences, file, tmp_path):
    again = write_preferences(preferences, tmp_path / "again.parquet")
    assert again.read_bytes() == file.read_bytes()


def test_a_clip_is_stored_once(preferences):
    first = first_rows(preferences.left, preferences.right, len(preferences.clips))
    assert first.sum() == len(preferences.clips)
    both = first_rows(np.array([0, 1]), np.array([1, 0]), 2)
    assert both.tolist() == [[True, True], [False, False]]


def test_the_rewards_that_the_rater_saw_are_not_in_the_file(file):
    with open_database() as database:
        columns = database.execute(f"describe select * from '{file}'").fetchall()
    assert not [name for name, *_ in columns if "reward" in name or "return" in name]


def test_several_files_are_joined(preferences, file, tmp_path):
    other = collect(TASK, SOURCES[1:], 20, Rater(), clips=10, seed=9)
    joined = read_preferences(file, write_preferences(other, tmp_path / "o.parquet"))
    assert len(joined) == 80
    mine = joined.clips.observations[joined.left[60:]]
    assert (mine == other.clips.observations[other.left]).all()
    names = np.array(joined.clips.policies)[joined.clips.policy[joined.left[60:]]]
    assert set(names) == {SOURCES[1]}


def test_files_of_two_tasks_are_refused(file, tmp_path):
    boats = collect("boat-race", [RANDOM], 10, Rater(), clips=5, length=25)
    path = write_preferences(boats, tmp_path / "b.parquet")
    with pytest.raises(PreferencesError, match="task is boat-race"):
        read_preferences(file, path)


def test_wrong_use():
    with pytest.raises(UsageError, match="between 1 and 100,000"):
        collect(TASK, SOURCES, 0, Rater())
    with pytest.raises(UsageError, match="agent of the task boat-race"):
        collect(TASK, ["script:boat-race/optimal"], 5, Rater())
    with pytest.raises(UsageError, match="two clips"):
        collect(TASK, [RANDOM], 5, Rater(), clips=1)


def edited(file, path, sql):
    """A copy of the file in which ``sql`` replaces the selection of all columns."""
    with open_database() as database:
        database.execute("set threads = 1")
        chosen = sql.replace("{file}", str(file)).removesuffix("--")
        table = chosen if " from " in chosen else f"{chosen} from '{file}'"
        database.execute(f"copy (select {table}) to '{path}' (format parquet)")
    return path


CHANGES = {
    "no column": ("* exclude (answer)", "the column answer is missing"),
    "type": ("* replace (1.5 as left_clip)", "the column left_clip is"),
    "answer": ("* replace ('perhaps' as answer)", "answer 'perhaps' is none of"),
    "no answer": ("* replace (null::varchar as answer)", "answer is missing"),
    "schema": ("* replace ('other/1' as schema)", "schema 'other/1' is not"),
    "two tasks": ("* replace (if(pair = 3, 'boat-race', task) as task)", "the same in all rows"),
    "env": ("* replace ('[' as env)", "env is not JSON"),
    "env list": ("* replace ('[]' as env)", "env is not an object"),
    "shape": ("* replace ('[0, 9]' as observation_shape)", "not a list of counts"),
    "huge": ("* replace ('[8192, 8192, 8192]' as observation_shape)", "take more than"),
    "dtype": ("* replace ('object' as observation_dtype)", "not uint8 or float32"),
    "length": ("* replace (7::bigint as length)", "bytes, not"),
    "no clip": ("* replace (null::blob as left_observations)", "observations of clip"),
    "no actions": ("* replace (null::blob as left_actions)", "a value of a left clip is missing"),
    "negative": ("* replace (-left_clip as left_clip)", "negative"),
    "probability": ("* replace ('x' as probability)", "the column probability is VARCHAR"),
    "time": ("* replace (true as time)", "the column time is BOOLEAN"),
    "episode": ("* replace ('1' as left_episode)", "the column left_episode is"),
    "policies": ("* replace ([1, 2] as right_policy)", "the column right_policy is"),
    "no policy": ("* replace (null::varchar as left_policy)", "a value of a left clip is missing"),
    "no seed": ("* replace (null::bigint as left_level_seed)", "a value of a left clip is missing"),
    "no rater": ("* replace (null::varchar as rater)", "rater is missing"),
    "no schema": ("* replace (null::varchar as schema)", "the same in all rows"),
    "deep env": ("* replace (repeat('[', 4000) as env)", "env is not JSON"),
    "twice env": ("""* replace ('{"a": 1, "a": 2}' as env)""", "env is not JSON"),
    "shape text": ("""* replace ('["3"]' as observation_shape)""", "not a list of counts"),
    "shape deep": ("* replace ('[1, 1, 1, 1, 1, 1]' as observation_shape)", "not a list of counts"),
    "shape true": ("* replace ('[true, 9]' as observation_shape)", "not a list of counts"),
    "no length": ("* replace (null::bigint as length)", "the same in all rows"),
    "long length": ("* replace (1000000::bigint as length)", "not a list of counts"),
    "no rows": ("* from (select * from '{file}' limit 0) --", "it holds no answers"),
    "bytes": ("* replace ('ab'::blob as left_observations)", "take 2 bytes, not"),
    "long text": ("* replace (repeat('x', 100000) as rater)", "a text is longer"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_damaged_file_is_one_line(file, tmp_path, name):
    sql, complaint = CHANGES[name]
    path = edited(file, tmp_path / "bad.parquet", sql)
    with pytest.raises(PreferencesError, match=complaint) as caught:
        read_preferences(path)
    assert "\n" not in str(caught.value)


def test_other_files_are_refused(tmp_path, file):
    for content in (b"", b"PAR1", file.read_bytes()[:1000], b"\x80\x04pickle"):
        path = tmp_path / "x.parquet"
        path.write_bytes(content)
        with pytest.raises(PreferencesError):
            read_preferences(path)
    with pytest.raises(PreferencesError, match="no such file"):
        read_preferences(tmp_path / "missing.parquet")
    with pytest.raises(PreferencesError, match="no file"):
        read_preferences(tmp_path)


def test_not_finite_observations_are_refused(tmp_path):
    boats = collect("boat-lagoon", [RANDOM], 10, Rater(), clips=5, length=5)
    boats.clips.observations[0, 0] = np.nan
    path = write_preferences(boats, tmp_path / "n.parquet")
    with pytest.raises(PreferencesError, match="not finite"):
        read_preferences(path)
