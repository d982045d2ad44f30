"""The certificate's inequality in exactly solved decision processes, 14,000 random ones.

Occupancies come from linear equations, true gains from value functions, so that neither
the occupancy nor the inequality is taken for granted. No case may break a bound.
"""

from typing import NamedTuple

import numpy as np
import pytest
from gain_bounds import true_gain_bounds
from toy_population import NUM_ACTIONS, episodes_from

from proxylab.detection.certificate import (
    bootstrapped_kappas,
    certify,
    critical_correlation,
)
from proxylab.detection.shift import (
    DISCOUNT,
    UNCHANGED,
    level_forms,
    shift_from,
    trusted_visits,
)

SIZES = [(3, 2, 8000, 0), (5, 3, 4000, 1), (8, 2, 2000, 2)]
"""States (the last one absorbing), actions, worlds, seed."""


class Worlds(NamedTuple):
    """N decision processes with two policies each, solved exactly.

    ``move`` [N, S, A, S]; ``policies`` [2, N, S, A]; ``start`` [N, S]; ``gamma`` [N];
    ``occupancy`` [2, N, S·A], each row sums to 1.
    """

    move: np.ndarray
    policies: np.ndarray
    start: np.ndarray
    gamma: np.ndarray
    occupancy: np.ndarray


def make_worlds(states, actions, count, seed):
    rng = np.random.default_rng(seed)
    move = rng.dirichlet(np.full(states, 0.4), (count, states, actions))
    move[:, -1] = np.eye(states)[-1]
    trusted = rng.dirichlet(np.full(actions, 1.5), (count, states))
    # Suspects from nearly the same policy to quite another one.
    far = rng.uniform(0.02, 1, (count, 1, 1))
    suspect = (1 - far) * trusted + far * rng.dirichlet(np.full(actions, 0.4), (count, states))
    policies = np.stack([trusted, suspect])
    start = rng.dirichlet(np.ones(states), count)
    start[:, -1] = 0
    start /= start.sum(axis=1, keepdims=True)
    gamma = rng.uniform(0.3, 0.97, count)
    occupancy = np.stack([exact_occupancy(move, p, start, gamma) for p in policies])
    return rng, Worlds(move, policies, start, gamma, occupancy)


def exact_occupancy(move, policy, start, gamma):
    """(1 − γ) Σ_t γ^t P(s_t, a_t), float64[N, S·A], by solving d = (1 − γ) start + γ Pᵀ d."""
    chain = np.einsum("nsa,nsat->nst", policy, move)
    system = np.eye(chain.shape[1]) - gamma[:, None, None] * chain.transpose(0, 2, 1)
    visits = np.linalg.solve(system, ((1 - gamma)[:, None] * start)[:, :, None])[:, :, 0]
    return (visits[:, :, None] * policy).reshape(len(start), -1)


def value(worlds, policy, reward):
    """(1 − γ) times the discounted return of a policy, float64[N], by its value function."""
    rewards = reward.reshape(policy.shape)
    chain = np.einsum("nsa,nsat->nst", policy, worlds.move)
    system = np.eye(chain.shape[1]) - worlds.gamma[:, None, None] * chain
    mean = np.einsum("nsa,nsa->ns", policy, rewards)
    values = np.linalg.solve(system, mean[:, :, None])[:, :, 0]
    return (1 - worlds.gamma) * np.einsum("ns,ns->n", worlds.start, values)


def standardised(reward, mu):
    """Mean 0, variance 1 under μ."""
    centred = reward - np.sum(mu * reward, axis=1, keepdims=True)
    return centred / np.sqrt(np.sum(mu * centred**2, axis=1, keepdims=True))


def random_reward(rng, worlds):
    """Any reward of states and actions, nothing after the end."""
    count, states, actions = worlds.policies.shape[1:]
    reward = rng.normal(size=(count, states, actions))
    reward[:, -1] = 0
    return reward.reshape(count, -1)


@pytest.fixture(scope="module", params=SIZES, ids=lambda size: f"{size[0]} states")
def solved(request):
    """(rng, worlds, μ, standardised proxy, χ², p)."""
    rng, worlds = make_worlds(*request.param)
    mu, suspect = worlds.occupancy
    proxy = standardised(random_reward(rng, worlds), mu)
    chi2 = np.sum((suspect - mu) ** 2 / mu, axis=1)
    return rng, worlds, mu, proxy, chi2, np.sum(suspect * proxy, axis=1)


def bounds(p, chi2, r):
    return np.array([true_gain_bounds(*row) for row in zip(p, chi2, r, strict=True)]).T


def test_occupancies_are_distributions_and_give_the_returns(solved):
    rng, worlds, _, _, _, _ = solved
    np.testing.assert_allclose(worlds.occupancy.sum(axis=2), 1)
    reward = random_reward(rng, worlds)
    for policy, occupancy in zip(worlds.policies, worlds.occupancy, strict=True):
        expected = np.sum(occupancy * reward, axis=1)
        np.testing.assert_allclose(value(worlds, policy, reward), expected, atol=1e-9)


def test_the_proxy_s_gain_is_at_most_the_root_of_chi2(solved):
    *_, chi2, p = solved
    assert (p**2 <= chi2 * (1 + 1e-9) + 1e-12).all()


@pytest.mark.parametrize("pull", [0.0, 1.0, 4.0])
def test_no_true_reward_breaks_the_bounds(solved, pull):
    """``pull`` draws the true reward towards the proxy, so that every correlation occurs."""
    rng, worlds, mu, proxy, chi2, p = solved
    scale = pull * rng.uniform(size=(len(mu), 1))
    reward = standardised(random_reward(rng, worlds) + scale * proxy, mu)
    gain = value(worlds, worlds.policies[1], reward) - value(worlds, worlds.policies[0], reward)
    low, high = bounds(p, chi2, np.sum(mu * reward * proxy, axis=1))
    assert (low - 1e-7 <= gain).all()
    assert (gain <= high + 1e-7).all()


def test_the_bounds_are_reached_by_a_compatible_reward(solved):
    rng, worlds, mu, proxy, chi2, p = solved
    r = rng.uniform(0, 1, len(mu))
    shift = worlds.occupancy[1] / mu - 1
    rest = shift - p[:, None] * proxy
    size = np.sqrt(np.sum(mu * rest**2, axis=1))
    clear = size > 1e-6
    worst = (
        r[:, None] * proxy - np.sqrt(1 - r**2)[:, None] * rest / np.where(clear, size, 1)[:, None]
    )
    gain = value(worlds, worlds.policies[1], worst) - value(worlds, worlds.policies[0], worst)
    np.testing.assert_allclose(np.sum(mu * worst * proxy, axis=1)[clear], r[clear], atol=1e-6)
    np.testing.assert_allclose(gain[clear], bounds(p, chi2, r)[0][clear], atol=1e-6)


def test_below_the_critical_correlation_an_intent_is_harmed_and_above_none(solved):
    *_, chi2, p = solved
    kappa = p / np.sqrt(chi2)
    critical = [critical_correlation(k) for k in kappa]
    assert all((c is None) == (k <= 0) for c, k in zip(critical, kappa, strict=True))
    helped = np.array([c is not None and 0.01 < c < 0.99 for c in critical])
    assert helped.sum() > 500
    r = np.array([c for c, keep in zip(critical, helped, strict=True) if keep])
    above, below = (bounds(p[helped], chi2[helped], r + step)[0] for step in (0.005, -0.005))
    assert (above >= 0).all()
    assert (below < 0).all()


def test_ignoring_the_end_of_episodes_would_break_it(solved):
    """The control: without the absorbing cell, some worlds do break the bound."""
    rng, worlds, *_ = solved
    actions = worlds.policies.shape[3]
    inside = worlds.occupancy[:, :, :-actions]
    mu, suspect = inside / inside.sum(axis=2, keepdims=True)
    reward = random_reward(rng, worlds)
    gain = value(worlds, worlds.policies[1], reward) - value(worlds, worlds.policies[0], reward)
    proxy = standardised(reward[:, :-actions], mu)
    chi2, p = np.sum((suspect - mu) ** 2 / mu, axis=1), np.sum(suspect * proxy, axis=1)
    # The true reward is the proxy: r = 1, so that its gain should have the proxy's sign.
    low, _ = bounds(p, chi2, np.ones(len(p)))
    assert ((low > 1e-3) & (gain < -1e-3)).any()


def walks(rng, count, level=0):
    """Episodes of a random policy on one level, with a proxy that the state decides."""
    paths = [rng.integers(0, 3, rng.integers(1, 5)).tolist() for _ in range(count)]
    states = np.concatenate(paths)
    return episodes_from(
        paths,
        levels=np.full(count, level),
        actions=rng.integers(0, NUM_ACTIONS, len(states)),
        proxy_reward=(states == 1).astype(np.float32),
    )


@pytest.mark.parametrize("seed", range(5))
def test_forms_weigh_episodes_as_choosing_them_does(seed):
    rng = np.random.default_rng(seed)
    visits = trusted_visits([walks(rng, 60)])
    suspect = walks(rng, 7)
    (form,) = level_forms(visits, suspect)
    for _ in range(10):
        chosen = rng.integers(0, 7, 7)
        shares = np.bincount(chosen, minlength=7) / 7
        shift = shift_from(visits, suspect.select(chosen))
        assert shares @ form.gain == pytest.approx(shift.gain[0], abs=1e-12)
        if form.leaves[chosen].any():
            assert shift.chi2[0] == np.inf
        else:
            assert shares @ form.form @ shares == pytest.approx(shift.chi2[0], abs=1e-9)


def test_the_lower_bound_strays_with_the_episodes_of_a_single_level():
    rng = np.random.default_rng(3)
    visits = trusted_visits([walks(rng, 500)])
    suspect = walks(rng, 30)
    found = bootstrapped_kappas(visits, suspect, shift_from(visits, suspect), rng)
    whole = certify(visits, suspect, None, rng)
    assert np.std(found) > 0.01
    assert whole.kappa_lower < whole.kappa - 0.01


def test_plug_in_estimates_err_on_the_safe_side():
    # One state, the proxy pays action 1: trusted .5, suspect .8, one step: w = ±.6 (1 − γ) on
    # two cells, all of it along the proxy but for the absorbing cell. Exact κ by hand below.
    # With 40 suspect and 2,000 trusted episodes, 200 times: the lower bound exceeds the exact
    # κ in 2.5 % by design; more than 7 % has odds below 1e-3.
    def plays(rng, chance, count):
        actions = (rng.random(count) < chance).astype(np.int64)
        rewards = actions.astype(np.float32)
        return episodes_from(
            [[0]] * count, levels=np.zeros(count, int), actions=actions, proxy_reward=rewards
        )

    live = 1 - DISCOUNT
    mu = np.array([0.5 * live, 0.5 * live, DISCOUNT])
    shift = np.array([-0.3 * live, 0.3 * live, 0.0])
    reward = np.array([0.0, 1.0, 0.0])
    sigma = np.sqrt(mu @ reward**2 - (mu @ reward) ** 2)
    exact = (shift @ reward / sigma) / np.sqrt(np.sum(shift**2 / mu))
    rng = np.random.default_rng(7)
    visits = trusted_visits([plays(rng, 0.5, 2000)])
    lower = [certify(visits, plays(rng, 0.8, 40), None, rng).kappa_lower for _ in range(200)]
    assert np.mean(np.array(lower) > exact) <= 0.07


def test_cells_without_actions_are_coarser_and_see_no_change_of_actions():
    rng = np.random.default_rng(5)
    first, second = walks(rng, 40), walks(rng, 9)
    fine, coarse = (
        shift_from(trusted_visits([first], kind), second) for kind in ("state-actions", "states")
    )
    assert coarse.chi2[0] < fine.chi2[0]
    assert coarse.gain[0] == pytest.approx(fine.gain[0])
    mirrored = episodes_from(
        [[0, 1]], actions=np.array([1, 0]), proxy_reward=np.array([0, 1], np.float32)
    )
    straight = episodes_from(
        [[0, 1]], actions=np.array([0, 0]), proxy_reward=np.array([0, 1], np.float32)
    )
    assert shift_from(trusted_visits([straight], "states"), mirrored).chi2[0] <= UNCHANGED
    assert shift_from(trusted_visits([straight]), mirrored).chi2[0] == np.inf
