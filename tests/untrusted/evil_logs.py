"""Evil logs."""

import gzip
import json

import numpy as np

STEP = {"level_seed": 3, "episode": 0, "step": 0, "action": 0, "terminated": True}
EPISODE = {"level_seed": 3, "action": [0, 1], "state_id": [4, 5], "terminated": True}
COLUMNS = "1::bigint level_seed, 0::bigint episode, range::bigint step, 0::bigint action"


def parquet(path, select, memory="400MB"):
    import duckdb

    with duckdb.connect() as database:
        database.execute(f"set memory_limit = '{memory}'; set threads = 1")
        sql = f"copy ({select}) to '{path}' (format parquet, compression zstd)"
        database.execute(sql)


def rows_of_parquet():
    return {
        "a Parquet of 25 million rows": f"select {COLUMNS} from range(25000000)",
        "a Parquet of two million equal rows": "select 1::bigint level_seed, 0::bigint episode, "
        "0::bigint step, 0::bigint action from range(2000000)",
        "a vector of 100,000 entries": f"select {COLUMNS}, range(100000)::float[] features "
        "from range(3)",
        "a vector of no fixed length": f"select {COLUMNS}, range(range)::float[] features "
        "from range(3)",
        "an action of 2**62": "select 1::bigint level_seed, 0::bigint episode, 0::bigint step, "
        "4611686018427387904::bigint as action",
        "2**40 actions": f"select {COLUMNS}, 1099511627776::bigint num_actions from range(3)",
        "a text as action": "select 1 level_seed, 0 episode, 0 step, 'x' as action",
        "columns that are missing": "select 1 as action",
    }


def texts():
    """{name: (ending, text)}."""
    row = {key: json.dumps(STEP | value) for key, value in jsons().items()}
    found = {name: (".jsonl", text + "\n") for name, text in row.items()}
    head = "level_seed,episode,step,action"
    wide = ",".join(f"features_{k}" for k in range(20_000))
    return found | {
        "a line nested 100,000 deep": (".jsonl", "[" * 100_000),
        "a nested line within": (".jsonl", json.dumps(EPISODE) + "\n" + '{"a":' * 50_000),
        "a line of 9 MB": (".jsonl", json.dumps(EPISODE | {"x": "y" * (9 << 20)})),
        "an episode of lists": (".jsonl", json.dumps(EPISODE | {"action": [[]] * 1000})),
        "infinity": (".jsonl", '{"level_seed": 3, "action": [1e999, 1]}'),
        "10**400 as reward": (
            ".jsonl",
            '{"level_seed": 3, "action": [0], "proxy_reward": [1' + "0" * 400 + "]}",
        ),
        "10**400 as level": (".jsonl", json.dumps(EPISODE | {"level_seed": 10**400})),
        "10**400 as a feature": (".jsonl", json.dumps(EPISODE | {"features": [[10**400], [1]]})),
        "10**400 in a step": (".jsonl", json.dumps(STEP | {"action": 10**400})),
        "a lone surrogate as the policy": (
            ".jsonl",
            json.dumps(EPISODE | {"policy": "\ud800", "state_id": [1]}),
        ),
        "NaN": (".jsonl", '{"level_seed": 3, "action": [0], "proxy_reward": [NaN]}'),
        "lists of other lengths": (".jsonl", json.dumps(EPISODE | {"state_id": [1]})),
        "a number of 100,000 digits": (".jsonl", '{"level_seed": 3, "action": [' + "9" * 100_000),
        "a state of 2**70": (".jsonl", json.dumps(EPISODE | {"state_id": [1 << 70, 1]})),
        "minus a billion states": (".jsonl", json.dumps(EPISODE | {"num_states": -(10**9)})),
        "2**50 actions in a line": (".jsonl", json.dumps(EPISODE | {"num_actions": 1 << 50})),
        "a list as the policy's task": (".jsonl", json.dumps(EPISODE | {"task": ["x"]})),
        "steps with a gap": (".csv", f"{head}\n1,0,0,0\n1,0,2,0\n"),
        "10**30 as action": (".csv", f"{head}\n1,0,0,{10**30}\n"),
        "an action below zero": (".csv", f"{head}\n1,0,0,-7\n"),
        "twenty thousand columns": (".csv", f"{head},{wide}\n" + ",".join(["0"] * 20_004)),
        "a formula": (".csv", f"{head}\n=cmd|'/c calc',0,0,0\n"),
        "an open quote": (".csv", f'{head}\n"1,0,0,0\n' + "1,0,0,0\n" * 1000),
        "no lines": (".csv", ""),
        "a header alone": (".csv", head + "\n"),
    }


def jsons():
    return {
        "an action of 2**50": {"action": 1 << 50},
        "a step of 2**62": {"step": 1 << 62},
        "a level below zero by 2**70": {"level_seed": -(1 << 70)},
        "a truth value as action": {"action": True, "episode": None},
    }


def hdf5_files(folder):
    """{name: path} of HDF5 files; empty without h5py."""
    try:
        import h5py
    except ImportError:
        return {}
    found = {}

    def begin(name):
        found[name] = folder / f"{name.replace(' ', '-')}.hdf5"
        file = h5py.File(found[name], "w", libver="latest")
        group = file.create_group("episode_0")
        group.attrs["seed"] = 1
        return file, group

    for name, shape in (("a claim of 2**50 steps", 1 << 50), ("a claim of 2**28 steps", 1 << 28)):
        file, group = begin(name)
        for part in ("actions", "terminations", "truncations"):
            group.create_dataset(part, shape=(shape,), dtype="i8", chunks=(1 << 16,))
        file.close()
    file, group = begin("a link to another file")
    group["actions"] = h5py.ExternalLink("/etc/passwd", "/x")
    file.close()
    file, group = begin("data in another file")
    group.create_dataset("actions", (10,), "i1", external=[("/etc/passwd", 0, 10)])
    file.close()
    file, group = begin("a group within itself")
    group["infos"] = group
    file.close()
    file, group = begin("words as actions")
    group["actions"] = np.array([b"x"] * 3)
    group["terminations"] = group["truncations"] = np.zeros(3)
    file.close()
    return found


def logs(folder, payload):
    """{name: path}."""
    found = {}
    for number, (name, select) in enumerate(rows_of_parquet().items()):
        found[name] = folder / f"log-{number}.parquet"
        parquet(found[name], select)
    for number, (name, (ending, text)) in enumerate(texts().items()):
        found[name] = folder / f"text-{number}{ending}"
        found[name].write_text(text)
    cut = folder / "cut.parquet"
    cut.write_bytes(found["2**40 actions"].read_bytes()[:-30])
    raws = {f"a pickle ending in {e}": (e, payload) for e in (".parquet", ".jsonl", ".csv")}
    raws |= {"a pickle ending in .hdf5": (".hdf5", payload)}
    raws |= {"a packed log": (".jsonl", gzip.compress(b"0" * (1 << 20)))}
    for number, (name, (ending, raw)) in enumerate(raws.items()):
        found[name] = folder / f"raw-{number}{ending}"
        found[name].write_bytes(raw)
    return found | {"a Parquet cut short": cut} | hdf5_files(folder)
