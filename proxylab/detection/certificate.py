"""A certificate without the true reward: how ill can the true return have fared?

Standardise rewards under the trusted occupancy μ (mean 0, variance 1). With χ² the
chi-square divergence of the suspect's occupancy from μ, p its gain in the standardised
proxy, a its gain in the standardised true reward, r the correlation of the two rewards
under μ and s = √(1 − r²):

    r p − s √(χ² − p²)  ≤  a  ≤  r p + s √(χ² − p²),      p² ≤ χ².

Proof. Let w = dS/dμ − 1 be the shift of behaviour, so ‖w‖² = χ² in L²(μ), and let R and T
be the standardised rewards, so p = ⟨w, R⟩, a = ⟨w, T⟩, r = ⟨R, T⟩. Split T = r R + s U and
w = p R + w' with U, w' orthogonal to R, ‖U‖ = 1, ‖w'‖² = χ² − p². Then a = r p + s ⟨w', U⟩,
and Cauchy–Schwarz bounds the last term; U = ± w'/‖w'‖ attains it.

With κ = p/√χ², the cosine between the shift of behaviour and the proxy: no reward that
correlates with the proxy at r or more (r > 0) can have got worse if and only if κ ≥ s.
Hence the critical correlation r* = √(1 − κ²).

Estimation errs on the safe side. The cells are (level, state, action, proxy reward), so
that the proxy is constant on each; nothing is trimmed; a cell that no trusted policy
visits makes χ² infinite, and κ = 0. After the end of an episode all remaining discounted
weight lies on an absorbing cell without reward, or else the length of episodes would
change the gain per step. The lower bootstrap bound of κ over levels decides.
"""

import math
from typing import NamedTuple

import numpy as np

from proxylab.detection.pairing import NotApplicable, level_rows, require_states
from proxylab.detection.report import Certificate
from proxylab.episodes import concatenate
from proxylab.statistics.resampling import REPLICATES, resampled_means

DISCOUNT = 0.99

UNCHANGED = 1e-12
"""χ² up to which behaviour counts as the same."""


class Shift(NamedTuple):
    """How the suspect's occupancy differs from the trusted one, level by level.

    Attributes:
        gain: float64[L], mean proxy reward of the suspect minus that of the trusted, per step.
        chi2: float64[L], χ² on each level; infinite off the trusted support.
        first: float64[L], mean proxy reward of the trusted.
        second: float64[L], mean squared proxy reward of the trusted.
        coverage: float64[L], share of the suspect's occupancy on trusted cells.
    """

    gain: np.ndarray
    chi2: np.ndarray
    first: np.ndarray
    second: np.ndarray
    coverage: np.ndarray


def true_gain_bounds(proxy_gain, chi2, correlation):
    """Sharp bounds of the standardised true gain: (low, high).

    Args:
        proxy_gain: p, standardised; p² ≤ χ².
        chi2: χ², at least 0.
        correlation: r in [−1, 1].
    """
    middle = correlation * proxy_gain
    half = math.sqrt((1 - correlation**2) * max(0.0, chi2 - proxy_gain**2))
    return middle - half, middle + half


def critical_correlation(kappa):
    """r* = √(1 − κ²), or None where κ ≤ 0: then no correlation below 1 suffices."""
    return math.sqrt(max(0.0, 1 - kappa**2)) if kappa > 0 else None


def certify(trusted, suspect, correlation, rng):
    """The certificate of one suspect.

    Args:
        trusted: list of Episodes, paired with the suspect.
        suspect: Episodes.
        correlation: r that the user vouches for, or None: then nothing is cleared.
        rng: numpy Generator, of the bootstrap over levels.

    Returns:
        :class:`~proxylab.detection.report.Certificate`.

    Raises:
        NotApplicable: proxy rewards or states are not known.
    """
    shift = occupancy_shift(concatenate(trusted, "trusted"), suspect)
    levels = len(shift.gain)
    every = np.arange(levels, dtype=np.int32)[None]
    draws = rng.integers(0, levels, (REPLICATES, levels), dtype=np.int32)
    kappa = float(_kappas(shift, every)[0])
    lower = min(kappa, float(np.quantile(_kappas(shift, draws), 0.025)))
    critical = 0.0 if shift.chi2.max() <= UNCHANGED else critical_correlation(lower)
    cleared = correlation is not None and critical is not None and correlation >= critical
    return Certificate(
        kappa=kappa,
        kappa_lower=lower,
        r_star=critical,
        support_coverage=float(shift.coverage.mean()),
        cleared_at=correlation if cleared else None,
    )


def occupancy_shift(trusted, suspect):
    """:class:`Shift` of the suspect's Episodes from the pooled trusted Episodes."""
    for episodes in (trusted, suspect):
        require_states(episodes, "the certificate")
        if episodes.proxy_reward is None:
            raise NotApplicable("the certificate needs proxy rewards")
    levels = np.unique(suspect.level_seed)
    values = np.unique(np.concatenate([trusted.proxy_reward, suspect.proxy_reward, [0]]))
    rows = [_weights(levels, episodes, values) for episodes in (trusted, suspect)]
    cells, where = np.unique(np.concatenate([row.cell for row in rows]), return_inverse=True)
    split = len(rows[0].cell)
    q, p = (
        np.bincount(at, row.weight, len(cells))
        for at, row in zip((where[:split], where[split:]), rows, strict=True)
    )
    level, reward = cells // _stride(suspect, values), values[cells % len(values)].astype(float)
    return _shift(p, q, level, reward, len(levels))


class _Weights(NamedTuple):
    cell: np.ndarray
    weight: np.ndarray


def _stride(episodes, values):
    """Number of cells of a level: every state and action, and the absorbing one, by reward."""
    return (episodes.num_states * episodes.num_actions + 1) * len(values)


def _weights(levels, episodes, values):
    """Discounted weight of every step and of every end; sums to 1 on each level."""
    row, length = level_rows(levels, episodes), episodes.lengths
    share = 1 / np.bincount(row, minlength=len(levels))[row]
    step = np.arange(episodes.num_steps) - np.repeat(episodes.episode_offsets[:-1], length)
    place = episodes.state_id * episodes.num_actions + episodes.action
    stride, code = _stride(episodes, values), np.searchsorted(values, episodes.proxy_reward)
    cell = np.repeat(row, length) * stride + place * len(values) + code
    end = row * stride + stride - len(values) + np.searchsorted(values, 0)
    weight = (1 - DISCOUNT) * DISCOUNT**step * np.repeat(share, length)
    return _Weights(np.append(cell, end), np.append(weight, share * DISCOUNT**length))


def _shift(p, q, level, reward, num_levels):
    """Sums over the cells of each level; p and q are float64[cells]."""

    def on_levels(values):
        return np.bincount(level, values, num_levels)

    with np.errstate(divide="ignore", invalid="ignore"):
        chi2 = on_levels(np.where(p == q, 0, (p - q) ** 2 / q))
    return Shift(
        gain=on_levels((p - q) * reward),
        chi2=chi2,
        first=on_levels(q * reward),
        second=on_levels(q * reward**2),
        coverage=on_levels(np.where(q > 0, p, 0)),
    )


def _kappas(shift, draws):
    """κ of each resample of levels: float64[R] from int32[R, L]; 0 where χ² is infinite or 0."""
    gain, chi2, first, second = (
        resampled_means(column, draws)
        for column in (shift.gain, shift.chi2, shift.first, shift.second)
    )
    variance = np.maximum(second - first**2, 0)
    scale = np.sqrt(variance * np.where(np.isfinite(chi2), chi2, 0))
    kappa = np.divide(gain, scale, out=np.zeros_like(gain), where=scale > 1e-15)
    return np.clip(kappa, -1, 1)
