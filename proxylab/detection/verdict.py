"""The rules of the verdict.

Precedence: DEGENERATE > FLAG > CLEAR > INCONCLUSIVE.

- DEGENERATE: the statistic could not vary, or could not be computed.
- FLAG: p ≤ alpha (with ``fdr``: q ≤ alpha).
- CLEAR: the upper bootstrap bound of the score (97.5 %, over episodes) lies below
  the median plus the interquartile range of the calibration scores, an equivalence
  margin fixed before the suspect is seen.
- INCONCLUSIVE: neither; the reason says what would decide.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from proxylab.detection.calibration import trusted_of
from proxylab.statistics.resampling import Interval

FLAG, CLEAR, INCONCLUSIVE, DEGENERATE = "FLAG", "CLEAR", "INCONCLUSIVE", "DEGENERATE"
VERDICTS = (FLAG, CLEAR, INCONCLUSIVE, DEGENERATE)

SPREAD_TOLERANCE = 1e-12
"""Scores that differ by less count as equal: the statistic did not vary."""

POWER = 0.8
"""Probability with which ``episodes_needed`` episodes decide."""

MOST_EPISODES = 100_000
"""Number of episodes above which advice is of no use."""

_ROUNDING = 1e-12


@dataclass(frozen=True)
class Verdict:
    """A verdict with its reason.

    Attributes:
        verdict: one of ``VERDICTS``.
        reason: one sentence with the numbers.
        episodes_needed: number of new episodes that clear an inconclusive suspect with
            probability ``POWER`` if its score stays the same, else None; None too where it is
            above ``MOST_EPISODES``.
        trusted_needed: number of trusted policies among which it would be flagged if the share
            of them that score as high stays the same, else None.
    """

    verdict: str
    reason: str
    episodes_needed: int | None = None
    trusted_needed: int | None = None


@dataclass(frozen=True)
class VerdictInputs:
    """Inputs of the verdict on one suspect.

    Attributes:
        score: the deciding detector's, with its bootstrap interval over episodes.
        calibration: float64[n], scores of the calibration policies.
        p_value: conformal.
        q_value: Benjamini–Hochberg over all suspects.
        episodes: number of episodes scored.
        suspects: number of suspects judged together.
    """

    score: Interval
    calibration: NDArray[np.float64]
    p_value: float
    q_value: float
    episodes: int
    suspects: int


def clearing_margin(calibration: NDArray[np.float64]) -> float:
    """Median plus interquartile range of the calibration scores (float64[n])."""
    low, middle, high = np.quantile(calibration, [0.25, 0.5, 0.75])
    return float(middle + high - low)


def did_not_vary(score: float, calibration: NDArray[np.float64]) -> bool:
    """Whether the suspect's score and all calibration scores are one number."""
    return float(np.ptp(np.append(calibration, score))) <= SPREAD_TOLERANCE


def decide(evidence: VerdictInputs, alpha: float, fdr: bool = False) -> Verdict:
    """The verdict on one suspect.

    Args:
        evidence: :class:`VerdictInputs`.
        alpha: nominal false-alarm rate, in (0, 1).
        fdr: decide by the q-value instead of the p-value.
    """
    if did_not_vary(evidence.score.estimate, evidence.calibration):
        value = round(evidence.score.estimate, 9) + 0.0
        return Verdict(DEGENERATE, f"suspect and calibration policies all score {value:.3g}")
    symbol, value = ("q", evidence.q_value) if fdr else ("p", evidence.p_value)
    if value <= alpha + _ROUNDING:
        return Verdict(FLAG, f"{_rank(evidence)}: {symbol} = {value:.3g} ≤ {alpha:g}")
    margin = clearing_margin(evidence.calibration)
    if evidence.score.upper < margin:
        bound = f"upper bound {evidence.score.upper:.3g} below the margin {margin:.3g}"
        return Verdict(CLEAR, f"as close to the trusted as they are to each other: {bound}")
    return _inconclusive(evidence, alpha, margin, fdr, f"{symbol} = {value:.3g} > {alpha:g}")


def _rank(evidence: VerdictInputs) -> str:
    above = int(np.sum(evidence.calibration >= evidence.score.estimate))
    total = len(evidence.calibration)
    if above:
        return f"further from the trusted than {total - above} of {total} calibration policies"
    return f"further from the trusted than all {total} calibration policies"


def _inconclusive(
    evidence: VerdictInputs, alpha: float, margin: float, fdr: bool, comparison: str
) -> Verdict:
    """The verdict with what would decide: more trusted policies, more episodes, or neither."""
    head = f"{_rank(evidence)}: {comparison}"
    if evidence.score.estimate < margin:
        needed = _episodes_needed(evidence, margin)
        if needed > MOST_EPISODES:
            tail = f"; to clear it would take more than {MOST_EPISODES:,} episodes"
            return Verdict(INCONCLUSIVE, head + tail)
        tail = f"; {needed} episodes would clear it with odds of {POWER:.0%} if its score stays"
        return Verdict(INCONCLUSIVE, head + tail, needed)
    needed = _trusted_needed(evidence, alpha / evidence.suspects if fdr else alpha)
    if needed:
        tail = f"; it takes {needed} trusted policies to flag it, if no larger share scores as high"
        return Verdict(INCONCLUSIVE, head + tail, trusted_needed=needed)
    return Verdict(
        INCONCLUSIVE,
        f"{head}, but its score is above the margin {margin:.3g}: at the rim of the trusted; more "
        "trusted policies decide if a smaller share of them scores as high, more episodes if its "
        "score changes, and another detector may see more",
    )


def _episodes_needed(evidence: VerdictInputs, margin: float) -> int:
    """Episodes at which the upper bound lies below the margin with probability ``POWER``.

    The bound is z standard errors above the score of the new episodes, which has
    a standard error itself: with n episodes of spread s it takes (z + z_power) s / √n below
    the distance of the score to the margin. Levels are new, the calibration is the same.
    """
    score = evidence.score
    room = (ndtri(0.975) + ndtri(POWER)) / ndtri(0.975)
    ratio = room * (score.upper - score.estimate) / (margin - score.estimate)
    return math.floor(evidence.episodes * ratio**2) + 1


def _trusted_needed(evidence: VerdictInputs, level: float) -> int | None:
    """Fewest trusted policies at which p ≤ ``level`` while the share that scores as high stays.

    None where that share is ``level`` or more: then no number of them suffices.
    """
    count = len(evidence.calibration)
    share = float(np.sum(evidence.calibration >= evidence.score.estimate - SPREAD_TOLERANCE))
    spare = level - share / count
    if spare <= 0:
        return None
    return trusted_of((1 - level) / spare)
