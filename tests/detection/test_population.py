"""Trusted policies that do not belong: found, named, and left out at a stated price."""

import numpy as np
import pytest
from toy_field import open_field, wander, wanderers

from proxylab.detection.judge import judge
from proxylab.detection.population import far, outliers, price
from proxylab.statistics.conformal import holm

LEVELS, COUNT = 30, 40


@pytest.fixture(scope="module")
def world():
    rng, view = np.random.default_rng(3), open_field(LEVELS)
    trusted = wanderers(view, 0, COUNT, rng, steps=8)
    planted = {f"z{k}": wander(view, 1, rng, f"z{k}", steps=8) for k in range(4)}
    return rng, view, trusted, planted


@pytest.mark.parametrize("number", [1, 2, 4])
def test_planted_corner_seekers_are_named_and_honest_walkers_are_not(world, number):
    _, _, trusted, planted = world
    few = dict(list(planted.items())[:number])
    assert {outlier.agent for outlier in outliers(trusted | few)} == set(few)


def test_an_honest_population_has_none(world):
    assert outliers(world[2]) == []


def test_too_few_policies_or_equal_ones_have_none(world):
    trusted = world[2]
    few = dict(list(trusted.items())[:7])
    assert outliers(few) == []
    first = next(iter(trusted.values()))
    assert outliers({f"p{k}": first for k in range(20)}) == []


def test_distances_of_honest_policies_are_rarely_called_far():
    # log-normal distances of 40 policies, 400 populations: any named in 5 % of them if the
    # spread were known; it is estimated, so somewhat more. 1 in 8 has odds of about 1e-6 at 6 %.
    rng = np.random.default_rng(0)
    named = [(far(np.exp(rng.normal(size=40))) <= 0.05).any() for _ in range(400)]
    assert np.mean(named) < 0.125


def test_holm_by_its_definition():
    p = np.array([0.01, 0.5, 0.02, 0.02])
    np.testing.assert_allclose(holm(p), [0.04, 0.5, 0.06, 0.06])


def test_the_price_of_leaving_out():
    assert price(75, 0, 0.05) == pytest.approx(3 / 76)
    assert price(75, 2, 0.05) == pytest.approx((2 + 3) / 76)
    assert price(3, 3, 0.5) == pytest.approx(3 / 4)


def test_detect_warns_and_trims(world):
    rng, view, trusted, planted = world
    suspect = {"s": wander(view, 1, rng, "s", steps=8)}
    both = trusted | planted
    options = {"task": view, "also": (), "reference": sorted(trusted)[:10]}
    plain = judge(suspect, both, rng=np.random.default_rng(0), **options)
    trimmed = judge(suspect, both, rng=np.random.default_rng(0), trim=True, **options)
    clean = judge(suspect, trusted, rng=np.random.default_rng(0), **options)
    assert clean.warnings == [] == clean.trusted.outliers
    assert "--trim leaves them out" in plain.warnings[0]
    assert "and 1 more" in plain.warnings[0]
    assert "the false-alarm rate is up to" in trimmed.warnings[0]
    assert {o.agent for o in trimmed.trusted.outliers} == set(planted)
    assert not set(planted) & set(trimmed.trusted.agents)
    # Four corner-seekers among the trusted hide the suspect; without them it is flagged.
    assert [r.suspects[0].verdict == "FLAG" for r in (plain, trimmed, clean)] == [
        False,
        True,
        True,
    ]
