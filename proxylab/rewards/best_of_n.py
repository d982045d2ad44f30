"""Best-of-n: the expected rewards of the best of n episodes, without bias from one pool.

The estimator is that of Nakano et al. 2021, "WebGPT", arXiv 2112.09332, appendix I: of all subsets
of n of the N pooled episodes, the one with rank i (ascending by the easy proxy, from 1) is the
best in C(i − 1, n − 1), so its weight in the mean over subsets is C(i − 1, n − 1) / C(N, n).
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import gammaln
from scipy.stats import rankdata


class BestOfN(NamedTuple):
    """Expected rewards of the episode that the easy proxy prefers among n."""

    easy: float
    hard: float


def best_of_n(easy: ArrayLike, hard: ArrayLike, n: int) -> BestOfN:
    """Both proxies of the best of n episodes by the easy one, without bias.

    Args:
        easy: float[N], the proxy that selects, one value per episode.
        hard: float[N], the other proxy of the same episodes.
        n: 1 to N.

    Raises:
        ValueError: n is not 1 to N, the lengths differ, or a value is not finite.
    """
    selecting, other = np.asarray(easy, np.float64), np.asarray(hard, np.float64)
    if selecting.shape != other.shape:
        raise ValueError(f"{selecting.shape} easy and {other.shape} hard values do not pair")
    if not np.isfinite(other).all():
        raise ValueError("hard values must be finite")
    weights = best_of_n_weights(selecting, n)
    return BestOfN(float(weights @ selecting), float(weights @ other))


def best_of_n_weights(easy: ArrayLike, n: int) -> NDArray[np.float64]:
    """Probability of each episode to be the best of a random subset of n: float64[N].

    Tied episodes share their weights equally: ties are broken at random.

    Args:
        easy: float[N].
        n: 1 to N.

    Raises:
        ValueError: n is not 1 to N, or a value is not finite.
    """
    selecting = np.asarray(easy, np.float64)
    if selecting.ndim != 1 or not np.isfinite(selecting).all():
        raise ValueError("easy values must be a list of finite numbers")
    if not 1 <= n <= len(selecting):
        raise ValueError(f"n = {n} is not between 1 and the {len(selecting)} pooled episodes")
    below = np.concatenate([[0.0], np.cumsum(_rank_weights(len(selecting), n))])
    first = rankdata(selecting, "min").astype(np.int64) - 1
    last = rankdata(selecting, "max").astype(np.int64)
    return (below[last] - below[first]) / (last - first)


def _rank_weights(pooled: int, n: int) -> NDArray[np.float64]:
    """C(i − 1, n − 1) / C(N, n) for i = 1 to N: float64[N]; by logarithms, nothing overflows."""
    ranks = np.arange(n, pooled + 1, dtype=np.float64)
    every = _log_choose(np.array(float(pooled)), n)
    weights = np.exp(_log_choose(ranks - 1, n - 1) - every)
    return np.concatenate([np.zeros(n - 1), weights / weights.sum()])


def _log_choose(of: NDArray[np.float64], taken: int) -> NDArray[np.float64]:
    """Logarithm of C(of, taken)."""
    return gammaln(of + 1) - gammaln(taken + 1) - gammaln(of - taken + 1)


def kl_of_best_of_n(n: int) -> float:
    """Bound ln n − (n − 1)/n, in nats, of the KL divergence of best-of-n from its policy.

    An upper bound: the divergence of the two distributions of episodes reaches it where no two
    episodes tie (Beirami et al. 2024, arXiv 2401.01879). Where few distinct episodes exist it
    is smaller, at most −ln p with p the probability of the best ones.

    Args:
        n: at least 1.
    """
    if n < 1:
        raise ValueError(f"best of {n}: n must be at least 1")
    return math.log(n) - (n - 1) / n
