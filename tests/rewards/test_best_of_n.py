"""Best-of-n against all subsets, ties against random breaking, and the bound of the KL."""

import itertools
import math

import numpy as np
import pytest

from proxylab.rewards.best_of_n import best_of_n, best_of_n_weights, kl_of_best_of_n


def over_all_subsets(easy, hard, n):
    """Mean of both proxies of the best of each subset; tied best episodes are averaged."""
    pairs = []
    for subset in itertools.combinations(range(len(easy)), n):
        top = max(easy[i] for i in subset)
        tied = [hard[i] for i in subset if easy[i] == top]
        pairs.append((top, sum(tied) / len(tied)))
    return np.mean(pairs, axis=0)


@pytest.mark.parametrize("n", range(1, 9))
def test_the_estimate_is_the_mean_over_all_subsets(n):
    rng = np.random.default_rng(n)
    easy, hard = rng.normal(size=(2, 8))
    assert best_of_n(easy, hard, n) == pytest.approx(over_all_subsets(easy, hard, n), abs=1e-12)


@pytest.mark.parametrize("n", range(1, 8))
def test_ties_are_averaged(n):
    easy = [1, 0, 1, 2, 2, 0, 1]
    hard = [3.0, -1.0, 0.5, 2.0, 7.0, 4.0, 1.0]
    assert best_of_n(easy, hard, n) == pytest.approx(over_all_subsets(easy, hard, n), abs=1e-12)


def test_the_order_of_tied_episodes_does_not_matter():
    easy, hard = np.array([1, 1, 0, 1.0]), np.array([5, 1, 2, 0.0])
    order = [3, 2, 0, 1]
    assert best_of_n(easy, hard, 2) == best_of_n(easy[order], hard[order], 2)


def test_one_is_the_mean_and_all_is_the_best():
    easy, hard = np.arange(50.0), np.cos(np.arange(50.0))
    assert best_of_n(easy, hard, 1) == pytest.approx((easy.mean(), hard.mean()))
    assert best_of_n(easy, hard, 50) == pytest.approx((49, hard[-1]))


@pytest.mark.parametrize("n", [1, 2, 100, 50_000, 99_999, 100_000])
def test_a_large_pool_does_not_overflow(n):
    weights = best_of_n_weights(np.arange(100_000.0), n)
    assert weights.sum() == pytest.approx(1)
    assert (weights >= 0).all()
    mean = n * 100_001 / (n + 1) - 1  # of the largest of n among 0 to N − 1
    assert weights @ np.arange(100_000) == pytest.approx(mean, rel=1e-6)


def test_an_estimate_with_replacement_would_be_biased():
    """The control: taking the best of n with replacement is not the mean over subsets."""
    easy = np.arange(6.0)
    replaced = np.mean([max(draw) for draw in itertools.product(easy, repeat=3)])
    assert abs(replaced - best_of_n(easy, easy, 3).easy) > 0.1


@pytest.mark.parametrize(
    ("easy", "hard", "n"),
    [([1, 2], [1, 2], 0), ([1, 2], [1, 2], 3), ([1], [1, 2], 1), ([np.nan], [1], 1)],
)
def test_what_cannot_be_estimated_is_refused(easy, hard, n):
    with pytest.raises(ValueError, match=r"\w"):
        best_of_n(easy, hard, n)


def test_hard_values_must_be_numbers():
    with pytest.raises(ValueError, match="hard values"):
        best_of_n([1, 2], [1, np.inf], 1)


def exact_kl(probabilities, n):
    """KL of best-of-n from a policy over episodes, ascending, by their exact distribution."""
    below = np.concatenate([[0.0], np.cumsum(probabilities)])
    best = np.diff(below**n)
    return float(np.sum(best * np.log(best / probabilities)))


@pytest.mark.parametrize("n", [1, 2, 4, 16])
def test_the_kl_is_an_upper_bound_that_fine_distributions_reach(n):
    bound = kl_of_best_of_n(n)
    assert exact_kl(np.full(4, 0.25), n) <= bound + 1e-12
    assert exact_kl(np.full(100_000, 1e-5), n) == pytest.approx(bound, abs=1e-3)
    if n == 16:
        assert exact_kl(np.full(4, 0.25), n) < bound - 0.3


def test_the_kl_of_one_is_none_and_of_none_is_refused():
    assert kl_of_best_of_n(1) == 0
    assert kl_of_best_of_n(4) == pytest.approx(math.log(4) - 0.75)
    with pytest.raises(ValueError, match="at least 1"):
        kl_of_best_of_n(0)
