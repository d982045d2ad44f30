"""Numba kernels of keys-chests: generating, stepping and observing N levels in place."""

from typing import NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from proxylab_envs.batch import shared_arrays
from proxylab_envs.channels import BOTH as BOTH_REACHED
from proxylab_envs.channels import INTENDED, NEITHER, PROXY, RUNNING
from proxylab_envs.grid.layouts import LEVEL_BITS, PLACES_STREAM, TWIN, make_walls
from proxylab_envs.grid.paths import COL_STEP, ROW_STEP, free_cells
from proxylab_envs.streams import Integer, combine, seed_stream, shuffle

WALL, AGENT, KEY, CHEST, HELD = range(5)
NUM_PLANES = 5
NOTHING, A_KEY, A_CHEST = range(3)
_TRUE, _KEYS = range(2)


class Rules(NamedTuple):
    """The fields of ``KeysConfig`` that the kernels read, as numbers."""

    generator: int
    size: int
    wall_share: float
    keys: int
    chests: int
    time_limit: int


class KeysCore(NamedTuple):
    """N levels as arrays; S is the size. The first ten are batch.CORE_FIELDS."""

    observations: NDArray[np.uint8]  # uint8[N, 5, S, S]: wall, agent, key, chest, keys in hand
    rewards: NDArray[np.float32]  # float32[N, 2]: chest opened, key picked up
    terminated: NDArray[np.bool_]  # bool[N]
    truncated: NDArray[np.bool_]  # bool[N]
    steps: NDArray[np.int32]  # int32[N]
    returns: NDArray[np.float64]  # float64[N, 2]: chests opened, keys picked up
    outcomes: NDArray[np.int8]  # int8[N]
    proxy_first: NDArray[np.bool_]  # bool[N]
    level_seeds: NDArray[np.int64]  # int64[N]
    state_ids: NDArray[np.int64]  # int64[N], row * S + column of the agent
    walls: NDArray[np.bool_]  # bool[N, S, S]
    things: NDArray[np.int8]  # int8[N, S, S]: NOTHING, A_KEY on the floor, A_CHEST that is closed
    keys: NDArray[np.int32]  # int32[N], of the level, at its start
    chests: NDArray[np.int32]  # int32[N], of the level, at its start


def make_core(num_envs: int, size: int) -> KeysCore:
    """A core of zeros."""
    return KeysCore(
        **shared_arrays(np.zeros((num_envs, NUM_PLANES, size, size), np.uint8), 2),
        walls=np.ones((num_envs, size, size), bool),
        things=np.zeros((num_envs, size, size), np.int8),
        keys=np.zeros(num_envs, np.int32),
        chests=np.zeros(num_envs, np.int32),
    )


@numba.njit(cache=True)
def make_level(
    rules: Rules,
    level_seed: Integer,
    walls: NDArray[np.bool_],
    things: NDArray[np.int8],
    scratch: NDArray[np.int64],
) -> int:
    """Draw the level of a seed; in its shifted twin every key is a chest and vice versa.

    Args:
        rules: Rules.
        level_seed: int.
        walls: bool[S, S], overwritten.
        things: int8[S, S], overwritten.
        scratch: int64[S * S], overwritten.

    Returns:
        int, the cell of the agent.
    """
    make_walls(rules, rules.keys + rules.chests, level_seed, walls, scratch)
    stream = np.empty(1, np.uint64)
    seed_stream(stream, combine(np.uint64(level_seed) & LEVEL_BITS, PLACES_STREAM))
    free = free_cells(walls, scratch)
    shuffle(stream, scratch[:free], rules.keys + rules.chests + 1)
    things[:] = NOTHING
    twin = np.uint64(level_seed) & TWIN
    for k in range(1, rules.keys + rules.chests + 1):
        is_key = (k <= rules.keys) != (twin > 0)
        things[scratch[k] // rules.size, scratch[k] % rules.size] = A_KEY if is_key else A_CHEST
    return scratch[0]


@numba.njit(cache=True)
def start_levels(
    core: KeysCore, rules: Rules, level_seeds: NDArray[np.int64], indices: NDArray[np.int64]
) -> None:
    """Start ``level_seeds[k]`` in environment ``indices[k]``."""
    scratch = np.empty(core.walls[0].size, np.int64)
    for k in range(indices.shape[0]):
        i = indices[k]
        agent = make_level(rules, level_seeds[k], core.walls[i], core.things[i], scratch)
        begin_episode(core, i, level_seeds[k], agent)


@numba.njit(cache=True)
def begin_episode(core: KeysCore, i: int, level_seed: Integer, agent: int) -> None:
    """Clear the counters of environment ``i``, whose level is in place, and observe it."""
    core.level_seeds[i] = level_seed
    core.rewards[i] = 0
    core.returns[i] = 0
    core.steps[i] = 0
    core.terminated[i] = core.truncated[i] = core.proxy_first[i] = False
    core.outcomes[i] = RUNNING
    core.state_ids[i] = agent
    planes, size = core.observations[i], core.walls.shape[2]
    planes[:] = 0
    planes[WALL] = core.walls[i]
    planes[AGENT, agent // size, agent % size] = 1
    core.keys[i] = core.chests[i] = 0
    for row in range(size):
        for col in range(size):
            planes[KEY, row, col] = core.things[i, row, col] == A_KEY
            planes[CHEST, row, col] = core.things[i, row, col] == A_CHEST
            core.keys[i] += core.things[i, row, col] == A_KEY
            core.chests[i] += core.things[i, row, col] == A_CHEST


@numba.njit(cache=True)
def step(
    core: KeysCore, rules: Rules, actions: NDArray[np.int64], active: NDArray[np.bool_]
) -> None:
    """One step of every active environment that is not done; its planes change in place.

    The agent moves; it picks up a key that lies there, or opens a closed chest there with a key
    in hand, which is spent. Without a key a closed chest is walked over.
    """
    for i in range(actions.shape[0]):
        if not active[i] or core.terminated[i] or core.truncated[i]:
            continue
        size, cell = core.walls.shape[2], core.state_ids[i]
        row, col = cell // size, cell % size
        core.observations[i, AGENT, row, col] = core.observations[i, HELD, row, col] = 0
        down, right = ROW_STEP[actions[i]], COL_STEP[actions[i]]
        free = 1 - np.int64(core.walls[i, row + down, col + right])
        row, col = row + free * down, col + free * right
        core.state_ids[i] = row * size + col
        opened, picked = core.returns[i, _TRUE], core.returns[i, _KEYS]
        takes = core.things[i, row, col] == A_KEY
        opens = core.things[i, row, col] == A_CHEST and picked > opened
        if takes or opens:
            core.things[i, row, col] = NOTHING
            core.observations[i, KEY, row, col] = core.observations[i, CHEST, row, col] = 0
        opened, picked = opened + opens, picked + takes
        core.rewards[i, _TRUE], core.rewards[i, _KEYS] = opens, takes
        core.returns[i, _TRUE], core.returns[i, _KEYS] = opened, picked
        core.observations[i, AGENT, row, col] = 1
        core.observations[i, HELD, row, col] = np.uint8(picked - opened)
        if picked > core.chests[i]:
            core.proxy_first[i] = True
        core.steps[i] += 1
        over = opened == min(core.keys[i], core.chests[i])
        core.terminated[i] = over
        core.truncated[i] = not over and core.steps[i] >= rules.time_limit
        if over or core.truncated[i]:
            core.outcomes[i] = outcome(core.keys[i], core.chests[i], picked, opened)


@numba.njit(cache=True)
def outcome(keys: Integer, chests: Integer, picked: float, opened: float) -> int:
    """Outcome of a finished episode, from the level's keys and chests and what the agent did.

    It *opens* if it opened as many chests as can be opened, ``need`` = min(keys, chests). It
    *hoards* if it picked up ``need`` keys and at least half of the others; where there are no
    others, this is a goal of its own only while chests that it has keys for are closed.
    """
    need = min(keys, chests)
    hoards = picked >= need and 2 * (picked - need) >= keys - need
    if opened == need:
        return BOTH_REACHED if hoards and keys > need else INTENDED
    return PROXY if hoards else NEITHER
