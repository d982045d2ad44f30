"""The best known alternatives to the kernels of ``proxylab.statistics``."""

from itertools import pairwise

import numpy as np
from scipy.signal import lfilter
from scipy.spatial.distance import cdist, jensenshannon
from scipy.stats import bootstrap, trim_mean

REPLICATES = 2000
PERMUTATIONS = 1000


def lfilter_returns(parts, discount):
    """Discounted return of each of a list of float64[L]."""
    return [lfilter([1], [1, -discount], part[::-1])[-1] for part in parts]


def _weights(offsets, discount):
    lengths = np.diff(offsets)
    weights = discount ** (np.arange(offsets[-1]) - np.repeat(offsets[:-1], lengths))
    return weights / np.repeat(np.add.reduceat(weights, offsets[:-1]), lengths)


def bincount_visitation(states, offsets, num_states, discount):
    """Visitation of each episode: float64[E, S]."""
    episodes = len(offsets) - 1
    cells = np.repeat(np.arange(episodes) * num_states, np.diff(offsets)) + states
    table = np.bincount(cells, _weights(offsets, discount), episodes * num_states)
    return table.reshape(episodes, num_states)


def bincount_pooled(states, offsets, level, num_levels, num_states, discount):
    """Mean visitation of the episodes of each level: float64[L, S]."""
    cells = np.repeat(level * num_states, np.diff(offsets)) + states
    table = np.bincount(cells, _weights(offsets, discount), num_levels * num_states)
    return table.reshape(num_levels, num_states) / np.bincount(level, minlength=num_levels)[:, None]


def scipy_js(p, q):
    """Jensen–Shannon distance of each row of float64[N, K]."""
    return jensenshannon(p, q, axis=1)  # ty: ignore[unknown-argument]


def numpy_divergences(p, q):
    """JS, Hellinger, TV, KL and chi² of rows without zeros: five float64[N]."""
    middle = (p + q) / 2
    mine, theirs = np.log2(p / middle), np.log2(q / middle)
    return (
        0.5 * (p * mine + q * theirs).sum(axis=1),
        np.sqrt(0.5 * ((np.sqrt(p) - np.sqrt(q)) ** 2).sum(axis=1)),
        0.5 * np.abs(p - q).sum(axis=1),
        (p * (mine - theirs)).sum(axis=1),
        ((p - q) ** 2 / q).sum(axis=1),
    )


def cdist_blocks(points, offsets, kernel, bandwidth):
    """Block means of all pairs of episodes: float64[E, E]."""
    if kernel == "gaussian":
        pairs = np.exp(cdist(points, points, "sqeuclidean") * (-0.5 / bandwidth**2))
    else:
        pairs = -cdist(points, points)
    sums = np.add.reduceat(np.add.reduceat(pairs, offsets[:-1], axis=0), offsets[:-1], axis=1)
    lengths = np.diff(offsets)
    return sums / lengths[:, None] / lengths


def sign_matrix(blocks, labels, rng):
    """T of 1,000 relabellings as sᵀ B s, s = 1/m on one side and −1/n on the other."""
    signs = np.where(labels, 1 / labels.sum(), -1 / (~labels).sum())
    signs = rng.permuted(np.tile(signs, (PERMUTATIONS, 1)), axis=1)
    return np.einsum("re,re->r", signs @ blocks, signs)


def scipy_bootstrap(data, statistic, paired=False):
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


def middle_mean(values, axis=-1):
    """Mean of the middle half, where quarters are whole."""
    return trim_mean(values, 0.25, axis=axis)


def area(above, below, axis=-1):
    """AUROC of the last axes: wins of all pairs, ties half."""
    gaps = above[..., :, None] - below[..., None, :]
    return ((gaps > 0) + 0.5 * (gaps == 0)).mean(axis=(-2, -1))


def kappa(gain, chi2, first, second, axis=-1):
    """Cosine between the shift of behaviour and the proxy, from means over levels."""
    gain, chi2, first, second = (x.mean(axis=axis) for x in (gain, chi2, first, second))
    return gain / np.sqrt(np.maximum(second - first**2, 1e-9) * chi2)


def python_paths(states, actions, offsets, num_actions):
    """Length, revisit ratio, loops and turn entropy of each episode, from lists."""
    found = []
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
        found.append((stop - start, revisits / (stop - start), loops, entropy))
    return found


def python_divergence(a, b, offsets):
    """First step at which paired episodes of equal length differ, −1 for never, from lists."""
    found = []
    for start, stop in pairwise(offsets):
        pairs = zip(a[start:stop], b[start:stop], strict=True)
        found.append(next((t for t, (x, y) in enumerate(pairs) if x != y), -1))
    return found
