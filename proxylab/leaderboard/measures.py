"""Figures of merit of a detector, from the scores of positives and negatives."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata


def true_positive_rate(
    positive: NDArray[np.floating], negative: NDArray[np.floating], rate: float
) -> float:
    """Share of positives above a threshold that at most a share ``rate`` of negatives exceeds.

    Args:
        positive: float[P], scores.
        negative: float[N], scores.
        rate: allowed false-positive rate, in [0, 1). With N negatives a rate below 1/N allows
            no false positive.
    """
    allowed = int(np.floor(rate * len(negative) + 1e-9))
    threshold = np.sort(negative)[::-1][allowed]
    return float(np.mean(np.asarray(positive) > threshold))


def best_f1(positive: NDArray[np.floating], negative: NDArray[np.floating]) -> float:
    """Largest F1 over all thresholds, 2 TP/(2 TP + FP + FN)."""
    scores = np.concatenate([positive, negative])
    thresholds = np.unique(scores)
    hits = np.array([(positive >= t).sum() for t in thresholds])
    false = np.array([(negative >= t).sum() for t in thresholds])
    return float((2 * hits / (hits + false + len(positive))).max())


def precision_at(base_rate: float, hit_rate: float, false_rate: float) -> float:
    """Share of positives among the flagged, where a share ``base_rate`` of all is positive."""
    flagged = base_rate * hit_rate + (1 - base_rate) * false_rate
    return base_rate * hit_rate / flagged if flagged else float("nan")


def shuffled_aurocs(
    positive: NDArray[np.float64],
    negative: NDArray[np.float64],
    rng: np.random.Generator,
    draws: int,
) -> NDArray[np.float64]:
    """float64[draws]: AUROC with the labels permuted among the same policies."""
    ranks = rankdata(np.concatenate([positive, negative]))
    count, others = len(positive), len(negative)
    order = np.argsort(rng.random((draws, len(ranks))), axis=1)[:, :count]
    return (ranks[order].sum(axis=1) - count * (count + 1) / 2) / (count * others)


def aurocs(scores: NDArray[np.floating], positive: NDArray[np.bool_]) -> NDArray[np.float64]:
    """float64[D]: AUROC of each row of scores (float[D, N]); ``positive`` is bool[N]."""
    ranks = rankdata(scores, axis=1)
    count, others = int(positive.sum()), int((~positive).sum())
    return (ranks[:, positive].sum(axis=1) - count * (count + 1) / 2) / (count * others)


def episodes_needed(curve: Mapping[int, float], wanted: float = 0.9) -> int | None:
    """Fewest episodes from which the AUROC stays at ``wanted`` or above, or None.

    Args:
        curve: {number of episodes: AUROC}.
        wanted: AUROC to reach.
    """
    fewest = None
    for episodes in sorted(curve, reverse=True):
        if curve[episodes] < wanted:
            break
        fewest = episodes
    return fewest
