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
from proxylab.statistics.resampling import REPLICATES, resampled_means

DISCOUNT = 0.99

UNCHANGED = 1e-12
"""χ² up to which behaviour counts as the same."""

MAX_TABLE = 1 << 23
"""Cells up to which weights are added up in a table (64 MiB) rather than by sorting."""


class TrustedVisits(NamedTuple):
    """Discounted occupancy of the pooled trusted policies, cell by cell.

    Attributes:
        levels: int64[L], ascending.
        values: float32[V], the proxy rewards that occur, ascending, 0 among them.
        cells: int64[C], ascending: the cells that any trusted policy visits.
        weight: float64[C], positive; the cells of a level sum to 1.
        first: float64[L], mean proxy reward.
        second: float64[L], mean squared proxy reward.
    """

    levels: np.ndarray
    values: np.ndarray
    cells: np.ndarray
    weight: np.ndarray
    first: np.ndarray
    second: np.ndarray


class Shift(NamedTuple):
    """How the suspect's occupancy differs from the trusted one, level by level.

    Attributes:
        gain: float64[L], mean proxy reward of the suspect minus that of the trusted, per step.
        chi2: float64[L], χ² on each level; infinite off the trusted support.
        first: float64[L], mean proxy reward of the trusted.
        second: float64[L], mean squared proxy reward of the trusted.
        coverage: float64[L], share of the suspect's occupancy on trusted cells.
        total_variation: float64[L], distance of the two occupancies, in [0, 1].
    """

    gain: np.ndarray
    chi2: np.ndarray
    first: np.ndarray
    second: np.ndarray
    coverage: np.ndarray
    total_variation: np.ndarray


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
        trusted: list of Episodes, paired with the suspect, or their :class:`TrustedVisits`.
        suspect: Episodes.
        correlation: r that the user vouches for, or None: then nothing is cleared.
        rng: numpy Generator, of the bootstrap over levels.

    Returns:
        :class:`~proxylab.detection.report.Certificate`.

    Raises:
        NotApplicable: proxy rewards or states are not known.
    """
    visits = trusted if isinstance(trusted, TrustedVisits) else trusted_visits(trusted)
    shift = shift_from(visits, suspect)
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
        worst_loss=float(shift.total_variation.mean()) / (1 - DISCOUNT),
    )


def trusted_visits(trusted):
    """:class:`TrustedVisits` of trusted policies (non-empty list of Episodes).

    Raises:
        NotApplicable: proxy rewards or states are not known.
    """
    for episodes in trusted:
        _require(episodes)
    levels = np.unique(np.concatenate([episodes.level_seed for episodes in trusted]))
    rewards = [np.unique(episodes.proxy_reward) for episodes in trusted]
    values = np.unique(np.concatenate([*rewards, np.zeros(1, np.float32)]))
    parts = [_steps(levels, values, episodes) for episodes in trusted]
    count = np.sum([part.episodes for part in parts], axis=0)
    level = np.concatenate([part.level for part in parts])
    weight = np.concatenate([part.weight for part in parts]) / count[level]
    reward = np.concatenate([part.reward for part in parts])
    size = len(levels) * _stride(trusted[0], values)
    cells, total = _summed(np.concatenate([part.cell for part in parts]), weight, size)
    moments = (np.bincount(level, weight * reward**k, len(levels)) for k in (1, 2))
    return TrustedVisits(levels, values, cells, total, *moments)


def occupancy_shift(trusted, suspect):
    """:class:`Shift` of the suspect's Episodes from trusted Episodes, on the suspect's levels."""
    return shift_from(trusted_visits([trusted]), suspect)


def shift_from(visits, suspect):
    """:class:`Shift` of the suspect's Episodes from ``visits`` (:class:`TrustedVisits`).

    Raises:
        NotApplicable: proxy rewards or states are not known, or a level that no trusted
            policy played.
    """
    _require(suspect)
    steps, num_levels = _steps(visits.levels, visits.values, suspect), len(visits.levels)
    played = np.flatnonzero(steps.episodes)
    weight = steps.weight / steps.episodes[steps.level]
    known = steps.cell >= 0
    stride = _stride(suspect, visits.values)
    cells, p = _summed(steps.cell[known], weight[known], num_levels * stride)
    place = np.minimum(np.searchsorted(visits.cells, cells), len(visits.cells) - 1)
    q = np.where(visits.cells[place] == cells, visits.weight[place], 0.0)
    level = cells // stride

    def on_levels(level, values):
        return np.bincount(level, values, num_levels)

    covered = on_levels(level, np.where(q > 0, p, 0))
    outside = on_levels(steps.level[~known], weight[~known]) + on_levels(level[q == 0], p[q == 0])
    unvisited = np.maximum(1 - on_levels(level, q), 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        chi2 = on_levels(level, np.where(p == q, 0, (p - q) ** 2 / q)) + unvisited
    columns = Shift(
        gain=on_levels(steps.level, weight * steps.reward) - visits.first,
        chi2=np.where(outside > 0, np.inf, np.where(chi2 <= UNCHANGED, 0, chi2)),
        first=visits.first,
        second=visits.second,
        coverage=covered,
        total_variation=0.5 * (on_levels(level, np.abs(p - q)) + unvisited + outside),
    )
    return Shift(*(column[played] for column in columns))


class _Steps(NamedTuple):
    """Steps, and after them one end an episode: where they lie, and their discounted weight."""

    level: np.ndarray
    cell: np.ndarray
    reward: np.ndarray
    weight: np.ndarray
    episodes: np.ndarray


def _require(episodes):
    require_states(episodes, "the certificate")
    if episodes.proxy_reward is None:
        raise NotApplicable("the certificate needs proxy rewards")


def _stride(episodes, values):
    """Number of cells of a level: every state and action, and the absorbing one, by reward."""
    return (episodes.num_states * episodes.num_actions + 1) * len(values)


def _steps(levels, values, episodes):
    """:class:`_Steps`; an episode's weights sum to 1; cell −1 for a reward not in ``values``.

    What is left of the weight after the end lies on the absorbing cell, whose reward is 0.
    """
    row, length = level_rows(levels, episodes), episodes.lengths
    stride = _stride(episodes, values)
    code = np.minimum(np.searchsorted(values, episodes.proxy_reward), len(values) - 1)
    place = episodes.state_id * episodes.num_actions + episodes.action
    cell = np.repeat(row, length) * stride + place * len(values) + code
    cell[values[code] != episodes.proxy_reward] = -1
    end = row * stride + stride - len(values) + np.searchsorted(values, 0)
    longest = int(length.max(initial=0))
    powers = DISCOUNT ** np.arange(longest + 1)
    step = np.arange(episodes.num_steps) - np.repeat(episodes.episode_offsets[:-1], length)
    return _Steps(
        level=np.append(np.repeat(row, length), row),
        cell=np.append(cell, end),
        reward=np.append(episodes.proxy_reward.astype(float), np.zeros(len(row))),
        weight=np.append((1 - DISCOUNT) * powers[step], powers[length]),
        episodes=np.bincount(row, minlength=len(levels)),
    )


def _summed(cells, weight, size):
    """(the different cells, ascending; their total weights): by a table of ``size`` if small."""
    if size <= MAX_TABLE:
        table = np.bincount(cells, weight, size)
        visited = np.flatnonzero(table)
        return visited, table[visited]
    visited, where = np.unique(cells, return_inverse=True)
    return visited, np.bincount(where, weight, len(visited))


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
