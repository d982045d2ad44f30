"""The targets, and by how much each is met or missed."""

AIMS = (
    ("macro AUROC", "auroc", 0.95),
    ("worst task", "worst_task_auroc", 0.85),
    ("hardest negative class", "hardest_class_auroc", 0.85),
    ("hardest class on one task", "worst_cell_auroc", 0.85),
)
"""(what, column of the leaderboard, least value)."""

LOGS_ONLY = (("macro AUROC from logs only", "auroc", 0.85),)

SECONDS = 2.0


def target_rows(made, settings):
    """A row a target, for the detectors that were frozen beforehand.

    Args:
        made: {name: rows} of ``run.bench_detectors``.
        settings: of ``freeze.frozen``, or None: then there are no rows.
    """
    if not settings:
        return []
    board = {row["detector"]: row for row in made["detectors"]}
    rows = []
    for role, name in settings["chosen"].items():
        mine = board[name]
        for what, column, aim in LOGS_ONLY if role == "logs only" else AIMS:
            rows.append(_row(role, name, what, mine[column], aim, mine[column] - aim))
        if role == "logs only":
            continue
        seconds = mine["seconds"]
        rows.append(_row(role, name, "seconds a suspect", seconds, SECONDS, SECONDS - seconds))
        rows += [_false_alarms(role, name, row) for row in made["flags"] if _is_fresh(row, name)]
    return rows


def _is_fresh(row, detector):
    return row["detector"] == detector and row["kind"] == "fresh"


def _false_alarms(role, name, row):
    what = f"false alarms among {row['policies']} fresh, {row['task']}"
    high, low, count = row["band_high"], row["band_low"], row["flagged"]
    return _row(role, name, what, count, high, min(high - count, count - low))


def _row(role, detector, target, value, aim, margin):
    return {
        "role": role,
        "detector": detector,
        "target": target,
        "value": float(value),
        "aim": float(aim),
        "margin": float(margin),
        "outcome": "met" if margin >= 0 else "missed",
    }
