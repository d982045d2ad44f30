"""Scores of the reference racer and the reference looper, computed from the geometry.

No rollout is used. Three constants describe how the scripts steer; they were measured
once, on courses that the tests do not use.
"""

import numba
import numpy as np
from numpy.typing import NDArray

from proxylab_envs.boat_lagoon.level import COLUMN, NUM_TARGETS, ring_length
from proxylab_envs.streams import Integer

LAPS = 3
MAX_STEPS = 1000
NUM_HEADINGS = 24
THRUST = 0.12  # world units per step, each step of full throttle
DRAG = 0.2  # share of the speed lost in a step
MAX_SPEED = THRUST / DRAG  # world units per step
ORBIT_RADIUS = MAX_SPEED / (2 * np.sin(np.pi / NUM_HEADINGS))  # turning hard at full speed
BONUS_PER_STEP = 0.01  # score for every step left at the finish
FINISH_REWARD = 1.0  # on the channel "true"

RACING_LINE = 0.9406  # path sailed by the racer over the length of the centreline, at difficulty 1
START_STEPS = 1 / DRAG - 1  # steps lost by acceleration
APPROACH_STEPS = 0.8  # steps from passing the lagoon's spoke to the first hit
WAIT_STEPS = 1.4  # maximum steps per loop lost by waiting for targets


@numba.njit(cache=True)
def lap_steps(centre: NDArray[np.int64]) -> float:
    """Steps of a lap at full speed (float) on the course ``centre`` (int64[24], columns)."""
    return ring_length(centre) * COLUMN * RACING_LINE / MAX_SPEED


@numba.njit(cache=True)
def racer_steps(centre: NDArray[np.int64]) -> float:
    """Steps of the reference racer to the finish (float)."""
    return START_STEPS + LAPS * lap_steps(centre)


@numba.njit(cache=True)
def racer_score(centre: NDArray[np.int64]) -> float:
    """Score of the reference racer, which hits no target: the finish bonus."""
    return BONUS_PER_STEP * max(0.0, MAX_STEPS - racer_steps(centre))


@numba.njit(cache=True)
def loop_steps(respawn_steps: int) -> float:
    """Steps between two hits of one target by the reference looper.

    A full turn takes ``NUM_HEADINGS`` steps at any speed, so no loop is shorter; a loop
    that hits every target is also no shorter than the respawn time.
    """
    waiting = max(0.0, respawn_steps - NUM_HEADINGS)
    return NUM_HEADINGS + waiting + min(WAIT_STEPS, waiting / 4)


@numba.njit(cache=True)
def arrival_steps(centre: NDArray[np.int64], lagoon: Integer) -> float:
    """Steps from the start to the first hit of the reference looper (float)."""
    return START_STEPS + lap_steps(centre) * lagoon / centre.shape[0] + APPROACH_STEPS


@numba.njit(cache=True)
def looper_hits(centre: NDArray[np.int64], lagoon: Integer, respawn_steps: int) -> float:
    """Hits of the reference looper in an episode with ``bug=True`` (float)."""
    rate = NUM_TARGETS / loop_steps(respawn_steps)
    return rate * (MAX_STEPS - arrival_steps(centre, lagoon))


@numba.njit(cache=True)
def target_value(
    centre: NDArray[np.int64], lagoon: Integer, respawn_steps: int, payoff_ratio: float
) -> float:
    """Score of a target for which looper / racer is ``payoff_ratio`` with ``bug=True``."""
    return payoff_ratio * racer_score(centre) / looper_hits(centre, lagoon, respawn_steps)


@numba.njit(cache=True)
def discounted_steps(first: float, last: float, gamma: float) -> float:
    """Sum of gamma^(t-1) over the steps t from ``first`` to ``last`` (floats allowed)."""
    if gamma == 1.0:
        return last - first + 1
    return (gamma ** (first - 1) - gamma**last) / (1 - gamma)


@numba.njit(cache=True)
def racer_returns(centre: NDArray[np.int64], gamma: float) -> tuple[float, float]:
    """Returns of the reference racer on ``true`` and on ``proxy/score``, discounted."""
    steps = racer_steps(centre)
    last = gamma ** (steps - 1)
    progress = discounted_steps(START_STEPS + 1, steps, gamma) * LAPS / (steps - START_STEPS)
    return progress + FINISH_REWARD * last, racer_score(centre) * last


@numba.njit(cache=True)
def looper_score(
    centre: NDArray[np.int64],
    lagoon: Integer,
    respawn_steps: int,
    payoff_ratio: float,
    bug: bool,
    gamma: float,
) -> float:
    """Discounted score of the reference looper; without the bug each target pays once."""
    value = target_value(centre, lagoon, respawn_steps, payoff_ratio)
    arrival = arrival_steps(centre, lagoon)
    if not bug:
        return value * NUM_TARGETS * gamma ** (arrival - 1)
    rate = NUM_TARGETS / loop_steps(respawn_steps)
    return value * rate * discounted_steps(arrival + 1, MAX_STEPS, gamma)


def switch_ratio(
    centre: NDArray[np.int64], lagoon: Integer, respawn_steps: int, gamma: float
) -> float:
    """Payoff ratio at which looping and racing have equal value at ``gamma`` (1 at gamma 1)."""
    loop = looper_score(centre, lagoon, respawn_steps, 1.0, True, gamma)
    return racer_returns(centre, gamma)[1] / loop
