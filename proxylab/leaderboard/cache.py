"""Results on disk that are made again only when what they depend on has changed."""

import hashlib
import json
from dataclasses import fields, is_dataclass
from pathlib import Path

from proxylab.storage import store
from proxylab.storage.sources import source_digest


def cached(path, facts, make):
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
        digest.update(source_digest(type(part).__module__).encode())
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
