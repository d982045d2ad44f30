"""Evil agents, levels and configurations."""

import json
import os
import struct

import numpy as np
from parsers import SPEC, weights
from safetensors.numpy import save as serialise

from proxylab.agents.format import save_agent, weights_sha256


def agent(folder, name, record=None, raw=None, tensors=None):
    """An agent's folder with some fields, its bytes of weights or its tensors changed."""
    path = folder / name.replace(" ", "-")
    save_agent(path, SPEC, weights())
    if tensors is not None:
        raw, record = serialise(tensors), {"sha256": weights_sha256(tensors), **(record or {})}
    if raw is not None:
        (path / "agent.safetensors").write_bytes(raw)
    if record is not None:
        known = json.loads((path / "agent.json").read_text())
        (path / "agent.json").write_text(json.dumps(known | record))
    return path


def text_agent(folder, name, text):
    path = agent(folder, name)
    (path / "agent.json").write_text(text)
    return path


def header(entries, data=b""):
    text = json.dumps(entries).encode() if isinstance(entries, dict) else entries
    return struct.pack("<Q", len(text)) + text + data


def agents(folder, payload):
    """{name: folder of an agent}."""
    raws = raw_weights(payload) | wrong_entries() | wrong_headers()
    found = {name: agent(folder, name, raw=raw) for name, raw in raws.items()}
    found |= {name: agent(folder, name, tensors=value) for name, value in wrong_tensors().items()}
    return found | fields(folder) | texts(folder) | odd_files(folder, payload)


ONE = {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}
"""The header's entry of one tensor."""


def raw_weights(payload):
    """{name: bytes} of files that are none, end early or go on."""
    good = weights()
    return {
        "a pickle as weights": payload,
        "an overlong header": struct.pack("<Q", 1 << 40) + b"{}",
        "a header of 2**64 - 1": b"\xff" * 8 + b"{}",
        "a header of 2 MB": header(b" " * (2 << 20)),
        "a deeply nested header": header(b"[" * 100_000),
        "truncated weights": serialise(good)[:-9],
        "no weights at all": b"",
        "bytes after the weights": serialise(good) + b"\0" * 9,
        "bfloat16 weights": header({"w": ONE | {"dtype": "BF16", "shape": [2]}}, b"\0" * 4),
    }


def wrong_entries():
    """{name: bytes} whose header describes a tensor wrongly: its place or its type."""
    return {
        "a huge shape": header({"w": ONE | {"shape": [1 << 40, 1 << 40]}}, b"\0" * 4),
        "negative offsets": header({"w": ONE | {"data_offsets": [-4, 0]}}, b"\0" * 4),
        "overlapping tensors": header({"a": ONE, "b": ONE}, b"\0" * 4),
        "offsets that are no numbers": header({"a": ONE | {"data_offsets": "04"}}, b"\0" * 4),
        "a tensor twice": header(b'{"a":{"dtype":"F32"},"a":{"dtype":"F32"}}'),
        "a list as dtype": header({"w": ONE | {"dtype": ["F32"]}}, b"\0" * 4),
        "an object as dtype": header({"w": ONE | {"dtype": {"F32": 1}}}, b"\0" * 4),
        "a number as dtype": header({"w": ONE | {"dtype": 10**400}}, b"\0" * 4),
        "no dtype": header({"w": {"shape": [1], "data_offsets": [0, 4]}}, b"\0" * 4),
        "a dtype of 100 KB": header({"w": ONE | {"dtype": "\x1b[2J" * 20_000}}, b"\0" * 4),
        "offsets of 10**400": header({"w": ONE | {"data_offsets": [0, 10**400]}}, b"\0" * 4),
        "offsets of 2**64": header({"w": ONE | {"data_offsets": [1 << 64, 1 << 65]}}, b"\0" * 4),
        "offsets of 1e400": header(b'{"w":{"dtype":"F32","shape":[1],"data_offsets":[0,1e400]}}'),
        "offsets that are floats": header({"w": ONE | {"data_offsets": [0.0, 4.0]}}, b"\0" * 4),
        "offsets that are lists": header({"w": ONE | {"data_offsets": [[0], [4]]}}, b"\0" * 4),
        "offsets back to front": header({"w": ONE | {"data_offsets": [4, 0]}}, b"\0" * 4),
        "one offset": header({"w": ONE | {"data_offsets": [4]}}, b"\0" * 4),
        "an end far below zero": header({"w": ONE | {"data_offsets": [0, -(10**30)]}}, b"\0" * 4),
    }


def wrong_headers():
    """{name: bytes} whose header has a wrong shape or structure."""
    return {
        "a shape of 10**400": header({"w": ONE | {"shape": [10**400]}}, b"\0" * 4),
        "a shape below zero": header({"w": ONE | {"shape": [-1]}}, b"\0" * 4),
        "a shape of texts": header({"w": ONE | {"shape": ["1"]}}, b"\0" * 4),
        "a shape of a thousand sides": header({"w": ONE | {"shape": [1] * 1000}}, b"\0" * 4),
        "an entry that is a list": header({"w": [ONE]}, b"\0" * 4),
        "a header that is a list": header(b"[1, 2]"),
        "a header that is a number": header(b"1e5"),
        "metadata that is a list": header({"__metadata__": [1], "w": ONE}, b"\0" * 4),
        "metadata of numbers": header({"__metadata__": {"a": 10**400}, "w": ONE}, b"\0" * 4),
        "a lone surrogate as a name": header(b'{"\\ud800": {"dtype": "F8"}}', b"\0" * 4),
        "UTF-16 as header": header('{"w": 1}'.encode("utf-16")),
        "control characters as a name": header(
            {"\x1b[2J\n\u202e": ONE | {"dtype": "F8"}}, b"\0" * 4
        ),
        "a name of 900 KB": header({"x" * 900_000: ONE | {"dtype": "F8"}}, b"\0" * 4),
        "twelve thousand tensors": header(
            {f"t{k}": ONE | {"data_offsets": [4 * k, 4 * k + 4]} for k in range(12_000)},
            b"\0" * 48_000,
        ),
    }


def wrong_tensors():
    """{name: tensors} that load and do not fit."""
    good = weights()
    nan = {**good, "policy_head.bias": np.full(4, np.nan, np.float32)}
    infinite = {**good, "policy_head.bias": np.full(4, np.inf, np.float32)}
    return {
        "NaN in weights": nan,
        "infinity in weights": infinite,
        "another shape": good | {"policy_head.bias": np.zeros(5, np.float32)},
        "float64 in weights": good | {"policy_head.bias": np.zeros(4)},
        "a tensor too many": good | {"backdoor": np.zeros(1, np.float32)},
    }


HUGE = 10**400
BOMBS = {
    "a time limit of 10**18": {"env": {"time_limit": 10**18}},
    "a time limit of 10**400": {"env": {"time_limit": HUGE}},
    "a time limit of 1e308": {"env": {"time_limit": 1e308}},
    "a maze of 10**6": {"env": {"size": 10**6}},
    "a maze of 10**400": {"env": {"size": HUGE}},
    "a maze of a list": {"env": {"size": [7] * 1000}},
    "a maze below zero": {"env": {"size": -7}},
    "a knob with a lone surrogate": {"env": {"\ud800": 1}},
    "a thousand env_kwargs": {"env": {f"k{n}": n for n in range(1000)}},
    "a number as reward": {"reward": HUGE},
    "a list as reward": {"reward": ["true"]},
    "levels of 10**400": {"levels": HUGE},
}
"""What ``training`` may ask for."""

SIZES = {
    "a width of 10**400": {"width": HUGE, "depth": 1},
    "a depth of 10**400": {"width": 2, "depth": HUGE},
    "a width below zero": {"width": -1, "depth": 1},
    "a depth of true": {"width": 2, "depth": True},
    "a width of a list": {"width": [2, 2], "depth": 1},
    "a width that is nested": {"width": [[2]], "depth": 1},
    "a width of 1e308": {"width": 1e308, "depth": 1},
    "a lone surrogate as a size": {"\ud800": 1},
    "a thousand sizes": {f"s{n}": 1 for n in range(1000)},
    "sizes that are a list": [1, 2],
    "a size with an escape": {"\x1b[2J": 1},
}


def fields(folder):
    records = {
        **{name: {"training": value} for name, value in BOMBS.items()},
        **{name: {"sizes": value} for name, value in SIZES.items()},
        "an observation of 10**400": {"observation_shape": [HUGE]},
        "an observation that is a number": {"observation_shape": HUGE},
        "an observation that is a text": {"observation_shape": "399"},
        "a list as observation dtype": {"observation_dtype": ["uint8"]},
        "an object as preprocessing": {"preprocessing": {}},
        "10**400 actions": {"num_actions": HUGE},
        "1e308 actions": {"num_actions": 1e308},
        "a list as architecture": {"architecture": ["towers"]},
        "an escape as architecture": {"architecture": "\x1b[2J\n" * 9},
        "an escape as task": {"task": "\x1b[2J\n" * 9},
        "a task of 900 KB": {"task": "x" * 900_000},
        "a lone surrogate as task": {"task": "\udfff"},
        "a number as sha256": {"sha256": HUGE},
        "a list as sha256": {"sha256": [[]]},
        "changed weights": {"sha256": "0" * 64},
        "a class path as architecture": {"architecture": "os.system"},
        "a network of 8192 wide and deep": {"sizes": {"width": 8192, "depth": 64}},
        "a network too deep": {"sizes": {"width": 2, "depth": 8192}},
        "a width of 10**9": {"sizes": {"width": 10**9}},
        "a float as width": {"sizes": {"width": 2.5}},
        "dunder sizes": {"sizes": {"__class__": 1}},
        "a huge observation": {"observation_shape": [8192, 8192, 8192, 8192]},
        "ten thousand sides": {"observation_shape": [1] * 10_000},
        "a million actions": {"num_actions": 10**6},
        "a pickle as dtype": {"observation_dtype": "object"},
        "training of a million keys": {"training": "x"},
        "env_kwargs that are none": {"training": {"env": 5}},
        "a maze of 10**9 cells": {"training": {"env": {"size": 10**9}}},
        "a knob that is none": {"training": {"env": {"__init__": 1}}},
        "an unknown task": {"task": "../../etc"},
        "a reward that is none": {"training": {"reward": "__import__('os')"}},
    }
    return {name: agent(folder, name, record=record) for name, record in records.items()}


def texts(folder):
    sound = json.dumps({"schema": "proxylab.agent/1", "name": "x"})
    rows = {
        "JSON of 2 MB": sound[:-1] + ', "a": "' + "x" * (2 << 20) + '"}',
        "JSON nested 200,000 deep": "[" * 200_000,
        "JSON with a key twice": sound[:-1] + ', "name": "y"}',
        "JSON with NaN": sound[:-1] + ', "a": NaN}',
        "JSON with a long number": sound[:-1] + ', "a": ' + "9" * 100_000 + "}",
        "JSON with 10**400": sound[:-1] + ', "a": 1' + "0" * 400 + "}",
        "JSON with 1e400": sound[:-1] + ', "a": 1e400}',
        "JSON with -1e400": sound[:-1] + ', "a": [[-1e400]]}',
        "JSON with a lone surrogate": sound[:-1] + ', "a": "\\ud800"}',
        "JSON with a lone surrogate as a key": sound[:-1] + ', "\\udc00": 1}',
        "JSON of nested objects": '{"a":' * 90_000,
        "JSON nested 900 deep": sound[:-1] + ', "a": ' + "[" * 900 + "]" * 900 + "}",
        "JSON that is a number": "1" + "0" * 400,
        "JSON that is a text": '"proxylab.agent/1"',
        "JSON that is null": "null",
        "a list as schema": sound.replace('"proxylab.agent/1"', '["\\ud800"]'),
        "a schema of 900 KB": sound.replace("agent/1", "x" * 900_000),
        "JSON and more": sound + sound,
        "JSON with a comment": sound + "// x",
        "JSON of nothing": "",
        "another schema": sound.replace("agent/1", "agent/\\u001b[2J"),
    }
    return {name: text_agent(folder, name, text) for name, text in rows.items()}


def odd_files(folder, payload):
    wide = agent(folder, "UTF-16 as JSON")
    (wide / "agent.json").write_bytes((wide / "agent.json").read_text().encode("utf-16"))
    encoded = agent(folder, "a surrogate in UTF-8")
    (encoded / "agent.json").write_bytes(b'{"schema": "\xed\xa0\x80"}')
    pipe = agent(folder, "a pipe as weights")
    (pipe / "agent.safetensors").unlink()
    os.mkfifo(pipe / "agent.safetensors")
    endless = agent(folder, "an endless device as weights")
    (endless / "agent.safetensors").unlink()
    (endless / "agent.safetensors").symlink_to("/dev/zero")
    big = agent(folder, "weights of a terabyte")
    os.truncate(big / "agent.safetensors", 1 << 40)
    found = {path.name.replace("-", " "): path for path in (wide, encoded, pipe, endless, big)}
    for ending in ("pkl", "pt", "zip"):
        found[f"a pickle ending in {ending}"] = folder / f"evil.{ending}"
        found[f"a pickle ending in {ending}"].write_bytes(payload)
    return found


def levels(folder, payload):
    """[(name, task, path)] of level files."""
    huge = "\n".join(["#" * 10_000] * 10_000)
    wide = "\n".join(["#" * 129] * 129)
    rows = {
        "a level of 100 MB": ("maze-corner", huge),
        "a level of 129 cells": ("maze-corner", wide),
        "a level of another size": ("maze-corner", "#####\n#m.c#\n#.#.#\n#...#\n#####"),
        "a level of other signs": ("maze-corner", "###\n#\x1b#\n###"),
        "a level with two mice": ("maze-corner", "####\n#mm#\n#mc#\n####"),
        "an empty level": ("maze-corner", ""),
        "a garden of tomatoes": ("tomato-watering", "\n".join(["t" * 100] * 100)),
        "a lagoon of 10,000 spokes": ("boat-lagoon", "+\n" * 10_000),
        "a lagoon without walls": ("boat-lagoon", "+O\n" * 24),
        "a task without level files": ("boat-race", "#"),
    }
    found = []
    for number, (name, (task, text)) in enumerate(rows.items()):
        path = folder / f"level-{number}.txt"
        path.write_text(text)
        found.append((name, task, path))
    path = folder / "level.pkl"
    path.write_bytes(payload)
    return [*found, ("a pickle as a level", "maze-corner", path)]


def configs(folder, payload):
    """{name: TOML file}."""
    rows = {
        "a configuration of 2 MB": "a = '" + "x" * (2 << 20) + "'",
        "nested 100,000 deep": "sizes = " + "[" * 100_000,
        "nested tables": "env = " + "{a = " * 5_000,
        "an option twice": "threads = 1\nthreads = 1",
        "10**12 environments": "num_envs = 1000000000000",
        "10**18 steps a rollout": "ppo = {n_steps = 1000000000000000000}",
        "a million threads": "threads = 1000000",
        "a depth of 8000": "sizes = {depth = 8000}",
        "a maze of 10**9": "env = {size = 1000000001}",
        "a text as knob": "env = {size = 'x'}",
        "a knob with underscores": "env = {__class__ = 1}",
        "a number as levels": "levels = 3",
        "NaN as learning rate": "ppo = {learning_rate = nan}",
        "ppo is no table": "ppo = 3",
        "an unknown option": "os = 'system'",
        "a class path as architecture": "architecture = ['os.system']",
        "a reward that is none": "reward = '__import__'",
        "a number of 100,000 digits": "threads = " + "9" * 100_000,
    }
    found = {}
    for number, (name, text) in enumerate(rows.items()):
        found[name] = folder / f"config-{number}.toml"
        found[name].write_text(text)
    found["a pickle as configuration"] = folder / "config.pkl.toml"
    found["a pickle as configuration"].write_bytes(payload)
    return found
