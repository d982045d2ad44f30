"""Predicted failures: calibration, and what is left when the riskiest episodes are refused."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import isotonic_regression

BINS = 10
"""Bins of equal width for predicted probabilities."""


class FailureCurve(NamedTuple):
    """A probability of failure that never falls with the score.

    Attributes:
        score: float64[N], ascending.
        probability: float64[N], in [0, 1].
    """

    score: NDArray[np.float64]
    probability: NDArray[np.float64]

    def at(self, scores: ArrayLike) -> NDArray[np.float64]:
        """float64[M] for float[M] scores: linear between those fitted, constant beyond them."""
        return np.interp(np.asarray(scores, np.float64), self.score, self.probability)


def fit_failure_curve(scores: ArrayLike, failed: ArrayLike) -> FailureCurve:
    """Isotonic regression of failure on the score (Zadrozny and Elkan 2002, KDD, p. 694).

    Args:
        scores: float[N], greater is riskier.
        failed: bool[N].

    Raises:
        ValueError: no scores, or NaN among them.
    """
    scores, failed = _checked(scores, failed)
    score, count = np.unique(scores, return_counts=True)
    order = np.argsort(scores, kind="stable")
    starts = np.concatenate([[0], np.cumsum(count)[:-1]])
    share = np.add.reduceat(failed[order], starts) / count
    return FailureCurve(score, isotonic_regression(share, weights=count).x.clip(0, 1))


def reliability_sums(probabilities: ArrayLike, failed: ArrayLike) -> NDArray[np.float64]:
    """float64[3, BINS]: episodes, sum of their probabilities and failures, in every bin.

    Bin k holds the probabilities in [k / BINS, (k + 1) / BINS), the last one 1 as well. Sums of
    several agents add up.

    Args:
        probabilities: float[N], predicted, in [0, 1].
        failed: bool[N].
    """
    probabilities, failed = _checked(probabilities, failed)
    bins = np.minimum((probabilities * BINS).astype(np.int64), BINS - 1)
    columns = (np.ones(len(bins)), probabilities, failed)
    return np.array([np.bincount(bins, column, minlength=BINS) for column in columns], np.float64)


def calibration_error(sums: ArrayLike) -> NDArray[np.float64]:
    """Expected calibration error: Σ |failures − sum of probabilities| over the episodes.

    Equation 3 of Guo et al. 2017 (arXiv 1706.04599), whose bins are those of
    :func:`reliability_sums`.

    Args:
        sums: float[..., 3, BINS] of :func:`reliability_sums`, or their means over agents.

    Returns:
        float64[...], in [0, 1].
    """
    episodes, predicted, failures = np.moveaxis(np.asarray(sums, np.float64), -2, 0)
    return np.abs(failures - predicted).sum(axis=-1) / episodes.sum(axis=-1)


def risk_at_coverage(
    scores: ArrayLike, failed: ArrayLike, coverages: ArrayLike
) -> NDArray[np.float64]:
    """Share of failures among the episodes with the lowest scores.

    The risk-coverage curve of selective prediction (El-Yaniv and Wiener 2010, JMLR 11, p. 1605).
    Among equal scores it is the expected share over all orders.

    Args:
        scores: float[N], greater is riskier.
        failed: bool[N].
        coverages: float[C], shares of episodes that are kept, in (0, 1]; at least one is.

    Returns:
        float64[C], in [0, 1].
    """
    scores, failed = _checked(scores, failed)
    _, group, count = np.unique(scores, return_inverse=True, return_counts=True)
    expected = (np.bincount(group, failed) / count)[np.sort(group)]
    kept = np.maximum(np.ceil(np.asarray(coverages) * len(scores) - 1e-9).astype(np.int64), 1)
    return np.cumsum(expected)[kept - 1] / kept


def _checked(
    scores: ArrayLike, failed: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Both as float64[N]; ``ValueError`` for none, NaN, or different lengths."""
    pair = np.asarray(scores, np.float64), np.asarray(failed, bool).astype(np.float64)
    if pair[0].ndim != 1 or not len(pair[0]) or pair[0].shape != pair[1].shape:
        raise ValueError("scores and failures must be two lists of the same length, at least 1")
    if np.isnan(pair[0]).any():
        raise ValueError("a score is NaN")
    return pair
