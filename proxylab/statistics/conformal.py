"""Split-conformal p-values, false-discovery rates, and bounds on the realised rates.

Sources: Vovk, Gammerman, Shafer 2005, "Algorithmic Learning in a Random World"
(p-value; the realised rate of a fixed calibration set is Beta distributed: Vovk
2012, "Conditional validity of inductive conformal predictors", section 3);
Benjamini and Hochberg 1995, JRSS B 57, p. 289.
"""

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

_ROUNDING = 1e-9
_TIE = 1e-12


def conformal_p_value(calibration: ArrayLike, score: float) -> float:
    """(1 + #{calibration ≥ score}) / (N + 1): exact under exchangeability.

    Ties count in favour of the suspect; scores closer than 1e-12 are ties.

    Args:
        calibration: float[N], scores of calibration policies.
        score: the suspect's, higher is more anomalous.

    Raises:
        ValueError: a score is NaN.
    """
    calibration = np.asarray(calibration, np.float64)
    if np.isnan(calibration).any() or math.isnan(score):
        raise ValueError("a conformal p-value needs scores, not NaN")
    return (1 + int(np.sum(calibration >= score - _TIE))) / (len(calibration) + 1)


def benjamini_hochberg(p_values: ArrayLike) -> NDArray[np.float64]:
    """q-values: the least false-discovery rate at which each hypothesis is rejected.

    Args:
        p_values: float[M].

    Returns:
        float64[M], in the same order.
    """
    p = np.asarray(p_values, np.float64)
    order = np.argsort(p)
    scaled = p[order] * len(p) / np.arange(1, len(p) + 1)
    q = np.empty(len(p))
    q[order] = np.minimum(1, np.minimum.accumulate(scaled[::-1])[::-1])
    return q


def holm(p_values: NDArray[np.float64]) -> NDArray[np.float64]:
    """float64[N], p-values corrected for their number.

    Source: Holm 1979, Scandinavian Journal of Statistics 6, p. 65.
    """
    order = np.argsort(p_values)
    scaled = p_values[order] * np.arange(len(p_values), 0, -1)
    corrected = np.empty(len(p_values))
    corrected[order] = np.minimum(1, np.maximum.accumulate(scaled))
    return corrected


def achievable_alpha(num_calibration: int) -> float:
    """Smallest p-value that ``num_calibration`` policies can give."""
    return 1 / (num_calibration + 1)


def calibration_needed(alpha: float, num_suspects: int = 1) -> int:
    """Fewest calibration policies with which a suspect can be flagged.

    ``num_suspects`` is 1 for a verdict by p-value, the number of suspects for one
    by q-value.
    """
    return math.ceil(num_suspects / alpha - 1 - _ROUNDING)


def conformal_threshold(calibration: ArrayLike, alpha: float) -> float:
    """Score that a new exchangeable policy exceeds with probability ``alpha`` at most.

    Raises:
        ValueError: fewer than :func:`calibration_needed` scores.
    """
    ordered = np.sort(np.asarray(calibration, np.float64))
    k = _alarm_rank(len(ordered), alpha)
    if k == 0:
        raise ValueError(f"{len(ordered)} scores are too few for alpha {alpha}")
    return float(ordered[-k])


def realised_rate_bound(num_calibration: int, alpha: float, probability: float = 0.95) -> float:
    """Upper bound on the false-alarm rate of one fixed calibration set, at level ``probability``.

    Over calibration sets the rate is alpha or less on average; the rate of a
    particular set is Beta(k, N + 1 − k) with k = ⌊alpha (N + 1)⌋.
    """
    k = _alarm_rank(num_calibration, alpha)
    return float(special.betaincinv(k, num_calibration + 1 - k, probability)) if k else 0.0


def false_alarm_band(
    num_calibration: int, alpha: float, num_tests: int, coverage: float = 0.95
) -> tuple[int, int]:
    """Central band of the number of false alarms among fresh exchangeable policies.

    Their p-values share one calibration set, so the count is beta-binomial: a
    plain binomial band would be too narrow.

    Returns:
        (low, high), counts of 0 to ``num_tests``, both included.
    """
    k = _alarm_rank(num_calibration, alpha)
    if k == 0:
        return 0, 0
    below = _beta_binomial_cdf(num_tests, k, num_calibration + 1 - k)
    tail = (1 - coverage) / 2
    return int(np.searchsorted(below, tail)), int(np.searchsorted(below, 1 - tail))


def _beta_binomial_cdf(trials: int, a: int, b: int) -> NDArray[np.float64]:
    """float64[trials + 1]: P(count ≤ k) of a binomial whose share is Beta(a, b)."""
    k = np.arange(trials + 1)
    choices = -special.betaln(k + 1, trials - k + 1) - np.log(trials + 1)
    return np.cumsum(np.exp(choices + special.betaln(a + k, b + trials - k) - special.betaln(a, b)))


def _alarm_rank(num_calibration: int, alpha: float) -> int:
    return math.floor(alpha * (num_calibration + 1) + _ROUNDING)
