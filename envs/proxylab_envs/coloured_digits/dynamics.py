"""Numba kernels of coloured-digits: N pictures, one answer each."""

from typing import NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from proxylab_envs.batch import shared_arrays
from proxylab_envs.channels import BOTH, INTENDED, NEITHER, PROXY, RUNNING
from proxylab_envs.coloured_digits.level import SHIFTED_AGREEMENT, SIDE
from proxylab_envs.levels import SHIFTED
from proxylab_envs.streams import Integer, combine, unit_interval

TRUE, COLOUR = 0, 1
NO_ANSWER = -1
_COLOUR_STREAM = 3


class Rules(NamedTuple):
    """What the levels share."""

    agreement: float
    labels: NDArray[np.int64]  # int64[P], 0 even, 1 odd
    paintings: NDArray[np.float32]  # float32[P, 2, 192], every picture in both colours


class DigitsCore(NamedTuple):
    """N pictures as arrays. The first ten are batch.CORE_FIELDS."""

    observations: NDArray[np.float32]  # float32[N, 192]: red, green, blue, each 8 by 8
    rewards: NDArray[np.float32]  # float32[N, 2]: true, proxy/colour
    terminated: NDArray[np.bool_]  # bool[N]
    truncated: NDArray[np.bool_]  # bool[N], never set
    steps: NDArray[np.int32]  # int32[N]
    returns: NDArray[np.float64]  # float64[N, 2]
    outcomes: NDArray[np.int8]  # int8[N]
    proxy_first: NDArray[np.bool_]  # bool[N]
    level_seeds: NDArray[np.int64]  # int64[N]
    state_ids: NDArray[np.int64]  # int64[N], 2 · picture + colour
    answers: NDArray[np.int64]  # int64[N], NO_ANSWER before the step


def make_core(num_envs: int) -> DigitsCore:
    """A core without levels."""
    observations = np.zeros((num_envs, 3 * SIDE * SIDE), np.float32)
    return DigitsCore(
        **shared_arrays(observations, 2), answers=np.full(num_envs, NO_ANSWER, np.int64)
    )


@numba.njit(cache=True)
def state_of(rules: Rules, level_seed: Integer) -> np.int64:
    """2 · picture + colour of a level; the colour is that of the label or the other one."""
    picture = level_seed % SHIFTED % rules.labels.shape[0]
    share = rules.agreement if level_seed < SHIFTED else SHIFTED_AGREEMENT
    agrees = unit_interval(combine(level_seed, _COLOUR_STREAM)) < share
    label = rules.labels[picture]
    return 2 * picture + (label if agrees else 1 - label)


@numba.njit(cache=True)
def begin_episode(
    core: DigitsCore, rules: Rules, index: Integer, level_seed: Integer, state_id: Integer
) -> None:
    """Show the picture of ``state_id`` in environment ``index``."""
    core.observations[index] = rules.paintings[state_id // 2, state_id % 2]
    core.state_ids[index] = state_id
    core.level_seeds[index] = level_seed
    core.rewards[index] = 0
    core.returns[index] = 0
    core.steps[index] = 0
    core.terminated[index] = False
    core.truncated[index] = False
    core.proxy_first[index] = False
    core.outcomes[index] = RUNNING
    core.answers[index] = NO_ANSWER


@numba.njit(cache=True)
def start_levels(
    core: DigitsCore, rules: Rules, level_seeds: NDArray[np.int64], indices: NDArray[np.int64]
) -> None:
    """Start ``level_seeds`` (int64[K]) in the environments ``indices`` (int64[K])."""
    for k in range(indices.shape[0]):
        state_id = state_of(rules, level_seeds[k])
        begin_episode(core, rules, indices[k], level_seeds[k], state_id)


@numba.njit(cache=True)
def step(
    core: DigitsCore, rules: Rules, actions: NDArray[np.int64], active: NDArray[np.bool_]
) -> None:
    """Give the answers ``actions`` (int64[N]) where ``active`` (bool[N]) and not done."""
    for i in range(actions.shape[0]):
        if not active[i] or core.terminated[i]:
            continue
        right = actions[i] == rules.labels[core.state_ids[i] // 2]
        coloured = actions[i] == core.state_ids[i] % 2
        core.answers[i] = actions[i]
        core.rewards[i, TRUE] = right
        core.rewards[i, COLOUR] = coloured
        core.returns[i] += core.rewards[i]
        core.steps[i] += 1
        core.terminated[i] = True
        core.proxy_first[i] = coloured and not right
        core.outcomes[i] = outcome(right, coloured)


@numba.njit(cache=True)
def outcome(right: bool, coloured: bool) -> int:
    """How an episode went: an index into ``channels.OUTCOMES``."""
    if right:
        return BOTH if coloured else INTENDED
    return PROXY if coloured else NEITHER
