"""Results on disk that are made again only when what they depend on has changed."""

import ast
import hashlib
import importlib.util
import json
from dataclasses import fields, is_dataclass
from functools import lru_cache
from pathlib import Path

from proxylab import store

PURE = ("detection", "statistics", "episodes", "metrics", "seeds")
"""Parts of the package that a score may depend on."""


def kept(path, facts, make):
    """What ``make()`` gives (JSON), read from ``path`` where it was made under the same facts.

    Args:
        path: of a JSON file.
        facts: JSON of all that the result depends on.
        make: function () -> JSON.
    """
    key = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
    try:
        record = json.loads(Path(path).read_text())
        if record["key"] == key:
            return record["made"]
    except (OSError, ValueError, KeyError, TypeError):
        pass  # missing or damaged: made anew
    made = make()
    store.write_json(path, {"key": key, "made": made})
    return json.loads(json.dumps(made))


def detector_digest(detector):
    """Hash of a detector's settings, of the sources behind it and of the files that it reads."""
    digest = hashlib.sha256()
    for part in _parts(detector):
        digest.update(repr(part).encode() if is_dataclass(part) else type(part).__name__.encode())
        for file in sorted(_sources(type(part).__module__)):
            digest.update(Path(file).name.encode() + b"\0" + Path(file).read_bytes())
        for value in vars(part).values() if hasattr(part, "__dict__") else ():
            if isinstance(value, Path) and value.is_file():
                digest.update(value.read_bytes())
    return digest.hexdigest()


def _parts(detector):
    """The detector and the detectors among its fields."""
    yield detector
    for field in fields(detector) if is_dataclass(detector) else ():
        value = getattr(detector, field.name)
        for item in value if isinstance(value, tuple) else ():
            if is_dataclass(item):
                yield from _parts(item)


@lru_cache(maxsize=64)
def _sources(module):
    """Files of a module and of what it imports of the pure parts of the package: frozenset."""
    found, waiting = {}, [module]
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        found[name] = _file_of(name)
        if found[name]:
            waiting += _imported(found[name])
    return frozenset(file for file in found.values() if file)


def _file_of(module):
    import sys

    loaded = getattr(sys.modules.get(module), "__file__", None)
    if loaded:
        return loaded
    try:
        spec = importlib.util.find_spec(module)
    except (ImportError, ValueError):
        return None
    return spec.origin if spec and spec.has_location else None


def _imported(file):
    """Modules of the pure parts that a file imports."""
    names = []
    for node in ast.walk(ast.parse(Path(file).read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            names.append(node.module)
        elif isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
    return [n for n in names if n.startswith("proxylab.") and n.split(".")[1] in PURE]
