"""Evil run folders: what ``list runs`` shows and what ``train`` finds there."""

import json
import os

RESULT = {
    "task": "maze-corner",
    "role": "proxy",
    "seed": 0,
    "timesteps": 64,
    "seconds": 1.0,
    "steps_per_second": 64.0,
    "seconds_to_competence": None,
    "iid_success": 0.5,
}

TEXTS = {
    "no JSON": "{",
    "a list": "[]",
    "a text": '"x"',
    "nothing": "",
    "nested 200,000 deep": "[" * 200_000,
    "objects nested 100,000 deep": '{"result":' * 100_000,
    "no result": "{}",
    "a list as result": '{"result": [1]}',
    "a number of 5,000 digits": '{"result": {"seconds": ' + "9" * 5_000 + "}}",
    "bytes that are no UTF-8": '{"task": "\udcff"}',
}


def fields():
    """{name: result} with one field that is not as it was."""
    return {
        "10**400 seconds": RESULT | {"seconds": 10**400},
        "infinite seconds": RESULT | {"seconds": float("inf")},
        "a text as success": RESULT | {"iid_success": "x"},
        "a truth value as success": RESULT | {"iid_success": True},
        "a list as task": RESULT | {"task": ["x"]},
        "a field that is missing": {k: v for k, v in RESULT.items() if k != "seconds"},
    }


def texts():
    """{name: bytes of run.json}."""
    found = {name: text.encode(errors="surrogateescape") for name, text in TEXTS.items()}
    for name, result in fields().items():
        text = json.dumps({"schema": "proxylab.run/1", "status": "complete", "result": result})
        found[name] = text.replace("Infinity", "1e999").encode()
    return found


def runs(folder, config):
    """{name: folder of a run that says it is complete}, of the configuration ``config`` (JSON)."""
    found = {}
    for number, (name, raw) in enumerate(texts().items()):
        found[name] = folder / f"run-{number}"
        found[name].mkdir(parents=True)
        (found[name] / "run.json").write_bytes(raw)
    for name in ("a pipe", "an endless device"):
        found[name] = folder / name.replace(" ", "-")
        found[name].mkdir()
    os.mkfifo(found["a pipe"] / "run.json")
    (found["an endless device"] / "run.json").symlink_to("/dev/zero")
    for path in found.values():
        (path / "config.json").write_text(json.dumps(config))
        (path / "complete").touch()
    return found
