"""A certificate without the true reward: bounds on the change of the true return.

Standardise rewards under the trusted occupancy μ (mean 0, variance 1). With χ² the
chi-square divergence of the suspect's occupancy from μ, p its gain in the standardised
proxy, a its gain in the standardised true reward, r the correlation of the two rewards
under μ and s = √(1 − r²):

    r p − s √(χ² − p²)  ≤  a  ≤  r p + s √(χ² − p²),      p² ≤ χ².

Proof. Let w = dS/dμ − 1 be the shift of behaviour, so ‖w‖² = χ² in L²(μ), and let R and T
be the standardised rewards, so p = ⟨w, R⟩, a = ⟨w, T⟩, r = ⟨R, T⟩. Split T = r R + s U and
w = p R + w' with U, w' orthogonal to R, ‖U‖ = 1, ‖w'‖² = χ² − p². Then a = r p + s ⟨w', U⟩,
and Cauchy–Schwarz bounds the last term; U = ± w'/‖w'‖ attains it. ``docs/certificate.md``
goes through it step by step.

With κ = p/√χ², the cosine between the shift of behaviour and the proxy: no reward that
correlates with the proxy at r or more (r > 0) can have decreased if and only if κ ≥ s.
Hence the critical correlation r* = √(1 − κ²).

Estimation is conservative, see ``shift.py`` for the cells. The verdict uses the lower bootstrap
bound of κ, over levels and, where a level has several episodes, over its episodes.
"""

import math

import numpy as np
from numpy.typing import NDArray

from proxylab.detection.records import Certificate
from proxylab.detection.shift import (
    DISCOUNT,
    UNCHANGED,
    LevelForm,
    Shift,
    TrustedVisits,
    level_forms,
    shift_from,
    trusted_visits,
)
from proxylab.rollouts.episodes import Episodes
from proxylab.statistics.resampling import REPLICATES, resampled_means


def critical_correlation(kappa: float) -> float | None:
    """r* = √(1 − κ²), or None where κ ≤ 0: then no correlation below 1 suffices."""
    return math.sqrt(max(0.0, 1 - kappa**2)) if kappa > 0 else None


def certify(
    trusted: list[Episodes] | TrustedVisits,
    suspect: Episodes,
    correlation: float | None,
    rng: np.random.Generator,
) -> Certificate:
    """The certificate of one suspect.

    Args:
        trusted: list of Episodes, paired with the suspect, or their :class:`TrustedVisits`.
        suspect: Episodes.
        correlation: r that the user assumes, or None: then nothing is cleared.
        rng: numpy Generator, of the bootstrap.

    Returns:
        :class:`~proxylab.detection.records.Certificate`.

    Raises:
        NotApplicable: proxy rewards or states are not known.
    """
    visits = trusted if isinstance(trusted, TrustedVisits) else trusted_visits(trusted)
    shift = shift_from(visits, suspect)
    every = np.arange(len(shift.gain), dtype=np.int32)[None]
    kappa = float(_kappas(shift, every)[0])
    lower = min(kappa, float(np.quantile(bootstrapped_kappas(visits, suspect, shift, rng), 0.025)))
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


def bootstrapped_kappas(
    visits: TrustedVisits,
    suspect: Episodes,
    shift: Shift,
    rng: np.random.Generator,
    replicates: int = REPLICATES,
) -> NDArray[np.float64]:
    """κ of resamples of the levels, and of the episodes of each level: float64[replicates].

    Args:
        visits: :class:`TrustedVisits`.
        suspect: Episodes.
        shift: :class:`~proxylab.detection.shift.Shift` of the two.
        rng: numpy Generator.
        replicates: number of resamples.
    """
    levels = len(shift.gain)
    draws = rng.integers(0, levels, (replicates, levels), dtype=np.int32)
    if suspect.num_episodes == levels:
        return _kappas(shift, draws)
    columns = [_resampled(form, rng, replicates) for form in level_forms(visits, suspect)]
    gain, chi2 = (
        np.take_along_axis(np.stack(column, axis=1), draws, axis=1).mean(axis=1)
        for column in zip(*columns, strict=True)
    )
    first, second = (resampled_means(column, draws) for column in (shift.first, shift.second))
    return _cosine(gain, chi2, first, second)


def _resampled(
    form: LevelForm, rng: np.random.Generator, replicates: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(gain float64[R], χ² float64[R]) of resamples of one level's episodes."""
    count = len(form.gain)
    shares = rng.multinomial(count, np.full(count, 1 / count), replicates) / count
    chi2 = np.maximum(np.sum((shares @ form.form) * shares, axis=1), 0)
    leaves = (shares[:, form.leaves] > 0).any(axis=1)
    return shares @ form.gain, np.where(leaves, np.inf, chi2)


def _kappas(shift: Shift, draws: NDArray[np.int32]) -> NDArray[np.float64]:
    """κ of each resample of levels: float64[R] from int32[R, L]."""
    names = ("gain", "chi2", "first", "second")
    return _cosine(*(resampled_means(getattr(shift, name), draws) for name in names))


def _cosine(
    gain: NDArray[np.float64],
    chi2: NDArray[np.float64],
    first: NDArray[np.float64],
    second: NDArray[np.float64],
) -> NDArray[np.float64]:
    """κ from means over levels (each float64[R]); 0 where χ² is infinite or nothing varies."""
    variance = np.maximum(second - first**2, 0)
    scale = np.sqrt(variance * np.where(np.isfinite(chi2), chi2, 0))
    kappa = np.divide(gain, scale, out=np.zeros_like(gain), where=scale > 1e-15)
    return np.clip(kappa, -1, 1)
