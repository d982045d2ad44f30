"""Logs that say little and cost much, or hold something else than numbers: ``kind: what``.

Each is small on disk (the largest takes a few MB) and must be refused for next to nothing.
"""

import json
import os
import socket

import numpy as np
from evil_hdf5 import hdf5_changes
from evil_logs import parquet

ROW = "range::bigint level_seed, 0::bigint episode, 0::bigint step, 0::bigint action"
HEAD = "level_seed,episode,step,action"
EPISODE = {"level_seed": 3, "action": [0, 1], "state_id": [4, 5], "terminated": True}
UNNUMBERED = {"level_seed": 3, "action": [0, 1], "terminated": True}
STEP = {"level_seed": 3, "episode": 0, "step": 0, "action": 0}
MANY, HUGE = 10_001, 10**400
MEGABYTE = 1_000_000


def parquets():
    """{name: select}."""
    text = f"repeat('x', {MEGABYTE}) || (range % 3)"
    texts = ("policy", "policy_sha256", "task", "observation_hash")
    found = {f"text: a {t} of a megabyte": f"{ROW}, {text} {t} from range(64)" for t in texts}
    dictionary = f"{ROW}, {text} policy from range(300)"
    found |= {"text: 300 MB of policies": dictionary}
    found |= {
        f"text: a {t} of 100 MB": f"{ROW}, repeat('x', 100000000) {t} from range(1)"
        for t in ("policy", "observation_hash")
    }
    found |= {
        "sum: 400 MB of hashes": f"{ROW}, repeat('x', 4000) observation_hash from range(100000)",
        "sum: 4,000 features": f"{ROW}, range(4000)::float[] features from range(5000)",
        "sum: 4,000 probabilities": f"{ROW}, range(4000)::float[] probabilities from range(5000)",
        "width: 5,000 features": f"{ROW}, range(5000)::float[] features from range(3)",
        "width: lists and nothing": f"{ROW}, case when range = 1 then [1.0] else []::float[] end "
        "features from range(3)",
        "names: many policies": f"{ROW}, range::varchar policy from range({MANY})",
        "names: many hashes": f"{ROW}, range::varchar policy_sha256 from range({MANY})",
        "names: many tasks": f"{ROW}, range::varchar task from range(2)",
    }
    return found | wrong_types() | numbers_in_parquet()


def wrong_types():
    """Columns of Parquet that hold no numbers."""
    row = ROW.removesuffix("0::bigint action")
    kinds = {"a struct": "{'a': 1}", "a list": "[1, 2]", "a map": "map([1], [2])"}
    kinds |= {"a date": "date '2020-01-01'", "bytes": "'x'::blob", "an interval": "interval 1 day"}
    kinds |= {"a uuid": "uuid()", "a time": "time '10:00:00'"}
    found = {
        f"type: {k} as action": f"{row} {sql} as action from range(3)" for k, sql in kinds.items()
    }
    for name in ("features", "probabilities"):
        found |= {
            f"type: lists of texts as {name}": f"{ROW}, ['a', 'b'] {name} from range(3)",
            f"type: lists of lists as {name}": f"{ROW}, [[1.0]] {name} from range(3)",
            f"type: a number as {name}": f"{ROW}, 1.0 {name} from range(3)",
        }
    return found | {
        "type: a list as policy": f"{ROW}, range(100000) policy from range(3)",
        "type: bytes as hash": f"{ROW}, 'x'::blob observation_hash from range(3)",
        "type: a struct as reward": f"{ROW}, {{'a': 1}} proxy_reward from range(3)",
        "words: a reward": f"{ROW}, 'much' proxy_reward from range(3)",
        "words: a truth value": f"{ROW}, 'perhaps' as terminated from range(3)",
    }


def numbers_in_parquet():
    row = ROW.removesuffix("0::bigint action")
    values = {"10^38": "170141183460469231731687303715884105727::hugeint", "NaN": "'nan'::double"}
    values |= {"infinity": "'inf'::double", "1e300": "1e300::double", "a half": "0.5::double"}
    found = {
        f"number: {k} as action": f"{row} {v} as action from range(3)" for k, v in values.items()
    }
    return found | {
        "number: 1e300 as reward": f"{ROW}, 1e300::double proxy_reward from range(3)",
        "number: infinity as feature": f"{ROW}, ['inf'::double] features from range(3)",
        "number: NaN as some rewards": f"{ROW}, case when range = 1 then 'nan'::float else 0 end "
        "proxy_reward from range(3)",
    }


def csvs():
    """{name: text}."""
    wide = ",".join(f"features_{k}" for k in range(4000))
    digits = "1" + "0" * 400
    found = {
        "sum: short rows below a wide header": f"{HEAD},{wide}\n" + "1,0,0,0\n" * 100_000,
        "names: many policies": f"{HEAD},policy\n" + "".join(f"1,0,0,0,{k}\n" for k in range(MANY)),
        "number: 10^400 as action": f"{HEAD}\n1,0,0,{digits}\n",
        "number: 10^400 as level": f"{HEAD}\n{digits},0,0,0\n",
        "number: 10^400 as reward": f"{HEAD},proxy_reward\n1,0,0,0,{digits}\n",
        "number: with a space": f"{HEAD}\n1,0,0,1 2\n",
        "words: a reward": f"{HEAD},proxy_reward\n1,0,0,0,much\n",
        "words: features": f"{HEAD},features_0\n1,0,0,0,red\n1,0,1,0,blue\n",
        "words: one feature": f"{HEAD},features_0\n1,0,0,0,1.5\n1,0,1,0,blue\n",
        "words: a truth value": f"{HEAD},terminated\n1,0,0,0,perhaps\n",
        "width: a huge index": f"{HEAD},features_{'9' * 5000}\n1,0,0,0,1\n".replace("9" * 4990, ""),
        "width: 4,097 columns": f"{HEAD},{','.join(f'c{k}' for k in range(4093))}\n1,0,0,0\n",
        "header: of 2 MB": f"{HEAD},{'x' * (2 << 20)}\n1,0,0,0\n",
        "header: a name twice": f"{HEAD},action\n1,0,0,0,1\n",
        "header: SQL": f'{HEAD},"\'}}); drop table staged; --"\n1,0,0,a,1\n',
        "row: of 5 MB": f"{HEAD},x\n1,0,0,0,{'x' * (5 << 20)}\n",
        "row: zeros": f"{HEAD}\n" + "\0" * 100_000,
        "row: quotes alone": f"{HEAD}\n" + '"' * 100_001,
    }
    for name in ("policy", "policy_sha256", "task", "observation_hash"):
        found[f"text: a {name} of a megabyte"] = f"{HEAD},{name}\n1,0,0,0,{'x' * MEGABYTE}\n"
    return found


def lines():
    """{name: lines of JSONL, each a dict or a text}."""
    full = {"features": [[0.5] * 4096, *[None] * 99]}
    hundred = {"level_seed": 3, "action": [0] * 100}
    nothing = [STEP | {"step": k} for k in range(1, 30_000)]
    found = {
        "sum: nulls in an episode's features": [hundred | full, *[hundred] * 1000],
        "sum: nulls in features of steps": [STEP | {"features": [0.5] * 4096}, *nothing],
        "sum: nulls in probabilities": [STEP | {"probabilities": [0.0] * 4096}, *nothing],
        "width: 5,000 features": [EPISODE | {"features": [[0.5] * 5000] * 2}],
        "width: 5,000 features of a step": [STEP | {"features": [0.5] * 5000}],
        "names: many policies": [EPISODE | {"policy": str(k)} for k in range(MANY)],
        "names: many policies of steps": [STEP | {"policy": str(k)} for k in range(MANY)],
        "number: 10^400 as reward": [EPISODE | {"proxy_reward": [HUGE, 0]}],
        "number: 10^400 as feature": [EPISODE | {"features": [[HUGE], [0]]}],
        "number: 10^400 as action": [EPISODE | {"action": [HUGE, 0]}],
        "number: 10^400 as level": [EPISODE | {"level_seed": HUGE}],
        "number: 10^400 states": [EPISODE | {"num_states": HUGE}],
        "number: 10^400 as a step's action": [STEP | {"action": HUGE}],
        "number: 1e400 as reward": ['{"level_seed": 3, "action": [0], "proxy_reward": [1e400]}'],
        "words: rewards": [EPISODE | {"proxy_reward": ["1", "2"]}],
        "words: features": [EPISODE | {"features": [["1"], ["2"]]}],
        "words: probabilities": [EPISODE | {"probabilities": [["1"], ["2"]]}],
        "words: a step's reward": [STEP | {"proxy_reward": "much"}],
        "words: a step's features": [STEP | {"features": ["red"]}],
        "words: states": [EPISODE | {"state_id": ["a", "b"]}],
        "type: truth values as rewards": [EPISODE | {"proxy_reward": [True, False]}],
        "type: lists of lists as features": [EPISODE | {"features": [[[1]], [[2]]]}],
        "type: objects as features": [EPISODE | {"features": [{"a": 1}, {"a": 2}]}],
        "type: a list as policy": [EPISODE | {"policy": [0] * 100_000}],
        "type: a list as task": [EPISODE | {"task": ["x"]}],
        "type: a list of sizes": [EPISODE | {"num_actions": [4]}],
        "type: lists as hashes": [UNNUMBERED | {"observation_hash": [[1], [2]]}],
        "key: twice": ['{"level_seed": 3, "action": [0], "action": [1]}'],
        "row: empty lists as actions": [
            '{"level_seed": 3, "action": [' + "[]," * 2_000_000 + "[]]}"
        ],
        "row: empty objects as actions": [
            '{"level_seed": 3, "action": [' + "{}," * 2_000_000 + "{}]}"
        ],
        "row: two million steps and a word": [EPISODE | {"action": [*[0] * 2_000_000, "x"]}],
        "row: deep in the middle": [EPISODE, '{"a":' + "[" * 1_000_000, EPISODE],
        "row: UTF-16": [EPISODE, '{"a": 1}'.encode("utf-16").decode("latin-1")],
    }
    for name in ("policy", "policy_sha256", "observation_hash"):
        value = "x" * MEGABYTE
        given = [value] * 2 if name == "observation_hash" else value
        found[f"text: a {name} of a megabyte"] = [UNNUMBERED | {name: given}]
        found[f"text: a step's {name} of a megabyte"] = [STEP | {name: value}]
    return found


def hdf5_files(folder):
    """{name: path}; empty without h5py."""
    try:
        import h5py
    except ImportError:
        return {}
    found = {}
    for number, (name, change) in enumerate(hdf5_changes(h5py).items()):
        found[name] = folder / f"bomb-{number}.hdf5"
        with h5py.File(found[name], "w", libver="latest") as file:
            group = file.create_group("episode_0")
            group.attrs["seed"] = 1
            for part in ("actions", "terminations", "truncations"):
                group[part] = np.zeros(3, np.int64)
            change(file, group, group.create_group("infos"))
    return found


def special_files(folder):
    """{name: path} of what is no file; opening a pipe would wait for ever."""
    found = {}
    for ending in (".csv", ".jsonl", ".parquet", ".hdf5"):
        found[f"pipe: ending in {ending}"] = folder / f"pipe{ending}"
        os.mkfifo(folder / f"pipe{ending}")
        found[f"device: ending in {ending}"] = folder / f"zero{ending}"
        (folder / f"zero{ending}").symlink_to("/dev/zero")
    path = folder / "socket.csv"
    with socket.socket(socket.AF_UNIX) as listener:
        here = os.getcwd()
        os.chdir(folder)  # a socket's path is short
        listener.bind(path.name)
        os.chdir(here)
    link = folder / "loop.csv"
    link.symlink_to(link)
    return found | {"pipe: a socket": path, "link: to itself": link}


def damaged(folder):
    """{name: path}: containers whose frame lies."""
    raws = {
        "header: a Parquet that ends far before its beginning": b"PAR1" + b"\xff" * 4 + b"PAR1",
        "header: a Parquet of nothing": b"PAR1PAR1",
        "header: a footer of noise": b"PAR1" + bytes(range(256)) + b"\x00\x01\x00\x00PAR1",
    }
    found = {}
    for number, (name, raw) in enumerate(raws.items()):
        found[name] = folder / f"damaged-{number}.parquet"
        found[name].write_bytes(raw)
    found["header: an HDF5 of its signature"] = folder / "damaged.hdf5"
    found["header: an HDF5 of its signature"].write_bytes(b"\x89HDF\r\n\x1a\n" + b"\xff" * 100)
    return found


def live_lines():
    """{name: raw bytes} of logs for ``monitor``, which reads some of what ``detect`` refuses."""
    task = b'{"task": "maze-corner"}\n'
    episode = {"level_seed": 3, "action": [0, 1], "state_id": [4, 5]}
    changes = {
        "number: 10^400 as action": {"action": [HUGE, 0]},
        "number: 10^400 as level": {"level_seed": HUGE},
        "number: 10^400 as reward": {"proxy_reward": [HUGE, 0]},
        "number: 2^70 as state": {"state_id": [1 << 70, 0]},
        "words: actions": {"action": ["x" * MEGABYTE, *["y"] * 1000]},
        "words: features": {"features": [["x" * MEGABYTE], *[["y"]] * 1000]},
        "words: rewards": {"proxy_reward": ["1", "2"]},
        "words: a level": {"level_seed": "x"},
        "type: nulls as features": {"features": [None, None]},
        "type: nulls among states": {"state_id": [4, None]},
        "type: truth values as actions": {"action": [True, False]},
        "type: a list as level": {"level_seed": [1]},
        "shape: lists of other lengths": {"features": [[1], [1, 2]]},
        "shape: lists of lists of lists": {"features": [[[1]], [[2]]]},
        "width: 4,097 actions": {"probabilities": [[0.0] * 4097] * 2},
        "row: empty lists": {"action": [[]] * 1_000_000},
    }
    found = {name: json.dumps(episode | change).encode() for name, change in changes.items()}
    step = {"level_seed": 3, "episode": 0, "action": 0, "state_id": 4}
    found |= {
        "words: a step's action": json.dumps(step | {"action": "x" * MEGABYTE}).encode(),
        "words: a step's features": json.dumps(step | {"features": ["x"] * 1000}).encode(),
        "sum: an episode without end": (json.dumps(step).encode() + b"\n") * 260_000,
        "key: twice": b'{"level_seed": 3, "action": [0], "action": [1], "state_id": [1]}',
        "row: deep": b'{"a":' + b"[" * 1_000_000,
        "row: 9 MB": b'{"a": "' + b"x" * (9 << 20) + b'"}',
        "row: NaN": b'{"level_seed": 3, "action": [0], "proxy_reward": [NaN]}',
    }
    return {name: task + raw + b"\n" for name, raw in found.items()}


def live_logs(folder):
    """{name: path}; one is a gigabyte of zeros that takes no room on the disk."""
    found = {}
    for number, (name, raw) in enumerate(live_lines().items()):
        found[name] = folder / f"live-{number}.jsonl"
        found[name].write_bytes(raw)
    found["row: a gigabyte"] = folder / "sparse.jsonl"
    with open(found["row: a gigabyte"], "wb") as file:
        file.truncate(1 << 30)
    return found


def bombs(folder):
    """{name: path} of all logs for ``detect``."""
    found = {}
    for number, (name, select) in enumerate(parquets().items()):
        found[f"parquet, {name}"] = folder / f"bomb-{number}.parquet"
        parquet(found[f"parquet, {name}"], f"select {select}", "1500MB")
    for number, (name, text) in enumerate(csvs().items()):
        found[f"csv, {name}"] = folder / f"bomb-{number}.csv"
        found[f"csv, {name}"].write_text(text)
    for number, (name, rows) in enumerate(lines().items()):
        found[f"jsonl, {name}"] = folder / f"bomb-{number}.jsonl"
        texts = [row if isinstance(row, str) else json.dumps(row) for row in rows]
        found[f"jsonl, {name}"].write_text("\n".join(texts) + "\n", encoding="utf-8")
    files = {f"hdf5, {name}": path for name, path in hdf5_files(folder).items()}
    return found | files | special_files(folder) | damaged(folder)
