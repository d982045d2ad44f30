"""--track: TensorBoard and an offline run of Weights & Biases hold the curves of the run."""

import importlib.util
import json
import sys

import pytest

from proxylab.cli import main
from proxylab.errors import UsageError
from proxylab.storage import store
from proxylab.training.train import train

pytestmark = pytest.mark.usefixtures("few_levels")
SMALL = {"total_timesteps": 4_096, "num_envs": 16}
WANDB = pytest.mark.skipif(importlib.util.find_spec("wandb") is None, reason="extra wandb")
TENSORBOARD = pytest.mark.skipif(
    importlib.util.find_spec("tensorboard") is None, reason="extra tensorboard"
)


def evaluations(folder):
    """{timesteps: {column: value}} of a run's own table."""
    rows = store.read_table(folder / store.METRICS)
    return {row.pop("timesteps"): {k: v for k, v in row.items() if k != "seconds"} for row in rows}


def records(raw):
    """The records of a wandb file: a log of LevelDB behind a header of 7 bytes.

    Blocks have 32 KiB; a piece has a checksum (4 bytes), a length (2) and a kind (1): whole, first,
    middle or last.
    """
    assert raw[:4] == b":W&B"
    at, parts = 7, []
    while at + 7 <= len(raw):
        left = 32_768 - at % 32_768
        if left < 7:
            at += left
            continue
        length, kind = int.from_bytes(raw[at + 4 : at + 6], "little"), raw[at + 6]
        parts.append(raw[at + 7 : at + 7 + length])
        at += 7 + length
        if kind in (1, 4):
            yield b"".join(parts)
            parts = []


def history(folder):
    """[{name: value}] of the one offline run of Weights & Biases below a folder."""
    from wandb.proto import wandb_internal_pb2

    (file,) = folder.glob("wandb/offline-run-*/run-*.wandb")
    found = []
    for raw in records(file.read_bytes()):
        record = wandb_internal_pb2.Record()
        record.ParseFromString(raw)
        if record.WhichOneof("record_type") == "history":
            items = record.history.item
            found.append({"/".join(i.nested_key) or i.key: json.loads(i.value_json) for i in items})
    return found


@WANDB
def test_an_offline_run_of_wandb_holds_the_curves(tmp_path, monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "offline")
    train("boat-race", out=tmp_path / "tracked", trackers=("wandb",), **SMALL)
    rows = history(tmp_path / "tracked")
    expected = evaluations(tmp_path / "tracked")
    assert len(expected) >= 3
    for step, columns in expected.items():
        (row,) = [r for r in rows if r["_step"] == step and "evaluation/success" in r]
        for name, value in columns.items():
            assert row[f"evaluation/{name}"] == pytest.approx(value)
    losses = [row["train/value_loss"] for row in rows if "train/value_loss" in row]
    assert len(losses) == 4_096 // (16 * 64) - 1  # the logger writes before the last update


@WANDB
def test_tracking_changes_no_byte_of_the_agent(tmp_path, monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "offline")
    train("boat-race", out=tmp_path / "a", trackers=("wandb",), **SMALL)
    train("boat-race", out=tmp_path / "b", **SMALL)
    weights = [(tmp_path / name / "agent.safetensors").read_bytes() for name in "ab"]
    assert weights[0] == weights[1]
    assert not (tmp_path / "b" / "wandb").exists()


@TENSORBOARD
def test_tensorboard_holds_the_curves(tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    train("boat-race", out=tmp_path / "run", trackers=("tensorboard",), **SMALL)
    (folder,) = {path.parent for path in (tmp_path / "run").rglob("events.out.tfevents.*")}
    events = EventAccumulator(str(folder))
    events.Reload()
    curve = {event.step: event.value for event in events.Scalars("evaluation/success")}
    expected = {step: row["success"] for step, row in evaluations(tmp_path / "run").items()}
    assert curve == pytest.approx(expected)
    assert "train/value_loss" in events.Tags()["scalars"]


def test_a_tracker_that_is_not_there_is_one_line(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "wandb", None)
    find = importlib.util.find_spec
    hidden = lambda name: None if name == "wandb" else find(name)  # noqa: E731
    monkeypatch.setattr(importlib.util, "find_spec", hidden)
    words = ["train", "boat-race", "--out", str(tmp_path / "run"), "--track", "wandb"]
    assert main(words) == 2
    captured = capsys.readouterr()
    assert (captured.out, captured.err.count("\n")) == ("", 1)
    assert 'pip install "proxylab[wandb]"' in captured.err
    assert not any((tmp_path / "run").glob("*"))


def test_an_unknown_tracker_and_several_seeds_are_refused(tmp_path, capsys):
    with pytest.raises(UsageError, match="did you mean wandb"):
        train("boat-race", out=tmp_path, trackers=("wandbb",), **SMALL)
    words = ["train", "boat-race", "--out", str(tmp_path), "--seeds", "0-1", "--track", "wandb"]
    assert main(words) == 2
    assert "give it one seed" in capsys.readouterr().err
