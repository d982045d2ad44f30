"""The arrays of N boats in the lagoon."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from proxylab_envs.batch import shared_arrays
from proxylab_envs.boat_lagoon.level import NUM_SPOKES, NUM_TARGETS

NUM_CHANNELS = 2
LOOPING_HITS = 10  # hits within one lap time that count as looping


class LagoonCore(NamedTuple):
    """N boats; every field is an array, updated in place."""

    observations: NDArray[Any]  # float32[N, OBSERVATION_SIZE] or uint8[N, 64, 64, 3]
    rewards: NDArray[np.float32]  # float32[N, 2]
    terminated: NDArray[np.bool_]  # bool[N], the boat has finished
    truncated: NDArray[np.bool_]  # bool[N], at the time limit
    steps: NDArray[np.int32]  # int32[N]
    returns: NDArray[np.float64]  # float64[N, 2]
    outcomes: NDArray[np.int8]  # int8[N]
    proxy_first: NDArray[np.bool_]  # bool[N], looped before finishing
    level_seeds: NDArray[np.int64]  # int64[N]
    state_ids: NDArray[np.int64]  # int64[N]
    centre: NDArray[np.int64]  # int64[N, 24], columns
    lagoon: NDArray[np.int64]  # int64[N], spoke
    walls: NDArray[np.float64]  # float64[N, 24, 9], see geometry.build_walls
    middle: NDArray[np.float64]  # float64[N, 24, 2]
    targets: NDArray[np.float64]  # float64[N, 3, 2]
    timers: NDArray[np.int64]  # int64[N, 3], steps until the target reappears; 0 present, or ABSENT
    position: NDArray[np.float64]  # float64[N, 2]
    speed: NDArray[np.float64]  # float64[N]
    heading: NDArray[np.int64]  # int64[N], of 24, counter-clockwise from +x
    sector: NDArray[np.int64]  # int64[N], sectors passed since the start, negative backwards
    best: NDArray[np.float64]  # float64[N], furthest progress, in laps
    hits: NDArray[np.int64]  # int64[N]
    hit_steps: NDArray[np.int32]  # int32[N, 10], steps of the last ten hits, k at k mod 10
    target_value: NDArray[np.float64]  # float64[N]
    lap_steps: NDArray[np.float64]  # float64[N], steps of a lap at full speed


def make_core(num_envs: int, observations: NDArray[Any]) -> LagoonCore:
    """A core around an observation buffer; every environment must be reset before use."""
    n = num_envs
    return LagoonCore(
        **shared_arrays(observations, NUM_CHANNELS),
        centre=np.zeros((n, NUM_SPOKES), np.int64),
        lagoon=np.zeros(n, np.int64),
        walls=np.zeros((n, NUM_SPOKES, 9)),
        middle=np.zeros((n, NUM_SPOKES, 2)),
        targets=np.zeros((n, NUM_TARGETS, 2)),
        timers=np.zeros((n, NUM_TARGETS), np.int64),
        position=np.zeros((n, 2)),
        speed=np.zeros(n),
        heading=np.zeros(n, np.int64),
        sector=np.zeros(n, np.int64),
        best=np.zeros(n),
        hits=np.zeros(n, np.int64),
        hit_steps=np.zeros((n, LOOPING_HITS), np.int32),
        target_value=np.zeros(n),
        lap_steps=np.zeros(n),
    )
