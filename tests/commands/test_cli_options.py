"""Every option of every verb has a checked kind, and refuses what cannot be in one line."""

import dataclasses
import types
import typing
from pathlib import Path

import pytest

from proxylab.cli import VERBS, command_of, main
from proxylab.console import options

PLAIN = (int, float, str, Path)


def fields(command, prefix=""):
    """[(option, type)] of a verb, those of nested dataclasses included."""
    hints = typing.get_type_hints(command, include_extras=True)
    for field in dataclasses.fields(command):
        kind = hints[field.name]
        if dataclasses.is_dataclass(kind):
            yield from fields(kind, f"{prefix}{field.name}.")
        else:
            yield f"{prefix}{field.name}", kind


def kinds(kind):
    """The kinds within a type: [(plain type, whether it is checked)]."""
    if kind in PLAIN:
        return [(kind, False)]
    arguments = typing.get_args(kind)
    if hasattr(kind, "__metadata__"):
        checked = any(type(m).__name__ == "PrimitiveConstructorSpec" for m in kind.__metadata__)
        return [(arguments[0], True)] if checked else kinds(arguments[0])
    if isinstance(kind, types.UnionType) or typing.get_origin(kind) in (typing.Union, tuple):
        return [found for argument in arguments for found in kinds(argument)]
    return []


ALL = [(verb, name, kinds(kind)) for verb in VERBS for name, kind in fields(command_of(verb))]
NUMBERS = [(v, n, k[0][0]) for v, n, k in ALL if k and k[0][0] in (int, float)]


def test_every_option_is_checked():
    assert len(ALL) > 150
    assert not [(verb, name) for verb, name, found in ALL if not all(ok for _, ok in found)]
    assert len(NUMBERS) > 40


def test_the_test_sees_an_option_that_is_not_checked():
    """Control."""
    for kind in (int, int | None, tuple[str, ...], Path | None, typing.Annotated[int, "x"]):
        assert not all(checked for _, checked in kinds(kind))
    for kind in (options.Seed, options.Positive | None, tuple[options.Text, ...]):
        assert kinds(kind)
        assert all(checked for _, checked in kinds(kind))


POSITIONALS = {
    "train": ["maze-corner"],
    "train-trusted": ["--env", "FrozenLake-v1"],
    "evaluate": ["x"],
    "field": ["x"],
    "record": ["x", "--out", "x.jsonl"],
    "monitor": ["x"],
    "guard": ["x"],
    "search": ["x"],
    "bowtie": ["maze-corner"],
    "play": ["maze-corner"],
    "tune": ["maze-corner"],
    "procgen": ["check"],
    "zoo": ["build", "maze-corner"],
    "rewards": ["list"],
    "reproduce": ["x"],
    "import-sb3": ["x", "--task", "maze-corner"],
    "export": ["x", "--to", "onnx"],
}


@pytest.mark.parametrize(("verb", "name", "kind"), NUMBERS, ids=[f"{v} {n}" for v, n, _ in NUMBERS])
def test_numbers_that_cannot_be(capsys, verb, name, kind):
    """Below the range, not finite, not a number, too large: exit code 2, and nothing runs."""
    option = f"--{name.replace('_', '-')}"
    wrong = ["-1", "1.5", "1" + "0" * 400, "x", ""] if kind is int else ["nan", "inf", "1e400", "x"]
    if kind is int and not accepts_zero(verb, name):
        wrong.append("0")
    for value in wrong:
        code = main([verb, *POSITIONALS.get(verb, []), option, value])
        out, err = capsys.readouterr()
        assert (code, out, err.count("\n")) == (2, "", 1), (option, value, err)
        assert option in err, err
        assert "Annotated" not in err


def accepts_zero(verb, name):
    return name in ("seed", "first_seed", "port", "edits") or (verb, name) == ("app", "episodes")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["detect", "x", "--alpha", "0"], "not between 0 and 1"),
        (["detect", "x", "--alpha", "1"], "not between 0 and 1"),
        (["detect", "x", "--correlation", "1.5"], "not between 0 and 1"),
        (["app", "--port", "65536"], "not between 0 and 65535"),
        (["train", "maze-corner", "--jobs", "0"], "'0' is not between 1"),
        (["train", "maze-corner", "--num-levels", "-1"], "'-1' is not between 1"),
        (["train", "maze-corner", "--device", "cuda:99"], "cuda:99"),
        (["evaluate", "x", "--device", "cuda:99"], "cuda:99"),
        (["train", "maze-corner", "--out", ""], "an empty text is no value"),
        (["train", "maze-corner", "--config", "x" * 5_000], "longer than 4096"),
    ],
)
def test_values_at_the_edge(capsys, arguments, said):
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert said in err
