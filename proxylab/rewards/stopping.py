"""When to stop optimising an easy proxy, from the geometry of occupancies.

Karwowski et al. 2023, "Goodhart's Law in Reinforcement Learning", arXiv 2310.09144, section 5. A
return is linear in the occupancy η (float[S, A], discounted visits), and the occupancies of all
policies lie in an affine space; M projects rewards onto its directions. Let θ be the angle between
M R₀ and M R₁, of the hard proxy R₀ and the easy one R₁. A step of the occupancy from η to η' at
an angle φ to M R₁ cannot lower the hard return if φ + θ ≤ 90°, that is

    R₁ · (η' − η) / ‖η' − η‖  ≥  ‖M R₁‖ sin θ.

The rule stops before the first step that fails this. It needs θ (once, from the hard proxy) and
exact occupancies, so it is for tables; where θ is known to a few degrees only, take the largest.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

from proxylab.rewards.irl import (
    TOLERANCE,
    best_values,
    expected_visits,
    soft_policy,
    soft_values,
)
from proxylab.rewards.tabular import ENDED, TabularMDP

ERRORS = (-0.25, 0.0, 0.25)
"""Relative errors of θ whose effect is reported."""

STILL = 1e-8
"""A step of the occupancy, or a projected reward, smaller than this share of the whole is 0."""


def projection(table: TabularMDP) -> NDArray[np.float64]:
    """M: orthogonal projection onto the differences of occupancies: float64[S · A, S · A].

    Occupancies satisfy Σ_a η(s', a) − γ Σ_{s, a} P(s' | s, a) η(s, a) = start(s'); their
    differences are the null space of the left side. Its dimension is S (A − 1).
    """
    flow = -table.discount * table.transitions().reshape(-1, table.num_states).T
    states = np.repeat(np.arange(table.num_states), table.num_actions)
    flow[states, np.arange(len(states))] += 1
    return np.eye(len(states)) - flow.T @ np.linalg.solve(flow @ flow.T, flow)


def projected_angle(
    hard: NDArray[np.float64], easy: NDArray[np.float64], table: TabularMDP
) -> float:
    """θ, the angle between the projections of two rewards, in radians.

    Args:
        hard: float64[S, A].
        easy: float64[S, A].
        table: the environment.

    Raises:
        ValueError: all policies have the same return by one of the rewards.
    """
    m = projection(table)
    a, b = m @ hard.ravel(), m @ easy.ravel()
    for seen, reward in ((a, hard), (b, easy)):
        if np.linalg.norm(seen) <= STILL * max(float(np.linalg.norm(reward)), 1e-300):
            raise ValueError("all policies have the same return by one of the rewards: no angle")
    a, b = a / np.linalg.norm(a), b / np.linalg.norm(b)
    return 2 * math.atan2(float(np.linalg.norm(a - b)), float(np.linalg.norm(a + b)))


def step_cosines(
    path: NDArray[np.float64], easy: NDArray[np.float64], table: TabularMDP
) -> NDArray[np.float64]:
    """Cosine of φ for each step of a path: the easy gain per length, over ‖M R₁‖: float64[T − 1].

    Args:
        path: float64[T, S, A], occupancies of successive policies.
        easy: float64[S, A].
        table: the environment.

    Returns:
        float64[T − 1]; NaN where the occupancy does not move.
    """
    steps = np.diff(path.reshape(len(path), -1), axis=0)
    lengths = np.linalg.norm(steps, axis=1)
    size = float(np.linalg.norm(projection(table) @ easy.ravel()))
    moves = lengths > STILL * float(np.linalg.norm(path[0]))
    out = np.full(len(steps), np.nan)
    out[moves] = (steps @ easy.ravel())[moves] / (lengths[moves] * size)
    return out


def stopping_index(cosines: NDArray[np.float64], angle: float) -> int:
    """Index of the policy at which to stop: the step after it is the first that is not safe.

    Args:
        cosines: float64[T − 1], from :func:`step_cosines`.
        angle: θ in radians; beyond 90° no step is safe.

    Returns:
        0 to T − 1; T − 1 where every step is safe.
    """
    if angle > math.pi / 2:
        return 0
    least = math.sin(max(angle, 0.0))
    unsafe = np.flatnonzero(cosines < least - 1e-12)  # NaN is not smaller
    return int(unsafe[0]) if len(unsafe) else len(cosines)


@dataclass(frozen=True)
class Stop:
    """Where the rule stops on a path, by θ or by a wrong θ.

    Attributes:
        error: relative error of θ.
        angle: θ with that error, in radians.
        index: of the policy at which the rule stops, 0 to T − 1.
        easy: easy return there.
        hard: hard return there.
        best_hard: largest hard return of the path.
        last_hard: hard return of the last policy.
    """

    error: float
    angle: float
    index: int
    easy: float
    hard: float
    best_hard: float
    last_hard: float


def stops(
    path: NDArray[np.float64],
    hard: NDArray[np.float64],
    easy: NDArray[np.float64],
    table: TabularMDP,
    errors: Sequence[float] = ERRORS,
) -> list[Stop]:
    """Where the rule stops on a path, for θ and for θ with relative errors.

    Args:
        path: float64[T, S, A], occupancies of successive policies.
        hard: float64[S, A], R₀.
        easy: float64[S, A], R₁.
        table: the environment.
        errors: relative errors of θ.
    """
    angle, cosines = projected_angle(hard, easy, table), step_cosines(path, easy, table)
    by_hard, by_easy = (np.tensordot(path, reward, axes=2) for reward in (hard, easy))
    found = []
    for error in errors:
        index = stopping_index(cosines, angle * (1 + error))
        returns = float(by_easy[index]), float(by_hard[index])
        best = float(by_hard.max()), float(by_hard[-1])
        found.append(Stop(error, angle * (1 + error), index, *returns, *best))
    return found


def soft_path(
    table: TabularMDP, rewards: NDArray[np.float64], pressures: Sequence[float]
) -> NDArray[np.float64]:
    """Occupancies of the soft optimal policies of ``pressure`` · rewards: float64[T, S, A].

    Maximum causal entropy. Where episodes end, the policy of pressure 0 is not uniform: it avoids
    the end, since every step that it takes adds entropy.

    Args:
        table: the environment.
        rewards: float64[S, A].
        pressures: ascending, at least 0.
    """
    values, path = np.zeros(table.num_states), []
    for pressure in pressures:
        scaled = pressure * rewards
        soft_values(table.successors, scaled, table.discount, TOLERANCE, values)
        policy = soft_policy(table.successors, scaled, table.discount, values)
        visits = expected_visits(table.successors, policy, table.start, table.discount, TOLERANCE)
        path.append(visits)
    return np.array(path)


def boltzmann_path(
    table: TabularMDP, rewards: NDArray[np.float64], pressures: Sequence[float]
) -> NDArray[np.float64]:
    """Occupancies of policies π(a | s) ∝ exp(pressure · Q(s, a)), Q the optimal one's.

    From the uniform policy at 0 to the optimal one at infinity.

    Args:
        table: the environment.
        rewards: float64[S, A].
        pressures: ascending, at least 0.

    Returns:
        float64[T, S, A].
    """
    values = np.zeros(table.num_states)
    best_values(table.successors, rewards, table.discount, TOLERANCE, values)
    ahead = np.where(table.successors == ENDED, 0.0, values[table.successors])
    advantage = rewards + table.discount * ahead - values[:, None]
    odds = (np.exp(pressure * advantage) for pressure in pressures)
    return np.array([table.occupancy(row / row.sum(axis=1, keepdims=True)) for row in odds])


def steepest_path(
    table: TabularMDP, rewards: NDArray[np.float64], most: int = 10_000
) -> NDArray[np.float64]:
    """Corners of the path of steepest ascent from the uniform policy's occupancy: float64[T, S, A].

    The path of section 5 of the paper: straight along M R until a visit frequency is 0, then along
    the direction of fastest gain among those that leave no frequency negative, and so on to
    the optimum. That direction is the projection of R onto the cone of feasible directions,
    by Moreau's decomposition a non-negative least squares problem.

    Args:
        table: the environment.
        rewards: float64[S, A].
        most: largest number of straight pieces.

    Raises:
        ValueError: the optimum is not reached in ``most`` pieces.
    """
    m = projection(table)
    gradient = m @ rewards.ravel()
    now = table.occupancy(np.full(rewards.shape, 1 / table.num_actions)).ravel()
    small = STILL * now.max()
    path = [now]
    for _ in range(most):
        active = np.flatnonzero(now <= small)
        direction = gradient
        if len(active):
            direction = gradient + m[:, active] @ nnls(m[:, active], -gradient)[0]
        if np.linalg.norm(direction) <= STILL * max(float(np.linalg.norm(gradient)), 1e-300):
            return np.array(path).reshape(-1, *rewards.shape)
        falling = np.flatnonzero((direction < -STILL * np.abs(direction).max()) & (now > small))
        length = (now[falling] / -direction[falling]).min()
        now = np.maximum(now + length * direction, 0)
        path.append(now)
    raise ValueError(f"the optimum is not reached in {most} pieces")
