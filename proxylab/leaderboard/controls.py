"""Controls whose expected AUROC is 0.5 for any scores."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from proxylab.detection.scores.ensemble import evidence
from proxylab.leaderboard.labels import NEGATIVE, POSITIVE
from proxylab.leaderboard.measures import aurocs, shuffled_aurocs
from proxylab.leaderboard.tables import TaskScores
from proxylab.seeds import stream_seed
from proxylab.statistics.resampling import auroc_interval

DRAWS = 1000

MATCHED = 0.1
"""Share of the best proxy return by which matched policies may differ from the trusted."""


def control_rows(
    all_task_scores: Sequence[TaskScores], detectors: Sequence[str], seed: int
) -> list[dict[str, Any]]:
    """One row per control: AUROC averaged over tasks, its mean and 95 % range over draws."""
    rows = [_shuffled(all_task_scores, detector, seed) for detector in detectors]
    return [row for row in rows if row] + [_random_signs(all_task_scores, detectors, seed)]


def _shuffled(
    all_task_scores: Sequence[TaskScores], detector: str, seed: int
) -> dict[str, Any] | None:
    """AUROC with permuted labels; None where no task has scores of both labels."""
    sides = [task_scores.sides(detector) for task_scores in all_task_scores]
    sides = [pair for pair in sides if all(map(len, pair))]
    if not sides:
        return None
    rng = np.random.default_rng(stream_seed(seed, f"shuffled labels {detector}"))
    drawn = np.mean([shuffled_aurocs(*pair, rng, DRAWS) for pair in sides], axis=0)
    return _row("shuffled labels", detector, drawn)


def _random_signs(
    all_task_scores: Sequence[TaskScores], detectors: Sequence[str], seed: int
) -> dict[str, Any]:
    """AUROC of the sum of all evidence, each detector with a random sign."""
    rng = np.random.default_rng(stream_seed(seed, "random signs"))
    usable = [
        d for d in detectors if all(_complete(task_scores, d) for task_scores in all_task_scores)
    ]
    signs = rng.choice([-1.0, 1.0], (DRAWS, len(usable)))
    drawn = []
    for task_scores in all_task_scores:
        names = [n for n, label in task_scores.label.items() if label in (POSITIVE, NEGATIVE)]
        features = np.array([_evidence(task_scores, detector, names) for detector in usable])
        positive = np.array([task_scores.label[name] == POSITIVE for name in names])
        drawn.append(aurocs(signs @ features, positive))
    return _row("random signs", f"all {len(usable)} that apply everywhere", np.mean(drawn, axis=0))


def _complete(task_scores: TaskScores, detector: str) -> bool:
    """Whether the detector scored every policy but the reference ones."""
    return len(task_scores.scores(detector)) == len(
        [k for k in task_scores.kind.values() if k != "reference"]
    )


def _evidence(task_scores: TaskScores, detector: str, names: Sequence[str]) -> list[float]:
    scores = task_scores.scores(detector)
    honest = np.array([s for n, s in scores.items() if task_scores.kind[n] == "calibration"])
    return [evidence(scores[name], honest) for name in names]


def _row(control: str, detector: str, drawn: NDArray[np.float64]) -> dict[str, Any]:
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


def proxy_rows(
    task: str,
    split: str,
    task_scores: TaskScores,
    changes: Mapping[str, tuple[float, float]],
    seed: int,
) -> list[dict[str, Any]]:
    """``proxy_stream`` against all negatives, and among policies whose proxy return is matched.

    Args:
        task: task name.
        split: split on which the proxy return was measured.
        task_scores: ``tables.TaskScores`` with ``proxy_stream`` on that split.
        changes: {policy: (lower, upper)}, interval of the change of the proxy return there.
        seed: seed of the bootstrap over policies.
    """
    rows = []
    scores = task_scores.scores("proxy_stream")
    for name, chosen in (
        (f"proxy_stream on {split}", set(scores)),
        (f"proxy_stream on {split}, proxy matched", _matched(changes)),
    ):
        sides = [
            [scores[n] for n in chosen if n in scores and task_scores.label.get(n) == label]
            for label in (POSITIVE, NEGATIVE)
        ]
        positive, negative = sides
        row: dict[str, Any] = {"control": name, "detector": "proxy_stream", "task": task}
        row |= {"positives": len(positive), "negatives": len(negative)}
        row |= dict.fromkeys(("auroc", "lower", "upper"))
        if positive and negative:
            rng = np.random.default_rng(stream_seed(seed, f"{name} {task}"))
            estimate, lower, upper = auroc_interval(positive, negative, rng)
            row |= {"auroc": estimate, "lower": lower, "upper": upper}
        rows.append(row)
    return rows


def _matched(changes: Mapping[str, tuple[float, float]]) -> set[str]:
    """Policies whose change of the proxy return lies within ``MATCHED``."""
    return {n for n, (low, high) in changes.items() if low > -MATCHED and high < MATCHED}
