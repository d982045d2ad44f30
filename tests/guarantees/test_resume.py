"""A resumed run gives the bytes of one that ran through.

The negative controls leave one piece of a checkpoint as it is in a freshly made run, each piece
in turn, and the same comparison must find it.
"""

import random
import shutil

import pytest
import torch

from proxylab.storage import store
from proxylab.training import train as training
from proxylab.training.callbacks import TrainingCallback
from proxylab.training.checkpoint import load_checkpoint, save_checkpoint
from proxylab.training.train import make_config, make_model, train

pytestmark = pytest.mark.usefixtures("few_levels")
TASK, SEED, HALF = "maze-corner", 3, 1_024
SMALL = {"total_timesteps": 2 * HALF, "num_envs": 16}
PIECES = (
    *(("policy",), ("optimizer",), ("env",), ("last", 0), ("last", 1), ("progress", "rows")),
    *(("counters", name) for name in ("num_timesteps", "_n_updates")),
    *(("generators", name) for name in ("torch", "numpy", "python")),
)
"""Every piece of a checkpoint that a fresh run does not have."""

IN_THE_BYTES = [
    ("policy",),
    ("optimizer",),
    ("env",),
    ("generators", "torch"),
    ("generators", "numpy"),
]
"""Pieces whose loss is shown by trained agents too; the others by what a model holds."""


def cut(folder):
    """A run that is interrupted once it has a checkpoint of ``HALF`` steps."""
    save = TrainingCallback._save

    def save_and_stop(self):
        save(self)
        if self.num_timesteps >= HALF:
            raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TrainingCallback, "_save", save_and_stop)
        with pytest.raises(KeyboardInterrupt):
            train(TASK, out=folder, seed=SEED, **SMALL)
    return folder


def trained(folder, **options):
    """{file: its content} of a run: the agent's bytes, and the metrics without the clock."""
    train(TASK, out=folder, seed=SEED, **SMALL, **options)
    files = {name: (folder / name).read_bytes() for name in ("agent.safetensors", "agent.json")}
    rows = store.read_table(folder / store.METRICS)
    return files | {"metrics": [{k: v for k, v in row.items() if k != "seconds"} for row in rows]}


@pytest.fixture(scope="module")
def whole(tmp_path_factory, few_levels):
    return trained(tmp_path_factory.mktemp("whole") / "run")


@pytest.fixture(scope="module")
def half(tmp_path_factory, few_levels):
    return cut(tmp_path_factory.mktemp("half") / "run")


@pytest.fixture(scope="module")
def fresh(tmp_path_factory, half):
    """What a checkpoint of a run that has just been made holds."""
    return state_of(fresh_model(), tmp_path_factory.mktemp("fresh") / "checkpoint.pt", {"rows": []})


def fresh_model():
    model = make_model(make_config(TASK, seed=SEED, **SMALL))
    model._setup_learn(SMALL["total_timesteps"])
    return model


def state_of(model, path, progress):
    """The checkpoint of a model as a dict."""
    save_checkpoint(path, model, model_fingerprint(), progress)
    return torch.load(path, weights_only=True)


def model_fingerprint():
    return make_config(TASK, seed=SEED, **SMALL).fingerprint


def resumed_without(piece, half, fresh, folder):
    """:func:`trained` of a run resumed with one piece of its checkpoint as in a fresh run."""
    shutil.copytree(half, folder)
    path = folder / store.CHECKPOINT
    state = torch.load(path, weights_only=True)
    put(state, piece, get(fresh, piece))
    torch.save(state, path)
    return trained(folder, resume=True)


def get(state, piece):
    for key in piece:
        state = state[key]
    return state


def put(state, piece, value):
    get(state, piece[:-1])[piece[-1]] = value


def same(one, other):
    """Whether two checkpoints, or parts of them, hold the same."""
    if isinstance(one, torch.Tensor):
        return isinstance(other, torch.Tensor) and torch.equal(one, other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    return one == other


def test_a_resumed_run_gives_the_same_bytes(whole, half, tmp_path):
    shutil.copytree(half, tmp_path / "run")
    assert trained(tmp_path / "run", resume=True) == whole


@pytest.mark.parametrize("piece", IN_THE_BYTES, ids=str)
def test_a_piece_that_is_not_restored_changes_the_bytes(piece, whole, half, fresh, tmp_path):
    assert resumed_without(piece, half, fresh, tmp_path / "run") != whole


# Every piece, whether this run shows it in its bytes or not


def disturb(value):
    """Another value of the same kind and shape, as a run might have."""
    if isinstance(value, torch.Tensor):
        return ~value if value.dtype == torch.bool else value + 1
    if isinstance(value, dict):
        return {key: disturb(part) for key, part in value.items()}
    if isinstance(value, list):
        return [disturb(part) for part in value]
    return value + 1 if isinstance(value, int | float) and not isinstance(value, bool) else value


def restored(half, folder, edit=lambda state: None):
    """(what a checkpoint holds, what a model holds after it has been loaded)."""
    state = torch.load(half / store.CHECKPOINT, weights_only=True)
    drawn = random.Random(7).getstate()  # nothing here draws from Python's generator
    state["generators"]["python"] = [drawn[0], torch.tensor(drawn[1]), drawn[2]]
    state["counters"] = disturb(state["counters"])
    torch.save(state, folder / "saved.pt")
    given = torch.load(folder / "saved.pt", weights_only=True)
    edit(given)
    torch.save(given, folder / "given.pt")
    model = fresh_model()
    progress = load_checkpoint(folder / "given.pt", model, model_fingerprint())
    return state, state_of(model, folder / "again.pt", progress)


def test_a_model_holds_every_piece_after_loading(half, tmp_path):
    saved, found = restored(half, tmp_path)
    assert same(found, saved)


@pytest.mark.parametrize("piece", PIECES, ids=str)
def test_every_piece_that_is_not_restored_is_noticed(piece, half, fresh, tmp_path):
    saved, found = restored(half, tmp_path, lambda state: put(state, piece, get(fresh, piece)))
    assert not same(found, saved)
    put(found, piece, get(saved, piece))
    assert same(found, saved)


def test_the_list_of_pieces_is_complete(half):
    """A new entry of the checkpoint needs a negative control too."""
    state = torch.load(half / store.CHECKPOINT, weights_only=True)
    assert set(state) == {"schema", "fingerprint", *(piece[0] for piece in PIECES)}
    assert set(state["generators"]) - {"cuda"} == {"torch", "numpy", "python"}
    assert len(state["last"]) == 2


def test_another_configuration_is_not_resumed(half, tmp_path):
    shutil.copytree(half, tmp_path / "run")
    with pytest.raises(training.UsageError, match="other settings"):
        train(TASK, out=tmp_path / "run", seed=SEED + 1, resume=True, **SMALL)
