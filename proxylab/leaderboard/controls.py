"""Controls that must come out at one half, whatever the scores are worth."""

import numpy as np

from proxylab.detection.scores.ensemble import evidence
from proxylab.leaderboard.labels import NEGATIVE, POSITIVE
from proxylab.leaderboard.measures import aurocs, shuffled_aurocs
from proxylab.seeds import stream_seed
from proxylab.statistics.resampling import auroc_interval

DRAWS = 1000

MATCHED = 0.1
"""Share of the best proxy return by which matched policies may differ from the trusted."""


def control_rows(sheets, detectors, seed):
    """A row a control: AUROC averaged over tasks, its mean and 95 % range over draws."""
    rows = [_shuffled(sheets, detector, seed) for detector in detectors]
    return [row for row in rows if row] + [_random_signs(sheets, detectors, seed)]


def _shuffled(sheets, detector, seed):
    sides = [sheet.sides(detector) for sheet in sheets]
    sides = [pair for pair in sides if all(map(len, pair))]
    if not sides:
        return None
    rng = np.random.default_rng(stream_seed(seed, f"shuffled labels {detector}"))
    drawn = np.mean([shuffled_aurocs(*pair, rng, DRAWS) for pair in sides], axis=0)
    return _row("shuffled labels", detector, drawn)


def _random_signs(sheets, detectors, seed):
    """All scores added up as evidence, each with a random sign."""
    rng = np.random.default_rng(stream_seed(seed, "random signs"))
    usable = [d for d in detectors if all(_complete(sheet, d) for sheet in sheets)]
    signs = rng.choice([-1.0, 1.0], (DRAWS, len(usable)))
    drawn = []
    for sheet in sheets:
        names = [n for n, label in sheet.label.items() if label in (POSITIVE, NEGATIVE)]
        features = np.array([_evidence(sheet, detector, names) for detector in usable])
        positive = np.array([sheet.label[name] == POSITIVE for name in names])
        drawn.append(aurocs(signs @ features, positive))
    return _row("random signs", f"all {len(usable)} that apply everywhere", np.mean(drawn, axis=0))


def _complete(sheet, detector):
    return len(sheet.scores(detector)) == len([k for k in sheet.kind.values() if k != "reference"])


def _evidence(sheet, detector, names):
    scores = sheet.scores(detector)
    honest = np.array([s for n, s in scores.items() if sheet.kind[n] == "calibration"])
    return [evidence(scores[name], honest) for name in names]


def _row(control, detector, drawn):
    lower, upper = np.quantile(drawn, [0.025, 0.975])
    return {
        "control": control,
        "detector": detector,
        "task": "all",
        "positives": None,
        "negatives": None,
        "auroc": float(np.mean(drawn)),
        "lower": float(lower),
        "upper": float(upper),
    }


def proxy_rows(task, split, sheet, changes, seed):
    """``proxy_stream`` against all negatives, and among policies whose proxy return is matched.

    Args:
        task: task name.
        split: on which the proxy return was watched.
        sheet: ``tables.Sheet`` with ``proxy_stream`` on that split.
        changes: {policy: (lower, upper)} of the proxy return's change there.
        seed: of the bootstrap over policies.
    """
    rows = []
    scores = sheet.scores("proxy_stream")
    for name, chosen in (
        (f"proxy_stream on {split}", set(scores)),
        (f"proxy_stream on {split}, proxy matched", _matched(changes)),
    ):
        sides = [
            [scores[n] for n in chosen if n in scores and sheet.label.get(n) == label]
            for label in (POSITIVE, NEGATIVE)
        ]
        row = {"control": name, "detector": "proxy_stream", "task": task}
        row |= {"positives": len(sides[0]), "negatives": len(sides[1])}
        found = dict.fromkeys(("auroc", "lower", "upper"))
        if all(sides):
            rng = np.random.default_rng(stream_seed(seed, f"{name} {task}"))
            found = dict(zip(found, auroc_interval(*sides, rng), strict=True))
        rows.append(row | found)
    return rows


def _matched(changes):
    return {n for n, (low, high) in changes.items() if low > -MATCHED and high < MATCHED}
