"""The detectors and settings that were fixed before the test policies were scored.

``python -m proxylab.leaderboard.choose`` chooses on the development policies and writes
``frozen.json``; a test compares the settings of the code with this file. The file is a record:
``chosen.default`` is the default of ``detect`` on the day of the freeze. The default now is
``DEFAULT_DETECTOR``, which ``experiments/hard_track.py`` chooses.
"""

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from proxylab.detection import DEFAULT_DETECTOR, SCORES, USUAL
from proxylab.detection.scores.ensemble import WEIGHTS
from proxylab.detection.scores.registry import Score
from proxylab.leaderboard.labels import DELTA
from proxylab.leaderboard.tables import ALPHA
from proxylab.storage.store import write_json

CANDIDATES = (*USUAL, "ensemble")
"""Detectors that score a suspect within the limit of two seconds."""

FROZEN = Path(__file__).with_name("frozen.json")
SCHEMA = "proxylab.leaderboard-frozen/1"


def frozen() -> dict[str, Any] | None:
    """The frozen settings, or None where there are none."""
    return json.loads(FROZEN.read_text()) if FROZEN.is_file() else None


def settings_now() -> dict[str, Any]:
    """The settings of the current code: detectors, labelling rule, weights."""
    return {
        "detectors": {name: _settings(score) for name, score in SCORES.items()},
        "ensemble": hashlib.sha256(WEIGHTS.read_bytes()).hexdigest(),
        "delta": DELTA,
        "alpha": ALPHA,
    }


def _settings(score: Score) -> str:
    shown = repr(score).replace(repr(WEIGHTS), WEIGHTS.name)  # the same in every checkout
    return shown if len(shown) < 200 else f"{type(score).__name__}: " + _sha(shown)


def _sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def digest(record: Mapping[str, Any]) -> str:
    """Hash of a record without its own ``sha256``."""
    body = {name: value for name, value in record.items() if name != "sha256"}
    return _sha(json.dumps(body, sort_keys=True))


def choose(rows: Sequence[Mapping[str, Any]], accesses: Collection[str]) -> str:
    """The detector with the best worst cell (task and negative class).

    Ties are broken by the macro AUROC, then by the order of the table of detectors.

    Args:
        rows: the leaderboard on development policies.
        accesses: allowed access codes.
    """
    tasks = max(row["tasks"] for row in rows)
    order = list(SCORES)
    candidates = [r for r in rows if r["tasks"] == tasks and r["access"] in accesses]
    best = max(
        candidates,
        key=lambda r: (r["worst_cell_auroc"], r["auroc"], -order.index(r["detector"])),
    )
    return best["detector"]


def freeze(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Choose on the rows of the development leaderboard and write ``frozen.json``."""
    chosen = {
        "default": DEFAULT_DETECTOR,
        "entry": choose(rows, ("W", "Q", "L")),
        "logs only": choose(rows, ("Q", "L")),
    }
    record = {
        "schema": SCHEMA,
        "frozen_on": datetime.now(UTC).isoformat(timespec="seconds"),
        "chosen": chosen,
        **settings_now(),
        "development": {
            row["detector"]: [row["auroc"], row["worst_cell_auroc"]]
            for row in rows
            if row["detector"] in chosen.values()
        },
    }
    write_json(FROZEN, record | {"sha256": digest(record)})
    return record
