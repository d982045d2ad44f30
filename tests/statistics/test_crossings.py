"""Where curves cross a level: by hand, and the coverage of the interval by simulation."""

import numpy as np
import pytest

from proxylab.statistics.crossings import crossing_interval, first_crossing


@pytest.mark.parametrize(
    ("y", "where"),
    [
        ([0.0, 1.0, 0.0], 0.5),
        ([0.0, 0.25, 0.75], 3.0),
        ([0.5, 0.0, 0.0], 0.0),
        ([0.0, 0.5, 0.2], 1.0),
        ([0.0, 0.1, 0.2], np.inf),
    ],
)
def test_first_crossing_by_hand(y, where):
    assert first_crossing([0.0, 1.0, 5.0], y, 0.5) == where


def test_equal_units_have_no_interval():
    found = crossing_interval([0, 1], np.tile([0.0, 1.0], (4, 1)), 0.25, np.random.default_rng(0))
    assert found == (0.25, 0.25, 0.25)


def test_a_unit_that_never_crosses_makes_the_upper_bound_infinite():
    values = [[0.0, 0.6], [0.0, 0.0], [0.0, 0.9]]
    found = crossing_interval([0, 1], values, 0.5, np.random.default_rng(0))
    assert found.estimate == pytest.approx(1.0)
    assert (found.lower < 1, found.upper) == (True, np.inf)


@pytest.mark.parametrize("values", [np.zeros((3, 5)), np.zeros(2), np.zeros((0, 2))])
def test_values_of_another_shape_are_refused(values):
    with pytest.raises(ValueError, match=r"values must be|nothing to resample"):
        crossing_interval([0, 1], values, 0.5, np.random.default_rng(0))


def test_the_interval_covers():
    """150 trials, 20 units; nominal 95 %. By the binomial law, a coverage of .91 (percentile
    intervals of 20 units are a little short) falls below .82 with odds of 4e-4."""
    rng, x, hits = np.random.default_rng(1), np.arange(5.0), 0
    truth = first_crossing(x, x / 4, 0.5)
    for _ in range(150):
        values = x / 4 + rng.normal(0, 0.3, (20, 1)) + rng.normal(0, 0.1, (20, 5))
        found = crossing_interval(x, values, 0.5, rng, replicates=300)
        hits += found.lower <= truth <= found.upper
    assert hits / 150 >= 0.82
