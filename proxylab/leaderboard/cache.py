"""Results on disk, computed again only after a change of their dependencies."""

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

from proxylab.detection.scores.registry import Score
from proxylab.storage import store
from proxylab.storage.sources import source_digest


def cached(path: Path, facts: Sequence[Any], make: Callable[[], Any]) -> Any:
    """The JSON that ``make()`` returns, read from ``path`` if it was made from the same facts.

    Args:
        path: path of a JSON file.
        facts: JSON of everything the result depends on.
        make: function () -> JSON.
    """
    key = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
    try:
        record = json.loads(Path(path).read_text())
        if record["key"] == key:
            return record["made"]
    except (OSError, ValueError, KeyError, TypeError):
        pass  # missing or damaged: computed again
    result = make()
    store.write_json(path, {"key": key, "made": result})
    return json.loads(json.dumps(result))


def detector_digest(detector: Score) -> str:
    """Hash of a detector's settings, its source files and the data files that it reads."""
    digest = hashlib.sha256()
    for part in _parts(detector):
        digest.update(repr(part).encode() if is_dataclass(part) else type(part).__name__.encode())
        digest.update(source_digest(type(part).__module__).encode())
        for value in vars(part).values() if hasattr(part, "__dict__") else ():
            if isinstance(value, Path) and value.is_file():
                digest.update(value.read_bytes())
    return digest.hexdigest()


def _parts(detector: Any) -> Iterator[Any]:
    """The detector and, recursively, the dataclasses in its tuples."""
    yield detector
    for field in fields(detector) if is_dataclass(detector) else ():
        value = getattr(detector, field.name)
        for item in value if isinstance(value, tuple) else ():
            if is_dataclass(item):
                yield from _parts(item)
