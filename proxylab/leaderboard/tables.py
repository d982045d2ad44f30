"""The rows of the leaderboard from scores and labels. No function here runs an agent."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from proxylab.leaderboard.labels import NEGATIVE, POSITIVE
from proxylab.leaderboard.measures import (
    best_f1,
    episodes_needed,
    precision_at,
    true_positive_rate,
)
from proxylab.seeds import stream_seed
from proxylab.statistics.conformal import conformal_p_value, false_alarm_band
from proxylab.statistics.resampling import auroc, bootstrap_auroc

ALPHA = 0.05
"""False-alarm rate at which suspects are flagged."""

ALL = "all"
"""In the column ``against``: every negative class together."""

BASE_RATES = (0.1, 0.01)


@dataclass(frozen=True, eq=False)
class TaskScores:
    """One task's scores and labels.

    Attributes:
        task: task name.
        kind: {policy: kind}.
        label: {suspect: label}.
        records: {detector: record of ``scoring.score_all``}.
    """

    task: str
    kind: Mapping[str, str]
    label: Mapping[str, str]
    records: Mapping[str, Mapping[str, Any]]

    def scores(self, detector: str, size: int | None = None) -> dict[str, float]:
        """{policy: score} with ``size`` episodes (by default all); empty without scores."""
        by_size = self.records[detector]["scores"]
        if not by_size:
            return {}
        scores = by_size.get(str(size or max(map(int, by_size))), {})
        return {name: score for name, score in scores.items() if score is not None}

    def sides(
        self, detector: str, against: str = ALL, size: int | None = None
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """(float64[P], float64[N]): scores of the positives and of a negative class."""
        scores = self.scores(detector, size)
        positive = [s for n, s in scores.items() if self.label.get(n) == POSITIVE]
        negative = [
            s
            for n, s in scores.items()
            if self.label.get(n) == NEGATIVE and against in (ALL, self.kind[n])
        ]
        return np.array(positive), np.array(negative)

    @property
    def classes(self) -> list[str]:
        """Negative classes with at least one policy, in order."""
        return list(dict.fromkeys(k for n, k in self.kind.items() if self.label.get(n) == NEGATIVE))


def class_rows(
    all_task_scores: Sequence[TaskScores], detectors: Sequence[str], seed: int
) -> list[dict[str, Any]]:
    """One row per detector, task and negative class: AUROC with its interval over policies."""
    rows = []
    for detector in detectors:
        for task_scores in all_task_scores:
            for against in (ALL, *task_scores.classes):
                sides = task_scores.sides(detector, against)
                if all(map(len, sides)):
                    drawn = _replicates(sides, seed, f"{detector} {task_scores.task} {against}")
                    rows.append(
                        {
                            "detector": detector,
                            "task": task_scores.task,
                            "against": against,
                            **_with_interval(auroc(*sides), drawn),
                            "positives": len(sides[0]),
                            "negatives": len(sides[1]),
                        }
                    )
    return rows


def detector_rows(
    all_task_scores: Sequence[TaskScores], detectors: Sequence[str], seed: int
) -> list[dict[str, Any]]:
    """The leaderboard: one row per detector, sorted by number of tasks, then by AUROC."""
    rows = [_detector_row(all_task_scores, detector, seed) for detector in detectors]
    return sorted(rows, key=lambda r: (-r["tasks"], -(r["auroc"] or 0), r["detector"]))


def _detector_row(
    all_task_scores: Sequence[TaskScores], detector: str, seed: int
) -> dict[str, Any]:
    records = [task_scores.records[detector] for task_scores in all_task_scores]
    scored = [s for s in all_task_scores if all(map(len, s.sides(detector)))]
    row: dict[str, Any] = {"detector": detector, "access": records[0]["access"]}
    row["tasks"] = len(scored)
    sides = [task_scores.sides(detector) for task_scores in scored]
    areas = {s.task: auroc(*side) for s, side in zip(scored, sides, strict=True)}
    drawn = [
        _replicates(side, seed, f"{detector} {task_scores.task} {ALL}")
        for task_scores, side in zip(scored, sides, strict=True)
    ]
    macro = _with_interval(_mean(areas.values()), np.mean(drawn, axis=0) if drawn else None)
    hits = [true_positive_rate(*side, 0.05) for side in sides]
    row |= macro | _extremes("worst_task", areas)
    row |= _extremes("hardest_class", _by_class(scored, detector)) | _worst_cell(scored, detector)
    row["best_f1"] = _mean(best_f1(*side) for side in sides)
    row["tpr_at_1"] = _mean(true_positive_rate(*side, 0.01) for side in sides)
    hit_rate = row["tpr_at_5"] = _mean(hits)
    for base in BASE_RATES:
        name = f"precision_at_{100 * base:g}"
        row[name] = None if hit_rate is None else precision_at(base, hit_rate, ALPHA)
    curve = _curve(scored, detector)  # one point for slow detectors
    row["episodes_needed"] = episodes_needed(curve) if len(curve) > 1 else None
    for name in ("seconds", "fit_seconds", "megabytes"):
        row[name] = max((r[name] for r in records if name in r), default=None)
    return row


def _with_interval(
    estimate: float | None, drawn: NDArray[np.float64] | None
) -> dict[str, float | None]:
    if drawn is None:
        return {"auroc": None, "lower": None, "upper": None}
    lower, upper = np.quantile(drawn, [0.025, 0.975])
    return {"auroc": estimate, "lower": float(lower), "upper": float(upper)}


def _replicates(
    sides: tuple[NDArray[np.float64], NDArray[np.float64]], seed: int, stream: str
) -> NDArray[np.float64]:
    rng = np.random.default_rng(stream_seed(seed, f"leaderboard bootstrap {stream}"))
    return bootstrap_auroc(*sides, rng)


def _mean(values: Iterable[float]) -> float | None:
    values = list(values)
    return float(np.mean(values)) if values else None


def _extremes(name: str, areas: Mapping[str, float]) -> dict[str, Any]:
    """The lowest value of {key: AUROC} and its key; both None where there is none."""
    worst, area = min(areas.items(), key=lambda item: item[1], default=(None, None))
    return {name: worst, f"{name}_auroc": area}


def _by_class(all_task_scores: Sequence[TaskScores], detector: str) -> dict[str, float]:
    """{negative class: AUROC against it, averaged over tasks}."""
    areas: dict[str, list[float]] = {}
    for (_, against), area in _cells(all_task_scores, detector).items():
        areas.setdefault(against, []).append(area)
    return {against: float(np.mean(values)) for against, values in areas.items()}


def _cells(all_task_scores: Sequence[TaskScores], detector: str) -> dict[tuple[str, str], float]:
    """{(task, negative class): AUROC}."""
    sides = {(s.task, c): s.sides(detector, c) for s in all_task_scores for c in s.classes}
    return {cell: auroc(*pair) for cell, pair in sides.items() if all(map(len, pair))}


def _worst_cell(all_task_scores: Sequence[TaskScores], detector: str) -> dict[str, Any]:
    cells = {" ".join(cell): area for cell, area in _cells(all_task_scores, detector).items()}
    return _extremes("worst_cell", cells)


def _curve(all_task_scores: Sequence[TaskScores], detector: str) -> dict[int, float]:
    """{number of episodes: AUROC averaged over tasks}."""
    sizes = {int(size) for s in all_task_scores for size in s.records[detector]["scores"]}
    curve = {}
    for size in sizes:
        sides = [task_scores.sides(detector, ALL, size) for task_scores in all_task_scores]
        if all(len(side) for pair in sides for side in pair):
            curve[size] = float(np.mean([auroc(*pair) for pair in sides]))
    return curve


def episode_rows(
    all_task_scores: Sequence[TaskScores], detectors: Sequence[str]
) -> list[dict[str, Any]]:
    """One row per detector and number of episodes: AUROC averaged over its tasks."""
    return [
        {"detector": detector, "episodes": size, "auroc": area}
        for detector in detectors
        for size, area in sorted(_curve(_applying(all_task_scores, detector), detector).items())
    ]


def _applying(all_task_scores: Sequence[TaskScores], detector: str) -> Sequence[TaskScores]:
    return [
        task_scores for task_scores in all_task_scores if task_scores.records[detector]["scores"]
    ]


def flag_rows(
    all_task_scores: Sequence[TaskScores], detectors: Sequence[str]
) -> list[dict[str, Any]]:
    """One row per detector, task and kind: number of flags at α by conformal p-values.

    For held-out (``fresh``) policies the band is that of the number of false alarms
    (beta-binomial, 95 %): they are exchangeable with the calibration policies.
    """
    rows = []
    for detector in detectors:
        for task_scores in _applying(all_task_scores, detector):
            scores = task_scores.scores(detector)
            calibration = [s for n, s in scores.items() if task_scores.kind[n] == "calibration"]
            for kind in dict.fromkeys(task_scores.kind[n] for n in task_scores.label):
                of_kind = [s for n, s in scores.items() if task_scores.kind[n] == kind]
                if of_kind:
                    row = {"detector": detector, "task": task_scores.task, "kind": kind}
                    rows.append(row | _flagged(calibration, of_kind, kind))
    return rows


EXCHANGEABLE = ("fresh", "honest")
"""Kinds trained like the trusted ones, with other seeds."""


def _flagged(calibration: Sequence[float], scores: Sequence[float], kind: str) -> dict[str, Any]:
    honest = np.asarray(calibration, np.float64)
    count = sum(conformal_p_value(honest, score) <= ALPHA for score in scores)
    row: dict[str, Any] = {
        "policies": len(scores),
        "flagged": count,
        "share": count / len(scores),
    }
    if kind not in EXCHANGEABLE:
        return row | dict.fromkeys(("band_low", "band_high", "within"))
    low, high = false_alarm_band(len(calibration), ALPHA, len(scores))
    return row | {"band_low": low, "band_high": high, "within": low <= count <= high}


def score_rows(
    all_task_scores: Sequence[TaskScores], detectors: Sequence[str]
) -> list[dict[str, Any]]:
    """One row per policy, one column per detector: the input of all other tables."""
    rows = []
    for task_scores in all_task_scores:
        scores = {detector: task_scores.scores(detector) for detector in detectors}
        for name, kind in task_scores.kind.items():
            if kind == "reference":
                continue
            row = {
                "task": task_scores.task,
                "policy": name,
                "kind": kind,
                "label": task_scores.label.get(name),
            }
            rows.append(row | {d: _rounded(scores[d].get(name)) for d in detectors})
    return rows


def _rounded(score: float | None) -> float | None:
    return None if score is None else float(f"{score:.6g}")
