"""The certificate: the inequality by brute force, and the estimate against exact sums."""

import numpy as np
import pytest
from gain_bounds import true_gain_bounds
from hypothesis import given
from hypothesis import strategies as st
from toy_population import NUM_ACTIONS, episodes_from, population, walk_ring

from proxylab.detection.certificate import certify, critical_correlation
from proxylab.detection.judge import judge
from proxylab.detection.pairing import NotApplicable
from proxylab.detection.shift import DISCOUNT, shift_from, trusted_visits

SEEDS = st.integers(0, 2**32 - 1)


def standardised(reward, mu):
    centred = reward - mu @ reward
    return centred / np.sqrt(mu @ centred**2)


def world(seed):
    """Trusted and suspect occupancy of a few cells, and the standardised proxy."""
    rng = np.random.default_rng(seed)
    cells = rng.integers(3, 8)
    mu, suspect = rng.dirichlet(np.ones(cells)), rng.dirichlet(np.full(cells, 0.5))
    return rng, mu, suspect, standardised(rng.normal(size=cells), mu)


@given(SEEDS)
def test_no_reward_breaks_the_bounds(seed):
    rng, mu, suspect, proxy = world(seed)
    chi2, p = np.sum((suspect - mu) ** 2 / mu), suspect @ proxy
    assert p**2 <= chi2 * (1 + 1e-9)
    for _ in range(80):
        true = standardised(rng.normal(size=len(mu)) + rng.normal(0, 3) * proxy, mu)
        low, high = true_gain_bounds(p, chi2, mu @ (true * proxy))
        assert low - 1e-9 <= suspect @ true <= high + 1e-9


@given(SEEDS, st.floats(0.05, 0.95))
def test_the_bounds_are_attained(seed, r):
    _, mu, suspect, proxy = world(seed)
    shift = suspect / mu - 1
    p = mu @ (shift * proxy)
    rest = shift - p * proxy
    worst = r * proxy - np.sqrt(1 - r**2) * rest / np.sqrt(mu @ rest**2)
    assert mu @ (worst * proxy) == pytest.approx(r)
    low, _ = true_gain_bounds(p, mu @ shift**2, r)
    assert suspect @ worst == pytest.approx(low, abs=1e-8)


@given(SEEDS)
def test_critical_correlation_divides_safe_from_harmed(seed):
    _, mu, suspect, proxy = world(seed)
    chi2, p = np.sum((suspect - mu) ** 2 / mu), suspect @ proxy
    critical = critical_correlation(p / np.sqrt(chi2))
    if p <= 0:
        assert critical is None
    elif 0.001 < critical < 0.999:
        assert true_gain_bounds(p, chi2, critical + 1e-3)[0] >= 0
        assert true_gain_bounds(p, chi2, critical - 1e-3)[0] < 0


def referee_shift(trusted, suspect, level):
    """(gain, χ², coverage, total variation) on one level, by dictionaries."""
    q, p = {}, {}
    for episodes, cells in ((trusted, q), (suspect, p)):
        own = np.flatnonzero(episodes.level_seed == level)
        for e in own:
            start, stop = episodes.episode_offsets[e : e + 2]
            for t, k in enumerate(range(start, stop)):
                reward = float(episodes.proxy_reward[k])
                cell = (int(episodes.state_id[k]), int(episodes.action[k]), reward)
                weight = (1 - DISCOUNT) * DISCOUNT**t / len(own)
                cells[cell] = cells.get(cell, 0) + weight
            cells["end"] = cells.get("end", 0) + DISCOUNT ** int(stop - start) / len(own)
    reward = {cell: 0.0 if cell == "end" else cell[2] for cell in {*p, *q}}
    gain = sum((p.get(c, 0) - q.get(c, 0)) * reward[c] for c in reward)
    chi2 = sum((p.get(c, 0) - q[c]) ** 2 / q[c] if c in q else np.inf for c in reward)
    distance = sum(abs(p.get(c, 0) - q.get(c, 0)) for c in reward) / 2
    return gain, chi2, sum(weight for cell, weight in p.items() if cell in q), distance


@given(SEEDS)
def test_the_estimate_sums_over_cells(seed):
    rng = np.random.default_rng(seed)
    levels = np.array([3, 3, 5, 5, 5])
    walks = [rng.integers(0, 3, rng.integers(1, 4)).tolist() for _ in levels]

    def randomly(walks, levels):
        count = sum(map(len, walks))
        return episodes_from(
            walks,
            levels=levels,
            actions=rng.integers(0, NUM_ACTIONS, count),
            proxy_reward=rng.integers(0, 2, count).astype(np.float32),
        )

    trusted, suspect = randomly(walks, levels), randomly(walks[1:3], levels[1:3])
    shift = shift_from(trusted_visits([trusted]), suspect)
    for row, level in enumerate((3, 5)):
        expected = referee_shift(trusted, suspect, level)
        found = (shift.gain[row], shift.chi2[row], shift.coverage[row])
        found += (shift.total_variation[row],)
        np.testing.assert_allclose(found, expected, atol=1e-12)


def test_an_unchanged_policy_is_cleared_at_any_correlation():
    trusted = [walk_ring("a", np.random.default_rng(0))]
    found = certify(trusted, trusted[0], 0.3, np.random.default_rng(0))
    assert (found.r_star, found.cleared_at, found.support_coverage) == (0, 0.3, pytest.approx(1))


def test_leaving_the_support_is_never_cleared():
    trusted = [episodes_from([[0, 1]], proxy_reward=np.array([0, 1], np.float32))] * 3
    suspect = episodes_from([[0, 5]], proxy_reward=np.array([0, 9], np.float32))
    found = certify(trusted, suspect, 0.999, np.random.default_rng(0))
    assert (found.kappa, found.r_star, found.cleared_at) == (0, None, None)
    assert found.support_coverage < 1


def test_more_of_the_proxy_and_nothing_else_is_cleared_at_a_modest_correlation():
    # One state; action 1 pays. The trusted take it half of the time, the suspect always: the
    # shift of behaviour is along the proxy but for the fixed absorbing weight.
    def plays(actions):
        actions = np.array(actions)
        return episodes_from(
            [[0]] * len(actions),
            levels=np.zeros(len(actions), int),
            actions=actions,
            proxy_reward=actions.astype(np.float32),
        )

    found = certify([plays([0, 1] * 5)], plays([1] * 10), 0.9, np.random.default_rng(0))
    assert found.kappa == pytest.approx(found.kappa_lower)
    assert found.kappa > 0.7
    assert found.cleared_at == 0.9
    assert (
        certify([plays([0, 1] * 5)], plays([1] * 10), None, np.random.default_rng(0)).cleared_at
        is None
    )


def test_the_certificate_never_changes_a_verdict():
    rng = np.random.default_rng(12)
    suspects = {"hack": walk_ring("hack", rng, tilt=4.0), "fresh": walk_ring("fresh", rng)}
    trusted = population(30, rng)
    plain, vouched = (
        judge(suspects, trusted, rng=np.random.default_rng(0), correlation=r) for r in (None, 0.999)
    )
    assert [s.verdict for s in plain.suspects] == [s.verdict for s in vouched.suspects]
    assert all(s.certificate.support_coverage <= 1 + 1e-9 for s in plain.suspects)


def test_unknown_proxy_rewards_give_no_certificate():
    trusted = [episodes_from([[0, 1]], proxy_reward=None)]
    with pytest.raises(NotApplicable, match="needs proxy rewards"):
        certify(trusted, trusted[0], None, np.random.default_rng(0))
