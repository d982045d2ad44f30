"""Whatever a file holds, its parser reads it or says in a line why not."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from parsers import MAKERS, OPTIONS, attempt, parser

NEEDS = {"log.hdf5": "h5py", "onnx": "onnx"}


def present(name):
    if name in NEEDS:
        pytest.importorskip(NEEDS[name])
    return name


@pytest.mark.parametrize("name", MAKERS)
def test_the_sound_file_is_read(name):
    assert attempt(present(name), parser(name).sound) is None


EDITS = st.lists(
    st.tuples(
        st.sampled_from(["set", "cut", "insert", "double"]),
        st.floats(0, 1, exclude_max=True),
        st.one_of(
            st.binary(min_size=1, max_size=9), st.sampled_from([b"\xff" * 8, b"-1", b"9" * 30])
        ),
    ),
    min_size=1,
    max_size=6,
)
"""What to do, where (as a share of the length), with which bytes."""


def edited(raw, edits):
    for what, where, octets in edits:
        k = int(where * len(raw))
        if what == "set":
            raw = raw[:k] + octets + raw[k + len(octets) :]
        elif what == "cut":
            raw = raw[:k] if len(octets) > 8 else raw[:k] + raw[k + len(octets) :]
        elif what == "insert":
            raw = raw[:k] + octets + raw[k:]
        else:
            raw = raw[:k] + raw[k : k + 64] + raw[k:]
    return raw


@pytest.mark.parametrize("name", MAKERS)
def test_damaged_files(name):
    sound = parser(present(name)).sound

    @given(EDITS)
    @settings(max_examples=25)
    def check(edits):
        attempt(name, edited(sound, edits))

    check()


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(1 << 70), 1 << 70)
    | st.sampled_from([0, 1, -1, 1 << 31, 1 << 40, 1 << 62, 1 << 63, 0.5, -1e308, 1e-300])
    | st.text(max_size=8)
    | st.sampled_from(["true", "proxy", "mix:0.5", "mix:nan", "train", "maze-corner", "auto"]),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4)
    ),
    max_leaves=6,
)


def with_changes(record, changes):
    """The record with the k-th field changed for each (k, value); a k too large adds one."""
    names = [*record, "extra", "sizes", "features"]
    return record | {names[k % len(names)]: value for k, value in changes}


CHANGES = st.lists(st.tuples(st.integers(0, 40), VALUES), min_size=1, max_size=3)


@given(CHANGES)
@settings(max_examples=100)
def test_wrong_fields_of_an_agent(changes):
    record = with_changes(json.loads(parser("agent.json").sound), changes)
    attempt("agent.json", json.dumps(record).encode())


@pytest.mark.parametrize("name", ["log.jsonl", "steps.jsonl", "live log"])
def test_wrong_fields_of_a_log(name):
    lines = [json.loads(line) for line in parser(name).sound.splitlines()]

    @given(st.integers(0, len(lines) - 1), CHANGES)
    @settings(max_examples=20 if name == "steps.jsonl" else 60)
    def check(which, changes):
        rows = [with_changes(r, changes) if k == which else r for k, r in enumerate(lines)]
        attempt(name, "\n".join(map(json.dumps, rows)).encode())

    check()


def toml(value):
    """A value in TOML."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(k)} = {toml(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    return "0" if value is None else json.dumps(value)


@given(st.dictionaries(st.sampled_from(OPTIONS), VALUES, min_size=1, max_size=3))
@settings(max_examples=100)
def test_wrong_values_of_a_configuration(options):
    text = "\n".join(f"{name} = {toml(value)}" for name, value in options.items())
    attempt("config", text.encode())


@given(st.sampled_from(["maze-corner", "boat-lagoon", "tomato", "boat-race"]), st.data())
@settings(max_examples=100)
def test_levels_of_random_symbols(task, data):
    text = st.text("#.mcaTtbd^v<>B~+O- ", max_size=12)
    rows = data.draw(st.lists(text, max_size=12))
    attempt(f"level {task}", "\n".join(rows).encode())
