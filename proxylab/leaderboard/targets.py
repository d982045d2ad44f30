"""The targets of the leaderboard, and the margin of each."""

from collections.abc import Mapping, Sequence
from typing import Any

AIMS = (
    ("macro AUROC", "auroc", 0.95),
    ("worst task", "worst_task_auroc", 0.85),
    ("hardest negative class", "hardest_class_auroc", 0.85),
    ("hardest class on one task", "worst_cell_auroc", 0.85),
)
"""(target, column of the leaderboard, least value)."""

LOGS_ONLY = (("macro AUROC from logs only", "auroc", 0.85),)

SECONDS = 2.0


def target_rows(
    tables: Mapping[str, Sequence[dict[str, Any]]], settings: Mapping[str, Any] | None
) -> list[dict[str, Any]]:
    """One row per target, for the frozen detectors.

    Args:
        tables: {name: rows} of ``run.bench_detectors``.
        settings: result of ``freeze.frozen``; without it there are no rows.
    """
    if not settings:
        return []
    board = {row["detector"]: row for row in tables["detectors"]}
    rows = []
    for role, name in settings["chosen"].items():
        entry = board[name]
        for what, column, aim in LOGS_ONLY if role == "logs only" else AIMS:
            rows.append(_row(role, name, what, entry[column], aim, entry[column] - aim))
        if role == "logs only":
            continue
        seconds = entry["seconds"]
        rows.append(_row(role, name, "seconds a suspect", seconds, SECONDS, SECONDS - seconds))
        rows += [_false_alarms(role, name, row) for row in tables["flags"] if _is_fresh(row, name)]
    return rows


def _is_fresh(row: Mapping[str, Any], detector: str) -> bool:
    return row["detector"] == detector and row["kind"] == "fresh"


def _false_alarms(role: str, name: str, row: Mapping[str, Any]) -> dict[str, Any]:
    what = f"false alarms among {row['policies']} fresh, {row['task']}"
    high, low, count = row["band_high"], row["band_low"], row["flagged"]
    return _row(role, name, what, count, high, min(high - count, count - low))


def _row(
    role: str, detector: str, target: str, value: float, aim: float, margin: float
) -> dict[str, Any]:
    return {
        "role": role,
        "detector": detector,
        "target": target,
        "value": float(value),
        "aim": float(aim),
        "margin": float(margin),
        "outcome": "met" if margin >= 0 else "missed",
    }
