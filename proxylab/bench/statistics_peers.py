"""The best known alternatives to the kernels of ``proxylab.statistics``."""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter
from scipy.spatial.distance import cdist, jensenshannon
from scipy.stats import bootstrap, trim_mean

REPLICATES = 2000
PERMUTATIONS = 1000


def lfilter_returns(parts: Sequence[NDArray[np.float64]], discount: float) -> list[float]:
    """Discounted return of each of a list of float64[L]."""
    return [lfilter([1], [1, -discount], part[::-1])[-1] for part in parts]


def _weights(offsets: NDArray[np.int64], discount: float) -> NDArray[np.float64]:
    lengths = np.diff(offsets)
    weights = discount ** (np.arange(offsets[-1]) - np.repeat(offsets[:-1], lengths))
    return weights / np.repeat(np.add.reduceat(weights, offsets[:-1]), lengths)


def bincount_visitation(
    states: NDArray[np.int64], offsets: NDArray[np.int64], num_states: int, discount: float
) -> NDArray[np.float64]:
    """Visitation of each episode: float64[E, S]."""
    episodes = len(offsets) - 1
    cells = np.repeat(np.arange(episodes) * num_states, np.diff(offsets)) + states
    table: NDArray[Any] = np.bincount(cells, _weights(offsets, discount), episodes * num_states)
    return table.reshape(episodes, num_states)


def bincount_pooled(
    states: NDArray[np.int64],
    offsets: NDArray[np.int64],
    level: NDArray[np.int64],
    num_levels: int,
    num_states: int,
    discount: float,
) -> NDArray[np.float64]:
    """Mean visitation of the episodes of each level: float64[L, S]."""
    cells = np.repeat(level * num_states, np.diff(offsets)) + states
    table = np.bincount(cells, _weights(offsets, discount), num_levels * num_states)
    return table.reshape(num_levels, num_states) / np.bincount(level, minlength=num_levels)[:, None]


def scipy_js(p: NDArray[np.float64], q: NDArray[np.float64]) -> NDArray[np.float64]:
    """Jensen–Shannon distance of each row of float64[N, K]."""
    return np.asarray(
        jensenshannon(p, q, axis=1)  # ty: ignore[unknown-argument]  # a decorator adds it
    )


def numpy_divergences(
    p: NDArray[np.float64], q: NDArray[np.float64]
) -> tuple[NDArray[np.float64], ...]:
    """JS, Hellinger, TV, KL and chi² of rows without zeros: five float64[N]."""
    middle = (p + q) / 2
    log_p, log_q = np.log2(p / middle), np.log2(q / middle)
    return (
        0.5 * (p * log_p + q * log_q).sum(axis=1),
        np.sqrt(0.5 * ((np.sqrt(p) - np.sqrt(q)) ** 2).sum(axis=1)),
        0.5 * np.abs(p - q).sum(axis=1),
        (p * (log_p - log_q)).sum(axis=1),
        ((p - q) ** 2 / q).sum(axis=1),
    )


def cdist_blocks(
    points: NDArray[np.float64], offsets: NDArray[np.int64], kernel: str, bandwidth: float
) -> NDArray[np.float64]:
    """Block means of all pairs of episodes: float64[E, E]."""
    if kernel == "gaussian":
        pairs = np.exp(cdist(points, points, "sqeuclidean") * (-0.5 / bandwidth**2))
    else:
        pairs = -cdist(points, points)
    sums = np.add.reduceat(np.add.reduceat(pairs, offsets[:-1], axis=0), offsets[:-1], axis=1)
    lengths = np.diff(offsets)
    return sums / lengths[:, None] / lengths


def sign_matrix(
    blocks: NDArray[np.float64], labels: NDArray[np.bool_], rng: np.random.Generator
) -> NDArray[np.float64]:
    """T of 1,000 relabellings as sᵀ B s, s = 1/m on one side and −1/n on the other."""
    signs = np.where(labels, 1 / labels.sum(), -1 / (~labels).sum())
    signs = rng.permuted(np.tile(signs, (PERMUTATIONS, 1)), axis=1)
    return np.einsum("re,re->r", signs @ blocks, signs)


def scipy_bootstrap(
    data: Sequence[NDArray[np.float64]], statistic: Callable[..., Any], paired: bool = False
) -> Any:
    """Percentile interval of a statistic by scipy."""
    return bootstrap(
        data,
        statistic,
        n_resamples=REPLICATES,
        method="percentile",
        vectorized=True,
        paired=paired,
        rng=1,
    )


def middle_mean(values: NDArray[np.float64], axis: int = -1) -> NDArray[np.float64]:
    """Mean of the middle half, where quarters are whole."""
    return trim_mean(values, 0.25, axis=axis)


def area(
    above: NDArray[np.float64], below: NDArray[np.float64], axis: int = -1
) -> NDArray[np.float64]:
    """AUROC of the last axes: wins of all pairs, ties half."""
    gaps = above[..., :, None] - below[..., None, :]
    return ((gaps > 0) + 0.5 * (gaps == 0)).mean(axis=(-2, -1))


def kappa(
    gain: NDArray[np.float64],
    chi2: NDArray[np.float64],
    first: NDArray[np.float64],
    second: NDArray[np.float64],
    axis: int = -1,
) -> NDArray[np.float64]:
    """Cosine between the shift of behaviour and the proxy, from means over levels."""
    gain, chi2, first, second = (x.mean(axis=axis) for x in (gain, chi2, first, second))
    return gain / np.sqrt(np.maximum(second - first**2, 1e-9) * chi2)


def python_paths(
    states: Sequence[int], actions: Sequence[int], offsets: Sequence[int], num_actions: int
) -> list[tuple[int, float, int, float]]:
    """Length, revisit ratio, loops and turn entropy of each episode, from lists."""
    features = []
    for start, stop in pairwise(offsets):
        seen, revisits, loops, turns, before = set(), 0, 0, [0] * num_actions, None
        for state in states[start:stop]:
            if state in seen:
                revisits += 1
                loops += state != before
            seen.add(state)
            before = state
        moves = actions[start:stop]
        for a, b in pairwise(moves):
            turns[(b - a) % num_actions] += 1
        shares = [count / (stop - start - 1) for count in turns if count]
        entropy = -sum(share * np.log2(share) for share in shares)
        features.append((stop - start, revisits / (stop - start), loops, entropy))
    return features


def python_divergence(a: Sequence[int], b: Sequence[int], offsets: Sequence[int]) -> list[int]:
    """First step at which paired episodes of equal length differ, −1 for never, from lists."""
    steps = []
    for start, stop in pairwise(offsets):
        pairs = zip(a[start:stop], b[start:stop], strict=True)
        steps.append(next((t for t, (x, y) in enumerate(pairs) if x != y), -1))
    return steps
