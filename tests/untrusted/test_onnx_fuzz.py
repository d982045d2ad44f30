"""What the checker has read in a bent ONNX model is what every other parser reads in it."""

import random
from collections import Counter
from dataclasses import dataclass, field

import pytest

pytest.importorskip("onnxruntime")
pytest.importorskip("onnx")

from evil_protobuf import MUTATIONS, bases, mutated
from onnx_views import as_run, checkers_view, forbidden_parts, graph_facts, parsed, view_of

from proxylab.untrusted import onnx_model, protobuf
from proxylab.untrusted.confined import Refusal
from proxylab.untrusted.onnx_model import check_model

FEW, MANY = 1200, 30_000


@dataclass
class Found:
    """What a run of the fuzzer has found.

    Attributes:
        tried, accepted, run: models made, taken by the checker, taken by ONNX Runtime.
        kinds: how often each change was made.
        before: differences between the checker and the file.
        after: differences between the checker and what the runtime gets.
    """

    tried: int = 0
    accepted: int = 0
    run: int = 0
    kinds: Counter = field(default_factory=Counter)
    before: list = field(default_factory=list)
    after: list = field(default_factory=list)


def differences(checked, raw):
    """How an independent parser reads ``raw`` differently from the checker: list of str."""
    proto = parsed(raw)
    if proto is None:
        return ["it is no model to the package onnx"]
    found = forbidden_parts(proto)
    if view_of(proto) != checkers_view(checked.model):
        found.append("another content")
    return found


def fuzz(count, path, seed=0, handed=lambda checked, raw: checked.encoded()):
    """``count`` bent models; ``handed`` gives the bytes that the runtime gets."""
    found, sound, rng = Found(), bases(), random.Random(seed)
    for number in range(count):
        raw, names = mutated(sound[number % len(sound)], rng)
        found.tried += 1
        found.kinds.update(names)
        try:
            checked = check_model(raw)
        except Refusal:
            continue
        found.accepted += 1
        given = handed(checked, raw)
        found.before += [(number, names, what) for what in differences(checked, raw)]
        found.after += [(number, names, what) for what in differences(checked, given)]
        if (facts := as_run(given, path)) is not None:
            found.run += 1
            plain = parsed(checked.encoded())
            if plain is None or facts != graph_facts(plain):
                found.after.append((number, names, f"ONNX Runtime has {facts[0]}"))
    return found


def assert_sound(found):
    assert not found.before, found.before[:5]
    assert not found.after, found.after[:5]
    assert found.accepted > found.tried / 20
    assert found.run > found.tried / 50
    assert set(found.kinds) >= {mutation.__name__ for mutation in MUTATIONS}


def test_the_checker_reads_what_others_read(tmp_path):
    assert_sound(fuzz(FEW, tmp_path / "read.onnx"))


@pytest.mark.slow
def test_the_checker_reads_what_others_read_in_many(tmp_path, capsys):
    found = fuzz(MANY, tmp_path / "read.onnx", seed=1)
    with capsys.disabled():
        print(f"\n{found.tried} models: {found.accepted} taken, {found.run} by ONNX Runtime too")
    assert_sound(found)


@pytest.fixture
def lenient(monkeypatch):
    """Odd ways of writing are no longer refused."""
    for module in (protobuf, onnx_model):
        monkeypatch.setattr(module, "odd", lambda what: None)


def test_the_fuzz_sees_a_checker_that_takes_odd_files(tmp_path, lenient):
    """Control: forbidden parts pass, and only writing anew keeps them from the runtime."""
    found = fuzz(FEW, tmp_path / "read.onnx")
    assert any(what.startswith("operator") for _, _, what in found.before)
    assert "another content" in {what for _, _, what in found.before}
    assert not any(what.startswith(("operator", "domain")) for _, _, what in found.after)


def test_the_fuzz_sees_a_file_that_is_handed_on(tmp_path, lenient):
    """Control: where the runtime gets the file itself, it gets operators that nobody has seen."""
    found = fuzz(FEW, tmp_path / "read.onnx", handed=lambda checked, raw: raw)
    assert any(what.startswith("operator") for _, _, what in found.after)
    assert any("Runtime" in what and "Relu" in what for _, _, what in found.after)


@pytest.mark.parametrize("raw", bases(), ids=["linear", "softmax", "conv"])
def test_sound_models_are_written_as_they_were(raw):
    """The bytes differ by what is left out at most: here the name of the producer, nothing."""
    encoded = check_model(raw).encoded()
    assert check_model(encoded).encoded() == encoded
    assert view_of(parsed(raw)) == view_of(parsed(encoded))
