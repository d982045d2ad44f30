"""Higher criticism and tails against their definitions."""

import numpy as np
import pytest

from proxylab.statistics.rare import TAIL, higher_criticism, mixture_limit, upper_tail


def plain_higher_criticism(p_values):
    p, best = sorted(p_values), -np.inf
    n = len(p)
    for rank in range(1, max(1, n // 2) + 1):
        value = min(p[rank - 1], 1 - 1 / (2 * n))
        best = max(best, n**0.5 * (rank / n - value) / (value * (1 - value)) ** 0.5)
    return best


@pytest.mark.parametrize("count", [1, 2, 5, 200])
def test_higher_criticism_by_its_definition(count):
    p = np.random.default_rng(count).random(count)
    assert higher_criticism(p) == pytest.approx(plain_higher_criticism(p), abs=1e-9)


def test_a_few_small_p_values_stand_out_and_all_ones_do_not():
    rng = np.random.default_rng(0)
    honest = [higher_criticism(rng.random(500)) for _ in range(200)]
    few = [higher_criticism(np.append(rng.random(495), rng.random(5) * 1e-4)) for _ in range(200)]
    assert np.median(few) > np.quantile(honest, 0.95)
    assert np.isfinite(higher_criticism(np.ones(10)))


def test_the_tail_is_the_rank_within_the_sample_and_falls_beyond_it():
    null = np.sort(np.random.default_rng(1).exponential(size=1_000))
    inside = np.quantile(null, 1 - TAIL) * np.array([0.1, 0.5, 0.9])
    ranks = [(1 + sum(null >= value)) / 1_001 for value in inside]
    np.testing.assert_allclose(upper_tail(null, inside), ranks)
    beyond = upper_tail(null, np.array([10.0, 20.0, 1e9]))
    assert beyond[0] > beyond[1] > beyond[2] > 0
    # exponential in truth: P(x ≥ 10) = e^−10, within a factor of e^1.5
    assert abs(np.log(beyond[0]) + 10) < 1.5


def test_a_sample_of_equal_values_has_no_tail():
    assert upper_tail(np.ones(9), np.array([0.0, 1.0, 2.0])).tolist() == [1.0, 1.0, 0.1]


def test_the_limit_of_power():
    assert mixture_limit(0.0, 200, 0.05) == pytest.approx(0.05)
    assert mixture_limit(0.01, 200, 0.05) == pytest.approx(0.05 + 1 - 0.99**200)
    assert mixture_limit(0.3, 200, 0.05) == 1.0
