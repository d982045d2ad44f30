"""What was fixed before the test policies were scored: the chosen detectors and all settings.

``python -m proxylab.leaderboard.choose`` chooses on the development policies and writes
``frozen.json``; a test fails when settings no longer are what is written there.
"""

import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path

from proxylab.detection import DEFAULT_DETECTOR, SCORES, USUAL
from proxylab.detection.scores.ensemble import WEIGHTS
from proxylab.leaderboard.labels import DELTA
from proxylab.leaderboard.tables import ALPHA
from proxylab.storage.store import write_json

CANDIDATES = (*USUAL, "ensemble")
"""Those that score a suspect in well under the two seconds that are allowed."""

FROZEN = Path(__file__).with_name("frozen.json")
SCHEMA = "proxylab.leaderboard-frozen/1"


def frozen():
    """The frozen settings, or None where nothing has been frozen."""
    return json.loads(FROZEN.read_text()) if FROZEN.is_file() else None


def settings_now():
    """What the code at hand would freeze: settings of every detector, rule, weights."""
    return {
        "detectors": {name: _settings(score) for name, score in SCORES.items()},
        "ensemble": hashlib.sha256(WEIGHTS.read_bytes()).hexdigest(),
        "delta": DELTA,
        "alpha": ALPHA,
    }


def _settings(score):
    shown = repr(score).replace(repr(WEIGHTS), WEIGHTS.name)  # the same in every checkout
    return shown if len(shown) < 200 else f"{type(score).__name__}: " + _sha(shown)


def _sha(text):
    return hashlib.sha256(text.encode()).hexdigest()


def digest(record):
    """Hash of a record without its own ``sha256``."""
    body = {name: value for name, value in record.items() if name != "sha256"}
    return _sha(json.dumps(body, sort_keys=True))


def choose(rows, accesses):
    """The detector whose worst cell (task and negative class) is best; ties by the macro AUROC.

    Among those still tied the one that is named first in the table of detectors.

    Args:
        rows: the leaderboard on development policies.
        accesses: access codes allowed.
    """
    tasks = max(row["tasks"] for row in rows)
    order = list(SCORES)
    able = [r for r in rows if r["tasks"] == tasks and r["access"] in accesses]
    best = max(
        able,
        key=lambda r: (r["worst_cell_auroc"], r["auroc"], -order.index(r["detector"])),
    )
    return best["detector"]


def freeze(rows):
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
