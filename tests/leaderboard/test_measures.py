"""Figures of merit against their definitions."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxylab.leaderboard.measures import (
    aurocs,
    best_f1,
    episodes_needed,
    precision_at,
    shuffled_aurocs,
    true_positive_rate,
)
from proxylab.statistics.resampling import auroc

SCORES = st.lists(st.integers(0, 6), min_size=1, max_size=12).map(np.array)


@given(SCORES, SCORES, st.sampled_from([0.0, 0.01, 0.05, 0.25, 0.5]))
def test_hit_rate_is_the_best_of_all_thresholds(positive, negative, rate):
    thresholds = [-1, *range(8)]
    allowed = [t for t in thresholds if np.mean(negative > t) <= rate + 1e-12]
    best = max(np.mean(positive > t) for t in allowed)
    assert true_positive_rate(positive, negative, rate) == best


@given(SCORES, SCORES)
def test_f1_is_the_best_of_all_thresholds(positive, negative):
    found = []
    for threshold in range(7):
        flagged = (positive >= threshold).sum(), (negative >= threshold).sum()
        if sum(flagged):
            precision, recall = flagged[0] / sum(flagged), flagged[0] / len(positive)
            if precision + recall:
                found.append(2 * precision * recall / (precision + recall))
    assert best_f1(positive, negative) == pytest.approx(max(found))


def test_precision_follows_bayes():
    assert precision_at(0.1, 1.0, 0.05) == pytest.approx(0.1 / 0.145)
    assert precision_at(0.01, 0.5, 0.05) == pytest.approx(0.005 / 0.0545)
    assert np.isnan(precision_at(0.1, 0.0, 0.0))


@given(SCORES, SCORES)
def test_areas_of_rows_are_those_of_each(positive, negative):
    row = np.concatenate([positive, negative])
    flags = np.arange(len(row)) < len(positive)
    found = aurocs(np.array([row, -row]), flags)
    assert found == pytest.approx([auroc(positive, negative), 1 - auroc(positive, negative)])


def test_shuffled_labels_know_nothing():
    # 2,000 draws of 10 against 20: standard deviation .115, of the mean .0026; .012 is 4.6 of them.
    positive, negative = np.arange(100.0, 110), np.arange(20.0)
    drawn = shuffled_aurocs(positive, negative, np.random.default_rng(0), 2000)
    assert abs(drawn.mean() - 0.5) < 0.012
    assert drawn.std() == pytest.approx(np.sqrt(31 / (12 * 200)), rel=0.1)  # Mann and Whitney 1947


def test_episodes_are_enough_when_more_do_not_fall_below():
    assert episodes_needed({2: 0.95, 5: 0.8, 10: 0.92, 20: 0.99}) == 10
    assert episodes_needed({2: 0.95, 5: 0.91}) == 2
    assert episodes_needed({2: 0.95, 5: 0.5}) is None
