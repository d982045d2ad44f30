"""No pickle is ever opened but behind --trust-pickle: while files are read, and in the source.

The negative controls open pickles in every way that Python's libraries offer, and in the
readers themselves, and the same checks must find it.
"""

import contextlib
import io
import json
import pickle
from pathlib import Path, PurePosixPath

import numpy as np
import pytest
import torch
from evil_files import make_all
from parsers import COMPLAINTS, MAKERS, attempt, parser
from pickle_watch import opened_in, watched
from sb3_models import make_model

from proxylab.agents.references import load_agents
from proxylab.cli import main
from proxylab.leaderboard.cache import cached
from proxylab.screening.cache import DetectionCache
from proxylab.storage import store
from proxylab.training.checkpoint import load_checkpoint, save_checkpoint
from proxylab.training.train import make_config
from proxylab.training.train import make_model as fresh_model
from proxylab.untrusted.sb3_trusted import load_trusted

ROOT = Path(__file__).parents[2]
TRUSTING = ROOT / "proxylab" / "untrusted" / "sb3_trusted.py"
SOURCES = sorted(
    p for name in ("proxylab", "envs", "experiments") for p in (ROOT / name).rglob("*.py")
)
NEEDS = {"log.hdf5": "h5py", "onnx": "onnx"}


def opened_by(read, *arguments):
    """What is unpickled while something reads; a refusal is as good as a result."""
    with watched() as seen, contextlib.suppress(*COMPLAINTS):
        read(*arguments)
    return seen


# While files are read


@pytest.mark.parametrize("name", MAKERS)
def test_sound_and_foreign_files_of_every_kind(name):
    if name in NEEDS:
        pytest.importorskip(NEEDS[name])
    sound = parser(name).sound
    attempt(name, sound)  # compiled kernels lie in Numba's own cache, which is a pickle
    assert opened_by(attempt, name, sound) == []
    for foreign in (pickle.dumps(PurePosixPath("x")), torch_file(PurePosixPath("x")), objects()):
        assert opened_by(attempt, name, foreign) == []


def torch_file(value):
    file = io.BytesIO()
    torch.save(value, file)
    return file.getvalue()


def objects():
    """An array of objects, as np.save writes it: with a pickle."""
    file = io.BytesIO()
    np.save(file, np.array([PurePosixPath("x")], object), allow_pickle=True)
    return file.getvalue()


def test_evil_files(tmp_path, here, monkeypatch, capsys):
    """Those that hold a live payload, through the command line."""
    attempts, canary = make_all(tmp_path)
    monkeypatch.setenv("PROXYLAB_RESULTS", str(tmp_path / "results"))
    chosen = [
        e for e in attempts if any(w in e.name for w in ("pickle", "data slot", "pth", "npz"))
    ]
    assert len(chosen) >= 8
    for one in chosen:
        assert opened_by(main, one.argv) == [], one.name
    capsys.readouterr()
    assert not canary.exists()


def test_shipped_agents():
    assert opened_by(load_agents, "zoo:boat-race/trusted") == []


def hit(folder, played):
    """Read an entry of the cache of rollouts; it was written just now."""
    cache = DetectionCache(folder)
    cache.episodes({"a": 1}, "p", lambda: played)
    with watched() as seen:
        cache.episodes({"a": 1}, "p", lambda: played)
    return seen


@pytest.fixture
def played():
    return parser("log.jsonl").read(parser("log.jsonl").sound)[0]


def evil_entry(path):
    np.savez(path, facts=np.array([PurePosixPath("x")], object))


def test_the_caches(tmp_path, played):
    assert hit(tmp_path, played) == []
    (path,) = tmp_path.iterdir()
    evil_entry(path)
    with watched() as seen:
        DetectionCache(tmp_path).episodes({"a": 1}, "p", lambda: played)
    assert seen == []
    (tmp_path / "kept.json").write_bytes(pickle.dumps({"key": 1}))
    assert opened_by(cached, tmp_path / "kept.json", [1], lambda: 2) == []


@pytest.fixture
def checkpoint(tmp_path):
    """(path, fresh model, fingerprint) of a run that has just begun."""
    config = make_config("boat-race", num_envs=2, total_timesteps=64)
    model = fresh_model(config)
    model._setup_learn(64)
    save_checkpoint(tmp_path / "checkpoint.pt", model, config.fingerprint, {"rows": []})
    return tmp_path / "checkpoint.pt", model, config.fingerprint


def test_checkpoints(checkpoint):
    assert opened_by(load_checkpoint, *checkpoint) == []
    path, model, fingerprint = checkpoint
    path.write_bytes(torch_file({"fingerprint": fingerprint, "policy": PurePosixPath("x")}))
    assert opened_by(load_checkpoint, path, model, fingerprint) == []


def test_run_folders(tmp_path):
    store.write_json(tmp_path / "a.json", {"x": 1})
    store.write_table([{"x": 1.5}], tmp_path / "a.parquet")
    assert opened_by(store.read_json, tmp_path / "a.json") == []
    assert opened_by(store.read_table, tmp_path / "a.parquet") == []


# Negative controls: what is opened is seen


class Loud(pickle._Unpickler):
    """An unpickler in Python that no name of the pickle module leads to."""


PLAIN, NAMED = pickle.dumps({"x": [1, 2]}), pickle.dumps(PurePosixPath("x"))
OPENINGS = {
    "pickle.loads": lambda: pickle.loads(PLAIN),
    "pickle.load": lambda: pickle.load(io.BytesIO(PLAIN)),
    "pickle.Unpickler": lambda: pickle.Unpickler(io.BytesIO(PLAIN)).load(),
    "_pickle.loads": lambda: __import__("_pickle").loads(NAMED),
    "an unpickler in Python": lambda: Loud(io.BytesIO(NAMED)).load(),
    "np.load, allow_pickle": lambda: np.load(io.BytesIO(objects()), allow_pickle=True),
    "torch.load, weights_only=False": lambda: torch.load(
        io.BytesIO(torch_file({"x": torch.ones(1)})), weights_only=False
    ),
}


@pytest.mark.parametrize("name", OPENINGS)
def test_every_way_to_open_a_pickle_is_seen(name):
    assert opened_by(OPENINGS[name])


def test_joblib_is_seen(tmp_path):
    joblib = pytest.importorskip("joblib")
    joblib.dump(PurePosixPath("x"), tmp_path / "a.joblib")
    assert opened_by(joblib.load, tmp_path / "a.joblib")


def test_the_reader_that_trusts_is_seen(tmp_path):
    """What --trust-pickle opens."""
    make_model("boat-race").save(tmp_path / "model.zip")
    assert opened_by(load_trusted, tmp_path / "model.zip")


def test_nothing_is_seen_where_nobody_unpickles():
    assert opened_by(json.loads, "[1]") == []
    assert opened_by(torch.load, io.BytesIO(torch_file({"x": torch.ones(1)}))) == []


def test_a_cache_that_allows_pickles_is_caught(tmp_path, played, monkeypatch):
    honest = np.load
    monkeypatch.setattr(np, "load", lambda path, **_: honest(path, allow_pickle=True))
    DetectionCache(tmp_path).episodes({"a": 1}, "p", lambda: played)
    (path,) = tmp_path.iterdir()
    evil_entry(path)
    with watched() as seen:
        DetectionCache(tmp_path).episodes({"a": 1}, "p", lambda: played)
    assert seen


@pytest.mark.parametrize("kind", ["zip", "checkpoint"])
def test_a_reader_that_loads_more_than_weights_is_caught(kind, checkpoint, monkeypatch):
    honest = torch.load

    def careless(file, **options):
        return honest(file, **options | {"weights_only": False})

    monkeypatch.setattr(torch, "load", careless)
    if kind == "zip":
        assert opened_by(attempt, "zip", parser("zip").sound)
    else:
        assert opened_by(load_checkpoint, *checkpoint)


# In the source


@pytest.mark.parametrize(
    "path", [p for p in SOURCES if p != TRUSTING], ids=lambda p: str(p.relative_to(ROOT))
)
def test_no_module_opens_a_pickle(path):
    assert opened_in(path.read_text(encoding="utf-8")) == []


def test_one_module_does():
    assert opened_in(TRUSTING.read_text(encoding="utf-8"))
    assert len(SOURCES) > 200


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "import pickle as p, json",
        "from pickle import loads as parse",
        "from _pickle import load",
        "import joblib.numpy_pickle",
        "def f():\n    import cloudpickle",
        "import shelve",
        "importlib.import_module('pickle')",
        "__import__('dill')",
        "np.load(path)",
        "np.load(path, allow_pickle=True)",
        "np.load(path, allow_pickle=trusted)",
        "numpy.load(path, **options)",
        "np.load(path, allow_pickle=False, **options)",
        "torch.load(path)",
        "torch.load(path, weights_only=False)",
        "torch.load(path, weights_only=not trusted)",
        "np.lib.format.read_array(file, allow_pickle=True)",
        "pandas.read_pickle(path)",
        "from stable_baselines3.common.save_util import load_from_zip_file",
        "PPO.load(path)",
        "stable_baselines3.A2C.load(path)",
        "VecNormalize.load(path, env)",
        "model.set_parameters(path)",
    ],
)
def test_a_source_that_opens_one_is_caught(source):
    assert opened_in(source)


@pytest.mark.parametrize(
    "source",
    [
        "np.load(path, allow_pickle=False)",
        "torch.load(path, weights_only=True)",
        "json.load(file)",
        "from safetensors.numpy import load",
        "import picklelike",
    ],
)
def test_sound_sources_pass(source):
    assert opened_in(source) == []
