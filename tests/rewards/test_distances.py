"""EPIC and STARC: what they must ignore, what they must see, and by hand."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxylab.rewards.distances import (
    TransitionBatch,
    canonically_shaped,
    epic,
    epic_sampled,
    starc,
    value_adjusted,
)

S, A, GAMMA = 5, 3, 0.9
SEEDS = st.integers(0, 2**32 - 1)


def world(seed):
    """(reward float64[S, A, S], dynamics float64[S, A, S], EPIC's distributions, generator)."""
    rng = np.random.default_rng(seed)
    dynamics = rng.dirichlet(np.ones(S), (S, A))
    named = {
        "states": rng.dirichlet(np.ones(S)),
        "actions": rng.dirichlet(np.ones(A)),
        "transitions": rng.dirichlet(np.ones(S * A * S)).reshape(S, A, S),
        "discount": GAMMA,
        "coverage": "made up",
    }
    return rng.normal(size=(S, A, S)), dynamics, named, rng


def shaped(reward, potential, scale=1.0):
    """R'(s, a, s') = scale · R + γ φ(s') − φ(s)."""
    return scale * reward + GAMMA * potential[None, None, :] - potential[:, None, None]


def both(first, second, seed):
    """(EPIC, STARC) of two tables in the world of a seed."""
    _, dynamics, named, _ = world(seed)
    return (
        epic(first, second, **named).distance,
        starc(first, second, dynamics=dynamics, discount=GAMMA).distance,
    )


@settings(max_examples=30, deadline=None)
@given(SEEDS, st.floats(1e-2, 1e2))
def test_shaping_and_scale_change_neither_distance(seed, scale):
    reward, *_, rng = world(seed)
    other = rng.normal(size=reward.shape)
    twin = shaped(reward, 10 * rng.normal(size=S), scale)
    assert max(both(reward, twin, seed)) < 1e-6
    assert both(twin, other, seed) == pytest.approx(both(reward, other, seed), abs=1e-6)


@settings(max_examples=30, deadline=None)
@given(SEEDS)
def test_the_negative_is_as_far_as_can_be(seed):
    reward, *_, rng = world(seed)
    assert both(reward, -shaped(reward, rng.normal(size=S)), seed) == pytest.approx((1, 1))


@settings(max_examples=30, deadline=None)
@given(SEEDS)
def test_another_reward_at_one_state_is_seen(seed):
    """The control: a change that no potential explains moves both distances."""
    reward, *_ = world(seed)
    changed = reward.copy()
    changed[2, 1] += 3
    assert min(both(reward, changed, seed)) > 1e-3


@settings(max_examples=30, deadline=None)
@given(SEEDS)
def test_they_are_symmetric_and_keep_the_triangle(seed):
    first, *_, rng = world(seed)
    second, third = rng.normal(size=(2, S, A, S))
    assert both(first, second, seed) == pytest.approx(both(second, first, seed))
    direct, detour = (
        both(first, third, seed),
        np.add(both(first, second, seed), both(second, third, seed)),
    )
    assert (np.array(direct) <= detour + 1e-9).all()


def test_shaping_with_another_discount_is_seen():
    reward, *_, rng = world(0)
    potential = 3 * rng.normal(size=S)
    wrong = reward + 0.3 * potential[None, None, :] - potential[:, None, None]
    assert min(both(reward, wrong, 0)) > 0.05


def test_redistribution_over_next_states_is_seen_by_epic_only():
    """A change with mean 0 under the dynamics: no policy can notice it."""
    reward, dynamics, *_, rng = world(1)
    change = rng.normal(size=reward.shape)
    change -= (dynamics * change).sum(axis=2, keepdims=True)
    far, near = both(reward, reward + 3 * change, 1)
    assert far > 0.1
    assert near < 1e-6


def test_the_canonical_shape_by_hand():
    """One action, equal odds: means 0.5 and 2.5 of the two states, 1.5 of both."""
    reward = np.array([[[0.0, 1.0]], [[2.0, 3.0]]])
    found = canonically_shaped(reward, [0.5, 0.5], [1.0], discount=0.5)[:, 0]
    first = [0 + 0.25 - 0.5 - 0.75, 1 + 1.25 - 0.5 - 0.75]
    second = [2 + 0.25 - 2.5 - 0.75, 3 + 1.25 - 2.5 - 0.75]
    assert found == pytest.approx(np.array([first, second]))


def test_uncorrelated_rewards_are_at_the_root_of_a_half():
    """Paid for action 0, and paid for the action with the number of the state."""
    action, state = np.zeros((2, 2, 2)), np.zeros((2, 2, 2))
    action[:, 0] = state[0, 0] = state[1, 1] = 1
    found = epic(
        action,
        state,
        states=[0.5, 0.5],
        actions=[0.5, 0.5],
        transitions=np.full((2, 2, 2), 1 / 8),
        discount=0.0,
        coverage="uniform",
    )
    assert found.distance == pytest.approx(math.sqrt(0.5))
    assert (found.method, found.coverage) == ("EPIC", "uniform")


def test_levelling_is_the_advantage():
    reward, dynamics, *_, rng = world(3)
    policy = rng.dirichlet(np.ones(A), S)
    advantage = value_adjusted(reward, dynamics, policy, GAMMA)
    assert (policy * advantage).sum(axis=1) == pytest.approx(np.zeros(S), abs=1e-12)
    values = np.zeros(S)
    for _ in range(2_000):  # policy evaluation in place of the linear solution
        values = (policy * (dynamics * (reward + GAMMA * values)).sum(axis=2)).sum(axis=1)
    again = (dynamics * (reward + GAMMA * values)).sum(axis=2) - values[:, None]
    assert advantage == pytest.approx(again, abs=1e-9)


@pytest.mark.parametrize("constant", [0.0, 7.0])
def test_a_trivial_reward_is_named(constant):
    reward, dynamics, named, rng = world(4)
    trivial = shaped(np.full(reward.shape, constant), rng.normal(size=S))
    assert math.isnan(epic(reward, trivial, **named).distance)
    options = {"dynamics": dynamics, "discount": GAMMA}
    assert starc(reward, trivial, **options).distance == pytest.approx(0.5)
    assert starc(2 * trivial, trivial, **options).distance == 0


def sample(seed, count=400, pairs=300):
    """(batch, states, actions, the exact distributions) drawn in the world of a seed."""
    _, _, named, rng = world(seed)
    flat = rng.choice(S * A * S, count, p=named["transitions"].ravel())
    s, a, t = np.unravel_index(flat, (S, A, S))
    states = rng.choice(S, pairs, p=named["states"])
    actions = rng.choice(A, pairs, p=named["actions"])
    return TransitionBatch(s, a, t, "made up"), states, actions, named


def looked_up(table):
    return lambda s, a, t: table[s, a, t]


@settings(max_examples=10, deadline=None)
@given(SEEDS)
def test_samples_ignore_shaping_exactly_too(seed):
    reward, *_, rng = world(seed)
    batch, states, actions, _ = sample(seed)
    twin = shaped(reward, 5 * rng.normal(size=S), 0.3)
    found = epic_sampled(looked_up(reward), looked_up(twin), batch, states, actions, GAMMA)
    assert found.distance < 1e-6
    flipped = epic_sampled(looked_up(reward), looked_up(-twin), batch, states, actions, GAMMA)
    assert flipped.distance == pytest.approx(1)


def test_samples_approach_the_exact_distance():
    reward, *_, rng = world(5)
    other = reward + rng.normal(size=reward.shape)
    batch, states, actions, named = sample(5, 4_000, 2_000)
    found = epic_sampled(looked_up(reward), looked_up(other), batch, states, actions, GAMMA)
    assert found.distance == pytest.approx(epic(reward, other, **named).distance, abs=0.03)
    assert found.coverage == "made up"


@pytest.mark.parametrize("part", ["states", "actions", "transitions"])
def test_what_is_no_distribution_is_refused(part):
    reward, _, named, _ = world(6)
    with pytest.raises(ValueError, match="sum to 1"):
        epic(reward, reward, **{**named, part: 2 * named[part]})


def test_shapes_that_do_not_fit_are_refused():
    reward, dynamics, named, _ = world(7)
    with pytest.raises(ValueError, match="not \\[S, A, S\\]"):
        epic(reward[:, :2], reward, **named)
    with pytest.raises(ValueError, match="do not fit"):
        starc(reward[:, :2], reward, dynamics=dynamics, discount=GAMMA)
    batch, states, actions, _ = sample(7)
    with pytest.raises(ValueError, match="gave"):
        epic_sampled(lambda *_: 0.0, lambda *_: 0.0, batch, states, actions, GAMMA)
