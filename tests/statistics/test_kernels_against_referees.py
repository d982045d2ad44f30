"""Every kernel against the slowest, plainest Python that says the same."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import jensenshannon

from proxylab.statistics.divergences import DIVERGENCES, ROW_KERNELS, row_divergences
from proxylab.statistics.returns import discounted_returns
from proxylab.statistics.sequences import NEVER, first_divergence
from proxylab.statistics.visitation import discounted_visitation, pooled_visitation

DISCOUNTS = st.sampled_from([0.5, 0.9, 0.99, 1.0])
RAGGED = st.lists(st.lists(st.integers(-1, 4), min_size=1, max_size=9), min_size=1, max_size=6)
WEIGHTS = st.lists(st.integers(0, 5), min_size=3, max_size=3).filter(any)
ROWS = st.lists(st.tuples(WEIGHTS, WEIGHTS), min_size=1, max_size=8)


def flat(sequences):
    offsets = np.cumsum([0] + [len(sequence) for sequence in sequences])
    return np.array([token for sequence in sequences for token in sequence]), offsets


def referee_visitation(sequence, num_states, discount):
    visits = [0.0] * num_states
    for step, state in enumerate(sequence):
        if state >= 0:
            visits[state] += discount**step
    total = sum(visits)
    return [weight / total if total else 0.0 for weight in visits]


@given(RAGGED, DISCOUNTS)
def test_visitation(sequences, discount):
    states, offsets = flat(sequences)
    expected = [referee_visitation(sequence, 5, discount) for sequence in sequences]
    found = discounted_visitation(states, offsets, 5, discount)
    np.testing.assert_allclose(found, expected, atol=1e-9)


@given(RAGGED, DISCOUNTS, st.data())
def test_pooled_visitation(sequences, discount, data):
    group = data.draw(st.lists(st.integers(0, 2), min_size=len(sequences), max_size=len(sequences)))
    states, offsets = flat(sequences)
    found = pooled_visitation(states, offsets, np.array(group), 3, 5, discount)
    for row in range(3):
        members = [s for s, g in zip(sequences, group, strict=True) if g == row and max(s) >= 0]
        rows = [referee_visitation(sequence, 5, discount) for sequence in members]
        expected = np.mean(rows, axis=0) if rows else np.zeros(5)
        np.testing.assert_allclose(found[row], expected, atol=1e-9)


def referee_divergences(p, q):
    with np.errstate(divide="ignore", invalid="ignore"):
        kl = np.where(p > 0, p * np.log2(p / q), 0).sum()
        chi2 = np.where((p == 0) & (q == 0), 0, (p - q) ** 2 / q).sum()
    return {
        "js": jensenshannon(p, q, base=2) ** 2,
        "hellinger": max(0, 1 - np.sqrt(p * q).sum()),  # its square
        "total_variation": max(p[list(s)].sum() - q[list(s)].sum() for s in SUBSETS),
        "kl": kl,
        "chi2": chi2,
    }


SUBSETS = [(), (0,), (1,), (2,), (0, 1), (0, 2), (1, 2), (0, 1, 2)]


@given(ROWS)
def test_divergences(rows):
    p, q = (np.array([row[side] for row in rows], float) for side in (0, 1))
    p, q = p / p.sum(axis=1, keepdims=True), q / q.sum(axis=1, keepdims=True)
    found = row_divergences(p, q)
    for k in range(len(rows)):
        expected = referee_divergences(p[k], q[k])
        squared = found[k] ** np.where(np.array(DIVERGENCES) == "hellinger", 2, 1)
        np.testing.assert_allclose(squared, [expected[n] for n in DIVERGENCES], atol=1e-9)
    for name, kernel in ROW_KERNELS.items():
        np.testing.assert_allclose(kernel(p, q), found[:, DIVERGENCES.index(name)], atol=1e-12)


@given(ROWS)
def test_js_and_total_variation_are_symmetric_and_bounded(rows):
    p, q = (np.array([row[side] for row in rows], float) for side in (0, 1))
    p, q = p / p.sum(axis=1, keepdims=True), q / q.sum(axis=1, keepdims=True)
    there, back = row_divergences(p, q)[:, :3], row_divergences(q, p)[:, :3]
    np.testing.assert_allclose(there, back, atol=1e-12)
    assert (there >= 0).all()
    assert (there <= 1 + 1e-12).all()


def test_divergences_of_known_pairs():
    found = row_divergences(np.array([[1.0, 0], [1, 0]]), np.array([[0.0, 1], [0.5, 0.5]]))
    assert found[0].tolist() == [1, 1, 1, np.inf, np.inf]
    js = 0.5 * np.log2(1 / 0.75) + 0.25 * np.log2(0.5 / 0.75) + 0.25
    np.testing.assert_allclose(found[1], [js, np.sqrt(1 - np.sqrt(0.5)), 0.5, 1, 1], atol=1e-12)


@given(RAGGED, DISCOUNTS)
def test_discounted_returns(sequences, discount):
    rewards, offsets = flat(sequences)
    expected = [sum(r * discount**t for t, r in enumerate(s)) for s in sequences]
    found = discounted_returns(rewards.astype(np.float32), offsets, discount)
    np.testing.assert_allclose(found, expected, atol=1e-9)


def referee_parting(a, b):
    if a == b:
        return NEVER
    return next(
        (t for t, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b))
    )


TWO_LETTERS = st.lists(st.integers(0, 1), min_size=1, max_size=4)


@given(st.lists(st.tuples(TWO_LETTERS, TWO_LETTERS), min_size=1, max_size=8))
def test_first_divergence(pairs):
    a, b = ([pair[side] for pair in pairs] for side in (0, 1))
    expected = [referee_parting(x, y) for x, y in pairs]
    assert first_divergence(*flat(a), *flat(b)).tolist() == expected


@pytest.mark.parametrize("swap", [False, True])
def test_a_trajectory_that_stops_early_parts_where_it_stops(swap):
    short, long = flat([[3, 1]]), flat([[3, 1, 4]])
    first, second = (long, short) if swap else (short, long)
    assert first_divergence(*first, *second).tolist() == [2]
