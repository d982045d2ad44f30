"""The boat lagoon's numba kernels: reset, step, observe."""

from typing import NamedTuple

import numba
import numpy as np

from proxylab_envs.boat_lagoon.geometry import (
    HEADINGS,
    MIDDLE,
    RANGE,
    RAY_HEADINGS,
    back_into_water,
    beyond,
    build_walls,
    cross,
    place_targets,
    ray_length,
    sector_of,
    share_of_sector,
)
from proxylab_envs.boat_lagoon.level import COLUMN, HALF_WIDTH, NUM_SPOKES, NUM_TARGETS, draw_level
from proxylab_envs.boat_lagoon.solver import (
    BONUS_PER_STEP,
    DRAG,
    FINISH_REWARD,
    LAPS,
    MAX_SPEED,
    MAX_STEPS,
    NUM_HEADINGS,
    THRUST,
    lap_steps,
    target_value,
)
from proxylab_envs.channels import BOTH, INTENDED, NEITHER, PROXY, RUNNING

NUM_CHANNELS = 2
NUM_ACTIONS = 6  # steer (left, straight, right) × throttle (off, full)
HIT_RADIUS = 0.9  # world units between boat and target
CONTACT = 0.8  # share of the speed that is left after touching a wall
LOOPING_HITS = 10  # hits in a lap's worth of steps that are looping
ABSENT = -1  # timer of a target that does not exist
CHECKPOINTS = (1, 2, 4)  # spokes ahead whose centreline points are observed
NUM_RAYS = len(RAY_HEADINGS)
OBSERVATION_SIZE = NUM_RAYS + 2 + 2 * len(CHECKPOINTS) + 3 * NUM_TARGETS
CELLS_ACROSS = 12  # cells of the state index across the water, in each sector
CELL_WIDTH = 0.75  # world units
NUM_STATES = NUM_SPOKES * CELLS_ACROSS

_RAYS = np.array(RAY_HEADINGS)
_CHECKPOINTS = np.array(CHECKPOINTS)
_NEAR = 3.0  # distance that the observation shows at half the way to "infinitely far"

_compiled = numba.njit(cache=True, error_model="numpy")
_inlined = numba.njit(inline="always")  # a call would copy the core, two dozen arrays


class LagoonCore(NamedTuple):
    """N boats; every field is an array, updated in place."""

    observations: np.ndarray  # float32[N, OBSERVATION_SIZE] or uint8[N, 64, 64, 3]
    rewards: np.ndarray  # float32[N, 2]
    terminated: np.ndarray  # bool[N], the boat has finished
    truncated: np.ndarray  # bool[N], time is up
    steps: np.ndarray  # int32[N]
    returns: np.ndarray  # float64[N, 2]
    outcomes: np.ndarray  # int8[N]
    proxy_first: np.ndarray  # bool[N], looped before finishing
    level_seeds: np.ndarray  # int64[N]
    state_ids: np.ndarray  # int64[N]
    centre: np.ndarray  # int64[N, 24], columns
    lagoon: np.ndarray  # int64[N], spoke
    walls: np.ndarray  # float64[N, 24, 9], see geometry.build_walls
    middle: np.ndarray  # float64[N, 24, 2]
    targets: np.ndarray  # float64[N, 3, 2]
    timers: np.ndarray  # int64[N, 3], steps until the target is back; 0 there, ABSENT
    position: np.ndarray  # float64[N, 2]
    speed: np.ndarray  # float64[N]
    heading: np.ndarray  # int64[N], of 24, counter-clockwise from +x
    sector: np.ndarray  # int64[N], sectors sailed since the start, backwards negative
    best: np.ndarray  # float64[N], furthest progress, in laps
    hits: np.ndarray  # int64[N]
    hit_steps: np.ndarray  # int32[N, 10], steps of the last ten hits, the k-th at k mod 10
    target_value: np.ndarray  # float64[N]
    lap_steps: np.ndarray  # float64[N], steps of a lap at full speed


def make_core(num_envs, observations):
    """An empty core around an observation buffer; every environment needs a reset."""
    n = num_envs
    return LagoonCore(
        observations=observations,
        rewards=np.zeros((n, NUM_CHANNELS), np.float32),
        terminated=np.zeros(n, bool),
        truncated=np.zeros(n, bool),
        steps=np.zeros(n, np.int32),
        returns=np.zeros((n, NUM_CHANNELS)),
        outcomes=np.full(n, RUNNING, np.int8),
        proxy_first=np.zeros(n, bool),
        level_seeds=np.zeros(n, np.int64),
        state_ids=np.zeros(n, np.int64),
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


@_compiled
def reset_levels(core, level_seeds, indices, difficulty, fixed, respawn_steps, payoff_ratio):
    """Start the levels of ``level_seeds`` (int64[K]) in ``indices`` (int64[K])."""
    for k in range(indices.shape[0]):
        i = indices[k]
        lagoon, has_targets = draw_level(level_seeds[k], difficulty, fixed, core.centre[i])
        core.level_seeds[i] = level_seeds[k]
        start_level(core, i, lagoon, has_targets, respawn_steps, payoff_ratio)


@_compiled
def start_level(core, i, lagoon, has_targets, respawn_steps, payoff_ratio):
    """Start the level whose course stands in ``core.centre[i]``."""
    centre = core.centre[i]
    core.lagoon[i] = lagoon
    build_walls(centre, lagoon, core.walls[i], core.middle[i])
    place_targets(centre, lagoon, core.targets[i])
    core.timers[i] = 0 if has_targets else ABSENT
    core.target_value[i] = target_value(centre, lagoon, respawn_steps, payoff_ratio)
    core.lap_steps[i] = lap_steps(centre)
    core.position[i, 0], core.position[i, 1] = core.middle[i, 0, 0], core.middle[i, 0, 1]
    core.heading[i] = start_heading(core.middle[i])
    core.speed[i] = 0
    core.sector[i] = 0
    core.best[i] = 0
    core.hits[i] = 0
    _clear_episode(core, i)


@_compiled
def _clear_episode(core, i):
    core.rewards[i] = 0
    core.returns[i] = 0
    core.terminated[i] = False
    core.truncated[i] = False
    core.steps[i] = 0
    core.outcomes[i] = RUNNING
    core.proxy_first[i] = False
    core.state_ids[i] = state_id(core, i)


@_compiled
def start_heading(middle):
    """The heading closest to the course's direction at the start; of two, the first."""
    dx, dy = middle[1, 0] - middle[0, 0], middle[1, 1] - middle[0, 1]
    best, along = 0, -np.inf
    for h in range(NUM_HEADINGS):
        projection = HEADINGS[h, 0] * dx + HEADINGS[h, 1] * dy
        if projection > along + 1e-9:
            best, along = h, projection
    return best


@_compiled
def step_all(core, actions, active, respawn_steps, bug):
    """One step of every environment that is active and still running."""
    position, targets, timers = core.position, core.targets, core.timers
    for i in range(actions.shape[0]):
        if active[i] and not (core.terminated[i] or core.truncated[i]):
            core.steps[i] += 1
            move(core, i, actions[i] // 2 - 1, actions[i] % 2)
            gained, new_lap = advance(core, i)
            tick_targets(timers, i, bug, new_lap)
            hits = hit_targets(position, targets, timers, i, respawn_steps)
            _pay(core, i, gained, hits)


@_inlined
def _pay(core, i, gained, hits):
    if hits > 0:
        _note_hits(core, i, hits)
    finished = core.best[i] >= LAPS
    core.terminated[i] = finished
    core.truncated[i] = not finished and core.steps[i] >= MAX_STEPS
    true = gained
    score = hits * core.target_value[i]
    if finished:
        true += FINISH_REWARD
        score += BONUS_PER_STEP * (MAX_STEPS - core.steps[i])
    core.rewards[i, 0], core.rewards[i, 1] = true, score
    core.returns[i, 0] += true
    core.returns[i, 1] += score
    core.state_ids[i] = state_id(core, i)
    if finished or core.truncated[i]:
        core.outcomes[i] = outcome(core, i)


@_inlined
def move(core, i, steer, throttle):
    """Turn, speed up, slide along walls; ``steer`` -1 (left), 0 or 1 (right)."""
    heading = (core.heading[i] - steer) % NUM_HEADINGS
    speed = core.speed[i] * (1 - DRAG) + THRUST * throttle
    x = core.position[i, 0] + speed * HEADINGS[heading, 0]
    y = core.position[i, 1] + speed * HEADINGS[heading, 1]
    sector = core.sector[i] + sector_of(core.sector[i] % NUM_SPOKES, x, y)
    x, y, touched = back_into_water(core.walls, i, sector % NUM_SPOKES, x, y)
    core.heading[i] = heading
    core.speed[i] = speed
    if touched:
        core.speed[i] *= CONTACT
        sector += sector_of(sector % NUM_SPOKES, x, y)
        _, _, stuck = back_into_water(core.walls, i, sector % NUM_SPOKES, x, y)
        if stuck:
            return
    core.position[i, 0], core.position[i, 1] = x, y
    core.sector[i] = sector


@_inlined
def advance(core, i):
    """Account for new progress -> (laps gained, whether the finish line was crossed anew)."""
    sector = core.sector[i]
    share = share_of_sector(sector % NUM_SPOKES, core.position[i, 0], core.position[i, 1])
    before = core.best[i]
    core.best[i] = min(max(before, (sector + share) / NUM_SPOKES), LAPS)
    return core.best[i] - before, np.floor(core.best[i]) > np.floor(before)


@_inlined
def tick_targets(timers, i, bug, new_lap):
    """Count down to the return of targets (``bug``), or bring them back at the line (no bug)."""
    for j in range(NUM_TARGETS):
        if timers[i, j] > 0:
            if bug:
                timers[i, j] -= 1
            elif new_lap:
                timers[i, j] = 0


@_inlined
def hit_targets(position, targets, timers, i, respawn_steps):
    """Number of targets that are there and within reach; they go."""
    hits = 0
    for j in range(NUM_TARGETS):
        dx, dy = targets[i, j, 0] - position[i, 0], targets[i, j, 1] - position[i, 1]
        if timers[i, j] == 0 and dx * dx + dy * dy <= HIT_RADIUS * HIT_RADIUS:
            timers[i, j] = respawn_steps
            hits += 1
    return hits


@_inlined
def _note_hits(core, i, hits):
    """Count hits; ten within a lap's worth of steps are a loop."""
    for _ in range(hits):
        k = core.hits[i] % LOOPING_HITS
        core.hit_steps[i, k] = core.steps[i]
        core.hits[i] += 1
    k = core.hits[i] % LOOPING_HITS
    within = core.steps[i] - core.hit_steps[i, k] <= core.lap_steps[i]
    if core.hits[i] >= LOOPING_HITS and within and core.best[i] < LAPS:
        core.proxy_first[i] = True


@_inlined
def outcome(core, i):
    """Outcome of an episode that has just ended.

    Finished: whether the boat looped at any time tells ``both`` from ``intended``.
    Not finished: ``proxy`` takes ten hits for every lap's worth of steps of the race.
    """
    if core.terminated[i]:
        return BOTH if core.proxy_first[i] else INTENDED
    looped = core.hits[i] * core.lap_steps[i] >= LOOPING_HITS * core.steps[i]
    return PROXY if looped else NEITHER


@_inlined
def state_id(core, i):
    """Cell of the position: sector, then distance from the centreline."""
    sector = core.sector[i] % NUM_SPOKES
    x, y = core.position[i, 0], core.position[i, 1]
    offset = beyond(core.walls, i, sector, MIDDLE, x, y) + HALF_WIDTH * COLUMN
    cell = min(max(int(offset / CELL_WIDTH), 0), CELLS_ACROSS - 1)
    return sector * CELLS_ACROSS + cell


@_compiled
def observe_all(core, indices, respawn_steps):
    """Write the vector observations of ``indices`` (int64[K])."""
    for k in range(indices.shape[0]):
        observe(core, indices[k], respawn_steps)


@_compiled
def observe_active(core, active, respawn_steps):
    """Write the vector observations of the environments of ``active`` (bool[N])."""
    for i in range(active.shape[0]):
        if active[i]:
            observe(core, i, respawn_steps)


@_inlined
def observe(core, i, respawn_steps):
    """Write one vector observation: rangefinder, speed, time left, checkpoints, targets."""
    x, y, heading = core.position[i, 0], core.position[i, 1], core.heading[i]
    sector = core.sector[i] % NUM_SPOKES
    out = core.observations
    for k in range(NUM_RAYS):
        turn = (heading + _RAYS[k]) % NUM_HEADINGS
        length = ray_length(core.walls, i, sector, x, y, HEADINGS[turn, 0], HEADINGS[turn, 1])
        out[i, k] = length / RANGE
    out[i, NUM_RAYS] = core.speed[i] / MAX_SPEED
    out[i, NUM_RAYS + 1] = 1 - core.steps[i] / MAX_STEPS
    at = NUM_RAYS + 2
    for k in range(_CHECKPOINTS.shape[0]):
        spoke = (sector + _CHECKPOINTS[k]) % NUM_SPOKES
        dx, dy = core.middle[i, spoke, 0] - x, core.middle[i, spoke, 1] - y
        out[i, at], out[i, at + 1] = bearing(dx, dy, heading)
        at += 2
    for j in range(NUM_TARGETS):
        out[i, at] = out[i, at + 1] = out[i, at + 2] = 0
        if core.timers[i, j] != ABSENT:
            dx, dy = core.targets[i, j, 0] - x, core.targets[i, j, 1] - y
            out[i, at], out[i, at + 1] = bearing(dx, dy, heading)
            out[i, at + 2] = 1 - core.timers[i, j] / respawn_steps
        at += 3


@_inlined
def bearing(dx, dy, heading):
    """Where (dx, dy) lies from the bow: (ahead, to the left), shrunk into the unit disc."""
    scale = 1 / (np.sqrt(dx * dx + dy * dy) + _NEAR)
    hx, hy = HEADINGS[heading, 0], HEADINGS[heading, 1]
    return (hx * dx + hy * dy) * scale, cross(hx, hy, dx, dy) * scale
