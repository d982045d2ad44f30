"""Distances between reward functions that ignore what no policy notices: EPIC and STARC.

**EPIC** (Gleave et al. 2020, "Quantifying Differences in Reward Functions", arXiv 2006.13900).
A reward is first shaped canonically (definition 4.1): with S, S' ~ D_S and A ~ D_A independent,

    C(R)(s, a, s') = R(s, a, s') + E[γ R(s', A, S') − R(s, A, S') − γ R(S, A, S')],

which removes potential shaping. The distance is √((1 − ρ)/2), ρ the Pearson correlation of the two
shaped rewards over the transitions of a *coverage distribution*. It needs no dynamics, but
rewards of transitions that the dynamics do not allow.

**STARC** (Skalse et al. 2023, "STARC: A General Framework For Quantifying Differences Between
Reward Functions", arXiv 2309.15257), here with value-adjusted levelling under a policy π,

    c(R)(s, a) = E[R(s, a, S') − V(s) + γ V(S')],      S' ~ τ(s, a),  V the value of π,

the L2 norm over state-action pairs, and half of the L2 distance of the two rewards after division
by their norms. It removes potential shaping and redistribution over next states.

Both lie in [0, 1], ignore positive scale, and are 1 for a reward and its negative.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]
Reward = Callable[[NDArray[Any], NDArray[Any], NDArray[Any]], NDArray[Any]]
"""Function (states [N, ...], actions [N, ...], next states [N, ...]) -> float[N]."""

TRIVIAL = 1e-12
"""A reward whose canonical form is smaller than this, as a share of its own size, is constant."""


@dataclass(frozen=True)
class RewardDistance:
    """A distance between two rewards, and what it was taken over.

    Attributes:
        distance: 0 (equivalent) to 1 (opposite); NaN where it is not defined.
        method: name of the distance with its choices.
        coverage: name of the distribution that it was taken over.
    """

    distance: float
    method: str
    coverage: str


def epic(
    first: ArrayLike,
    second: ArrayLike,
    *,
    states: ArrayLike,
    actions: ArrayLike,
    transitions: ArrayLike,
    discount: float,
    coverage: str,
) -> RewardDistance:
    """EPIC distance of two tabular rewards, exact.

    Args:
        first: float[S, A, S], reward of each transition.
        second: float[S, A, S].
        states: float[S], D_S.
        actions: float[A], D_A.
        transitions: float[S, A, S], coverage distribution of transitions.
        discount: γ.
        coverage: name of the three distributions.

    Returns:
        :class:`RewardDistance`; NaN where a shaped reward is constant under the coverage.

    Raises:
        ValueError: shapes that do not fit, or probabilities that do not sum to 1.
    """
    on_states, on_actions, weights = map(_distribution, (states, actions, transitions))
    shaped = [canonically_shaped(r, on_states, on_actions, discount) for r in (first, second)]
    if shaped[0].shape != weights.shape or shaped[1].shape != weights.shape:
        raise ValueError(f"rewards and coverage must be of one shape, not {weights.shape}")
    sizes = [float(np.abs(np.asarray(r)).max()) for r in (first, second)]
    rows = [s.ravel() for s in shaped]
    return RewardDistance(_pearson(rows[0], rows[1], weights.ravel(), sizes), "EPIC", coverage)


def canonically_shaped(
    reward: ArrayLike, states: ArrayLike, actions: ArrayLike, discount: float
) -> NDArray[np.float64]:
    """C(R) of a tabular reward (definition 4.1 of arXiv 2006.13900): float64[S, A, S].

    Args:
        reward: float[S, A, S].
        states: float[S], D_S.
        actions: float[A], D_A.
        discount: γ.
    """
    table = np.asarray(reward, np.float64)
    on_states, on_actions = np.asarray(states, np.float64), np.asarray(actions, np.float64)
    if table.shape != (len(on_states), len(on_actions), len(on_states)):
        raise ValueError(f"{table.shape} is not [S, A, S] of the given states and actions")
    means = np.einsum("a,sat,t->s", on_actions, table, on_states)
    shift = discount * means[None, None, :] - means[:, None, None]
    return table + shift - discount * (on_states @ means)


def _distribution(probabilities: ArrayLike) -> Array:
    """The probabilities as float64; ``ValueError`` where they are none."""
    p = np.asarray(probabilities, np.float64)
    if (p < 0).any() or not math.isclose(p.sum(), 1, abs_tol=1e-9):
        raise ValueError("probabilities must be at least 0 and sum to 1")
    return p


def _pearson(first: Array, second: Array, weights: Array, sizes: list[float]) -> float:
    """√((1 − ρ)/2) of two float64[N] with weights float64[N]; NaN where one is constant."""
    centred = [x - weights @ x for x in (first, second)]
    norms = [math.sqrt(weights @ x**2) for x in centred]
    if any(norm <= TRIVIAL * max(size, 1e-300) for norm, size in zip(norms, sizes, strict=True)):
        return math.nan
    a, b = (x / norm for x, norm in zip(centred, norms, strict=True))
    return min(1.0, math.sqrt(weights @ (a - b) ** 2) / 2)  # (1 − ρ)/2 without cancellation


@dataclass(frozen=True)
class TransitionBatch:
    """A sample of the coverage distribution of transitions.

    Attributes:
        states: [N, ...].
        actions: [N, ...].
        next_states: [N, ...].
        coverage: name of the distribution.
    """

    states: NDArray[Any]
    actions: NDArray[Any]
    next_states: NDArray[Any]
    coverage: str


def epic_sampled(
    first: Reward,
    second: Reward,
    batch: TransitionBatch,
    states: NDArray[Any],
    actions: NDArray[Any],
    discount: float,
) -> RewardDistance:
    """EPIC distance from samples (appendix A.1 of arXiv 2006.13900).

    The means over D_S and D_A are means over the same M pairs (A, S') for every state; potential
    shaping therefore cancels exactly in the samples too. Each reward is evaluated on
    N + (N + N) · M transitions, most of which never occur.

    Args:
        first: a :data:`Reward`.
        second: a :data:`Reward`.
        batch: N transitions of the coverage distribution.
        states: [M, ...], sample of D_S.
        actions: [M, ...], sample of D_A, independent of the states.
        discount: γ.

    Returns:
        :class:`RewardDistance`; NaN where a shaped reward is constant in the sample.
    """
    shaped, sizes = [], []
    for reward in (first, second):
        own = _rewards(reward, batch.states, batch.actions, batch.next_states)
        here, there = (
            _mean_rewards(reward, places, actions, states)
            for places in (batch.states, batch.next_states)
        )
        # the last term of C(R) is a constant: no correlation depends on it
        shaped.append(own + discount * there - here)
        sizes.append(float(max(np.abs(own).max(), np.abs(here).max(), np.abs(there).max())))
    weights = np.full(len(shaped[0]), 1 / len(shaped[0]))
    return RewardDistance(_pearson(*shaped, weights, sizes), "EPIC, sampled", batch.coverage)


def _rewards(
    reward: Reward, states: NDArray[Any], actions: NDArray[Any], next_states: NDArray[Any]
) -> Array:
    """float64[N]; ``ValueError`` where the reward does not give one number per transition."""
    values = np.asarray(reward(states, actions, next_states), np.float64)
    if values.shape != (len(states),):
        raise ValueError(f"a reward of {len(states)} transitions gave {values.shape}")
    return values


def _mean_rewards(
    reward: Reward, places: NDArray[Any], actions: NDArray[Any], states: NDArray[Any]
) -> Array:
    """E[R(s, A, S')] of each s: float64[N], over M pairs; one call per state bounds the memory."""
    out = np.empty(len(places))
    for k, place in enumerate(places):
        repeated = np.broadcast_to(place, (len(states), *np.shape(place)))
        out[k] = _rewards(reward, repeated, actions, states).mean()
    return out


def starc(
    first: ArrayLike,
    second: ArrayLike,
    *,
    dynamics: ArrayLike,
    discount: float,
    policy: ArrayLike | None = None,
    coverage: str = "all state-action pairs, equally",
) -> RewardDistance:
    """STARC distance of two tabular rewards: value-adjusted levelling, L2, L2; exact.

    Args:
        first: float[S, A, S], reward of each transition.
        second: float[S, A, S].
        dynamics: float[S, A, S], τ; a row sums to 1, or to less where the episode may end.
        discount: γ in [0, 1).
        policy: float[S, A], π of the levelling; uniform where None.
        coverage: name of the state-action pairs over which the norms are taken: those given.

    Returns:
        :class:`RewardDistance`; a trivial reward (every policy is optimal) is at 1/2 from every
        other one and at 0 from another trivial one.
    """
    moves = np.asarray(dynamics, np.float64)
    shares = np.full(moves.shape[:2], 1 / moves.shape[1])
    chosen = shares if policy is None else np.asarray(policy, np.float64)
    standard = [
        _standardised(np.asarray(r, np.float64), moves, chosen, discount) for r in (first, second)
    ]
    distance = float(np.linalg.norm(standard[0] - standard[1])) / 2
    levelled = "uniform policy" if policy is None else "given policy"
    method = f"STARC (value-adjusted levelling under the {levelled}, L2 norm, L2 / 2)"
    return RewardDistance(min(distance, 1.0), method, coverage)


def _standardised(reward: Array, moves: Array, policy: Array, discount: float) -> Array:
    """float64[S, A]: the levelled reward over its norm; zeros where it is trivial."""
    levelled = value_adjusted(reward, moves, policy, discount)
    norm = float(np.linalg.norm(levelled))
    size = float(np.abs(reward).max()) / (1 - discount)
    return levelled / norm if norm > TRIVIAL * max(size, 1e-300) else np.zeros_like(levelled)


def value_adjusted(
    reward: NDArray[np.float64],
    dynamics: NDArray[np.float64],
    policy: NDArray[np.float64],
    discount: float,
) -> NDArray[np.float64]:
    """Value-adjusted levelling, which is the advantage of each action under π: float64[S, A].

    Args:
        reward: float64[S, A, S].
        dynamics: float64[S, A, S].
        policy: float64[S, A], π.
        discount: γ in [0, 1).
    """
    if reward.shape != dynamics.shape or reward.shape[:2] != policy.shape:
        raise ValueError(f"rewards {reward.shape} do not fit the dynamics {dynamics.shape}")
    paid = (dynamics * reward).sum(axis=2)
    moved = np.einsum("sa,sat->st", policy, dynamics)
    values = np.linalg.solve(np.eye(len(moved)) - discount * moved, (policy * paid).sum(axis=1))
    return paid - values[:, None] + discount * dynamics @ values
