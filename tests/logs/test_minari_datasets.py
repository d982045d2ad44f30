"""What ``record`` writes as a Minari dataset is one for Minari, and by its id a log."""

import json

import numpy as np
import pytest
from played import NUM_ACTIONS, NUM_STATES, played

from proxylab.errors import UsageError
from proxylab.logs import log_files, log_path, read_log, write_log

pytest.importorskip("h5py")

ID = "minari:corridor/honest-v0"


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path))
    return tmp_path


def test_an_id_names_the_file(root):
    write_log(log_path(ID), [played()])
    (file,) = log_files(ID)
    assert file == root / "corridor" / "honest-v0" / "data" / "main_data.hdf5"
    assert read_log(file)[0].num_episodes == 3
    record = json.loads(file.with_name("metadata.json").read_text())
    assert (record["dataset_id"], record["total_steps"]) == ("corridor/honest-v0", 8)


@pytest.mark.parametrize("name", ["minari:", "minari:corridor", "minari:../x-v0", "minari:/x-v0"])
def test_an_id_without_a_version_or_out_of_the_root_is_refused(root, name):
    with pytest.raises(UsageError, match="a Minari id ends in a version"):
        log_path(name)


def test_minari_opens_it(root):
    minari = pytest.importorskip("minari")
    episodes = played()
    write_log(log_path(ID), [episodes, played("b", seed=1)])
    dataset = minari.load_dataset("corridor/honest-v0")
    assert (dataset.total_episodes, dataset.total_steps) == (6, 16)
    assert (dataset.observation_space.n, dataset.action_space.n) == (NUM_STATES + 1, NUM_ACTIONS)
    first = next(iter(dataset.iterate_episodes()))
    assert np.array_equal(first.actions, episodes.action[:3])
    assert np.array_equal(first.observations[:-1], episodes.state_id[:3])
    assert all(dataset.observation_space.contains(state) for state in first.observations)
