"""Divergences between categorical distributions, row by row.

Logarithms have base 2, so that ``js`` lies in [0, 1]. Definitions (p the row of
the first argument, q of the second, m = (p + q)/2):

- ``js``               ½ Σ p log₂(p/m) + ½ Σ q log₂(q/m), Jensen–Shannon divergence, bits
- ``hellinger``        √(½ Σ (√p − √q)²), in [0, 1]
- ``total_variation``  ½ Σ |p − q|, in [0, 1]
- ``kl``               Σ p log₂(p/q), bits; infinite where q = 0 < p
- ``chi2``             Σ (p − q)²/q; infinite where q = 0 < p
"""

import numba
import numpy as np
from numpy.typing import NDArray

DIVERGENCES = ("js", "hellinger", "total_variation", "kl", "chi2")
"""Columns of :func:`row_divergences`."""


@numba.njit(cache=True)
def row_divergences(p: NDArray[np.floating], q: NDArray[np.floating]) -> NDArray[np.float64]:
    """All five divergences in one pass: float64[N, 5], columns as ``DIVERGENCES``.

    Args:
        p: float[N, K], rows that sum to 1.
        q: float[N, K].
    """
    out = np.empty((p.shape[0], 5))
    for row in range(p.shape[0]):
        js = squares = absolute = kl = chi2 = 0.0
        for k in range(p.shape[1]):
            a, b = np.float64(p[row, k]), np.float64(q[row, k])
            squares += (np.sqrt(a) - np.sqrt(b)) ** 2
            absolute += abs(a - b)
            if a > 0 and b > 0:
                scale = 2 / (a + b)
                log_a, log_b = np.log2(a * scale), np.log2(b * scale)
                js += 0.5 * (a * log_a + b * log_b)
                kl += a * (log_a - log_b)
                chi2 += (a - b) ** 2 / b
            else:
                js += 0.5 * (a + b)
                if a > 0:
                    kl = chi2 = np.inf
                elif b > 0:
                    chi2 += b
        out[row, 0] = max(js, 0.0)
        out[row, 1] = np.sqrt(0.5 * squares)
        out[row, 2] = 0.5 * absolute
        out[row, 3] = max(kl, 0.0)
        out[row, 4] = chi2
    return out


@numba.njit(cache=True)
def js_divergence(p: NDArray[np.floating], q: NDArray[np.floating]) -> NDArray[np.float64]:
    """Jensen–Shannon divergence of each row, bits: float64[N] from float[N, K] twice."""
    out = np.zeros(p.shape[0])
    for row in range(p.shape[0]):
        for k in range(p.shape[1]):
            a, b = np.float64(p[row, k]), np.float64(q[row, k])
            out[row] += _js_term(a, b) + _js_term(b, a)
        out[row] = max(out[row], 0.0)
    return out


@numba.njit(cache=True)
def hellinger_distance(p: NDArray[np.floating], q: NDArray[np.floating]) -> NDArray[np.float64]:
    """Hellinger distance of each row: float64[N] from float[N, K] twice."""
    out = np.zeros(p.shape[0])
    for row in range(p.shape[0]):
        for k in range(p.shape[1]):
            out[row] += (np.sqrt(np.float64(p[row, k])) - np.sqrt(np.float64(q[row, k]))) ** 2
        out[row] = np.sqrt(0.5 * out[row])
    return out


@numba.njit(cache=True)
def total_variation(p: NDArray[np.floating], q: NDArray[np.floating]) -> NDArray[np.float64]:
    """Total variation distance of each row: float64[N] from float[N, K] twice."""
    out = np.zeros(p.shape[0])
    for row in range(p.shape[0]):
        for k in range(p.shape[1]):
            out[row] += 0.5 * abs(np.float64(p[row, k]) - np.float64(q[row, k]))
    return out


@numba.njit(cache=True)
def chi_square(p: NDArray[np.floating], q: NDArray[np.floating]) -> NDArray[np.float64]:
    """Chi-square divergence of each row, infinite where q = 0 < p: float64[N]."""
    out = np.zeros(p.shape[0])
    for row in range(p.shape[0]):
        for k in range(p.shape[1]):
            a, b = np.float64(p[row, k]), np.float64(q[row, k])
            if b > 0:
                out[row] += (a - b) ** 2 / b
            elif a > 0:
                out[row] = np.inf
    return out


@numba.njit(cache=True)
def kl_divergence(p: NDArray[np.floating], q: NDArray[np.floating]) -> NDArray[np.float64]:
    """Kullback–Leibler divergence of each row, bits, infinite where q = 0 < p: float64[N]."""
    out = np.zeros(p.shape[0])
    for row in range(p.shape[0]):
        for k in range(p.shape[1]):
            a, b = np.float64(p[row, k]), np.float64(q[row, k])
            if a > 0:
                out[row] += a * np.log2(a / b) if b > 0 else np.inf
        out[row] = max(out[row], 0.0)
    return out


ROW_KERNELS = {
    "js": js_divergence,
    "hellinger": hellinger_distance,
    "total_variation": total_variation,
    "kl": kl_divergence,
    "chi2": chi_square,
}
"""Divergences one at a time, by name; all but ``kl`` and ``chi2`` are bounded."""


@numba.njit(cache=True)
def _js_term(a: float, b: float) -> float:
    """½ a log₂(a / m): one distribution's share of the divergence at one outcome."""
    if a <= 0:
        return 0.0
    if b == 0:
        return 0.5 * a  # log₂ 2 = 1
    return 0.5 * a * np.log2(2 * a / (a + b))
