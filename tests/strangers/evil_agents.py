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
    good = weights()
    one = {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}
    raws = {
        "a pickle as weights": payload,
        "an overlong header": struct.pack("<Q", 1 << 40) + b"{}",
        "a header of 2**64 - 1": b"\xff" * 8 + b"{}",
        "a header of 2 MB": header(b" " * (2 << 20)),
        "a deeply nested header": header(b"[" * 100_000),
        "truncated weights": serialise(good)[:-9],
        "no weights at all": b"",
        "a huge shape": header({"w": one | {"shape": [1 << 40, 1 << 40]}}, b"\0" * 4),
        "negative offsets": header({"w": one | {"data_offsets": [-4, 0]}}, b"\0" * 4),
        "overlapping tensors": header({"a": one, "b": one}, b"\0" * 4),
        "offsets that are no numbers": header({"a": one | {"data_offsets": "04"}}, b"\0" * 4),
        "a tensor twice": header(b'{"a":{"dtype":"F32"},"a":{"dtype":"F32"}}'),
        "bfloat16 weights": header({"w": one | {"dtype": "BF16", "shape": [2]}}, b"\0" * 4),
    }
    nan = {**good, "policy_head.bias": np.full(4, np.nan, np.float32)}
    infinite = {**good, "policy_head.bias": np.full(4, np.inf, np.float32)}
    tensors = {
        "NaN in weights": nan,
        "infinity in weights": infinite,
        "another shape": good | {"policy_head.bias": np.zeros(5, np.float32)},
        "float64 in weights": good | {"policy_head.bias": np.zeros(4)},
        "a tensor too many": good | {"backdoor": np.zeros(1, np.float32)},
    }
    found = {name: agent(folder, name, raw=raw) for name, raw in raws.items()}
    found |= {name: agent(folder, name, tensors=value) for name, value in tensors.items()}
    return found | fields(folder) | texts(folder) | odd_files(folder, payload)


def fields(folder):
    records = {
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
        "JSON of nothing": "",
        "another schema": sound.replace("agent/1", "agent/\\u001b[2J"),
    }
    return {name: text_agent(folder, name, text) for name, text in rows.items()}


def odd_files(folder, payload):
    pipe = agent(folder, "a pipe as weights")
    (pipe / "agent.safetensors").unlink()
    os.mkfifo(pipe / "agent.safetensors")
    endless = agent(folder, "an endless device as weights")
    (endless / "agent.safetensors").unlink()
    (endless / "agent.safetensors").symlink_to("/dev/zero")
    big = agent(folder, "weights of a terabyte")
    os.truncate(big / "agent.safetensors", 1 << 40)
    found = {path.name.replace("-", " "): path for path in (pipe, endless, big)}
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
