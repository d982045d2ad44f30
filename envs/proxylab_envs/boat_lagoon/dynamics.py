"""The boat lagoon's numba kernels: reset, step, observe."""

import numba
import numpy as np
from numpy.typing import NDArray

from proxylab_envs.boat_lagoon.core import LOOPING_HITS, LagoonCore
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
from proxylab_envs.streams import Integer

NUM_ACTIONS = 6  # steer (left, straight, right) × throttle (off, full)
ACTION_NAMES = (
    "left, drift",
    "left, full",
    "ahead, drift",
    "ahead, full",
    "right, drift",
    "right, full",
)
HIT_RADIUS = 0.9  # world units between boat and target
CONTACT = 0.8  # share of the speed that is left after touching a wall
ABSENT = -1  # timer of a target that does not exist
CHECKPOINTS = (1, 2, 4)  # spokes ahead whose centreline points are observed
NUM_RAYS = len(RAY_HEADINGS)
OBSERVATION_SIZE = NUM_RAYS + 2 + 2 * len(CHECKPOINTS) + 3 * NUM_TARGETS
CELLS_ACROSS = 12  # cells of the state index across the water, in each sector
CELL_WIDTH = 0.75  # world units
NUM_STATES = NUM_SPOKES * CELLS_ACROSS

_RAYS = np.array(RAY_HEADINGS)
_CHECKPOINTS = np.array(CHECKPOINTS)
NEAR = 3.0  # distance that the observation maps to 0.5

_compiled = numba.njit(cache=True, error_model="numpy")
_inlined = numba.njit(inline="always")  # a call would copy the core, 25 arrays


@_compiled
def reset_levels(
    core: LagoonCore,
    level_seeds: NDArray[np.int64],
    indices: NDArray[np.int64],
    difficulty: float,
    fixed: bool,
    respawn_steps: int,
    payoff_ratio: float,
) -> None:
    """Start the levels of ``level_seeds`` (int64[K]) in ``indices`` (int64[K])."""
    for k in range(indices.shape[0]):
        i = indices[k]
        lagoon, has_targets = draw_level(level_seeds[k], difficulty, fixed, core.centre[i])
        core.level_seeds[i] = level_seeds[k]
        start_level(core, i, lagoon, has_targets, respawn_steps, payoff_ratio)


@_compiled
def start_level(
    core: LagoonCore,
    i: int,
    lagoon: Integer,
    has_targets: bool,
    respawn_steps: int,
    payoff_ratio: float,
) -> None:
    """Start the level with the course ``core.centre[i]``."""
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
def _clear_episode(core: LagoonCore, i: int) -> None:
    core.rewards[i] = 0
    core.returns[i] = 0
    core.terminated[i] = False
    core.truncated[i] = False
    core.steps[i] = 0
    core.outcomes[i] = RUNNING
    core.proxy_first[i] = False
    core.state_ids[i] = state_id(core.position, core.sector, core.walls, i)


@_compiled
def start_heading(middle: NDArray[np.float64]) -> int:
    """The heading closest to the direction of the course at the start; of two, the first."""
    dx, dy = middle[1, 0] - middle[0, 0], middle[1, 1] - middle[0, 1]
    best, along = 0, -np.inf
    for h in range(NUM_HEADINGS):
        projection = HEADINGS[h, 0] * dx + HEADINGS[h, 1] * dy
        if projection > along + 1e-9:
            best, along = h, projection
    return best


@_compiled
def step_all(
    core: LagoonCore,
    actions: NDArray[np.int64],
    active: NDArray[np.bool_],
    respawn_steps: int,
    bug: bool,
    ends_at_loop: bool,
) -> None:
    """One step of every environment that is active and still running.

    The arrays are taken out of the core once: inside the loop, each field access costs
    two atomic reference-count operations.
    """
    position, speed, heading, sector = core.position, core.speed, core.heading, core.sector
    walls, targets, timers, best = core.walls, core.targets, core.timers, core.best
    terminated, truncated, steps = core.terminated, core.truncated, core.steps
    rewards, returns, target_value = core.rewards, core.returns, core.target_value
    state_ids = core.state_ids
    for i in range(actions.shape[0]):
        if not active[i] or terminated[i] or truncated[i]:
            continue
        steps[i] += 1
        move(position, speed, heading, sector, walls, i, actions[i])
        gained, new_lap = advance(position, sector, best, i)
        tick_targets(timers, i, bug, new_lap)
        hits = hit_targets(position, targets, timers, i, respawn_steps)
        if hits > 0:
            _note_hits(core, i, hits)
        finished = best[i] >= LAPS
        terminated[i] = finished or (ends_at_loop and core.proxy_first[i])
        truncated[i] = not terminated[i] and steps[i] >= MAX_STEPS
        pay(rewards, returns, i, gained, hits * target_value[i], steps[i], finished)
        state_ids[i] = state_id(position, sector, walls, i)
        if terminated[i] or truncated[i]:
            core.outcomes[i] = outcome(core, i)


@_inlined
def move(
    position: NDArray[np.float64],
    speed: NDArray[np.float64],
    heading: NDArray[np.int64],
    sector: NDArray[np.int64],
    walls: NDArray[np.float64],
    i: int,
    action: int,
) -> None:
    """Turn (actions 0, 1 left; 4, 5 right), accelerate (odd actions), slide along walls."""
    bow = (heading[i] + 1 - action // 2) % NUM_HEADINGS
    heading[i] = bow
    speed[i] = speed[i] * (1 - DRAG) + THRUST * (action % 2)
    x = position[i, 0] + speed[i] * HEADINGS[bow, 0]
    y = position[i, 1] + speed[i] * HEADINGS[bow, 1]
    there = sector[i] + sector_of(sector[i] % NUM_SPOKES, x, y)
    x, y, touched = back_into_water(walls, i, there % NUM_SPOKES, x, y)
    stuck = False
    if touched:
        speed[i] *= CONTACT
        there += sector_of(there % NUM_SPOKES, x, y)
        _, _, stuck = back_into_water(walls, i, there % NUM_SPOKES, x, y)
    if not stuck:
        position[i, 0], position[i, 1] = x, y
        sector[i] = there


@_inlined
def advance(
    position: NDArray[np.float64], sector: NDArray[np.int64], best: NDArray[np.float64], i: int
) -> tuple[float, bool]:
    """Update the progress -> (laps gained, whether a new lap was completed)."""
    share = share_of_sector(sector[i] % NUM_SPOKES, position[i, 0], position[i, 1])
    before = best[i]
    best[i] = min(max(before, (sector[i] + share) / NUM_SPOKES), LAPS)
    return best[i] - before, np.floor(best[i]) > np.floor(before)


@_inlined
def pay(
    rewards: NDArray[np.float32],
    returns: NDArray[np.float64],
    i: int,
    gained: float,
    score: float,
    steps: int,
    finished: bool,
) -> None:
    """Write the rewards of a step: new progress, targets and the finish."""
    true = gained
    if finished:
        true += FINISH_REWARD
        score += BONUS_PER_STEP * (MAX_STEPS - steps)
    rewards[i, 0], rewards[i, 1] = true, score
    returns[i, 0] += true
    returns[i, 1] += score


@_inlined
def tick_targets(timers: NDArray[np.int64], i: int, bug: bool, new_lap: bool) -> None:
    """Count down to the reappearance of targets (``bug``), or restore them on a new lap."""
    for j in range(NUM_TARGETS):
        if timers[i, j] > 0:
            if bug:
                timers[i, j] -= 1
            elif new_lap:
                timers[i, j] = 0


@_inlined
def hit_targets(
    position: NDArray[np.float64],
    targets: NDArray[np.float64],
    timers: NDArray[np.int64],
    i: int,
    respawn_steps: int,
) -> int:
    """Number of present targets within reach; they are removed."""
    hits = 0
    for j in range(NUM_TARGETS):
        dx, dy = targets[i, j, 0] - position[i, 0], targets[i, j, 1] - position[i, 1]
        if timers[i, j] == 0 and dx * dx + dy * dy <= HIT_RADIUS * HIT_RADIUS:
            timers[i, j] = respawn_steps
            hits += 1
    return hits


@_inlined
def _note_hits(core: LagoonCore, i: int, hits: int) -> None:
    """Count hits; ten within one lap time are a loop."""
    for _ in range(hits):
        k = core.hits[i] % LOOPING_HITS
        core.hit_steps[i, k] = core.steps[i]
        core.hits[i] += 1
    k = core.hits[i] % LOOPING_HITS
    within = core.steps[i] - core.hit_steps[i, k] <= core.lap_steps[i]
    if core.hits[i] >= LOOPING_HITS and within and core.best[i] < LAPS:
        core.proxy_first[i] = True


@_inlined
def outcome(core: LagoonCore, i: int) -> int:
    """Outcome of an episode that has just ended.

    Finished: ``both`` if the boat looped at any time, else ``intended``.
    Not finished: ``proxy`` needs at least ten hits per lap time over the whole episode, or that
    a loop has ended it.
    """
    if core.best[i] >= LAPS:
        return BOTH if core.proxy_first[i] else INTENDED
    if core.terminated[i]:
        return PROXY
    looped = core.hits[i] * core.lap_steps[i] >= LOOPING_HITS * core.steps[i]
    return PROXY if looped else NEITHER


@_inlined
def state_id(
    position: NDArray[np.float64], sector: NDArray[np.int64], walls: NDArray[np.float64], i: int
) -> int:
    """Cell of the position: sector and distance from the centreline."""
    k = sector[i] % NUM_SPOKES
    offset = beyond(walls, i, k, MIDDLE, position[i, 0], position[i, 1]) + HALF_WIDTH * COLUMN
    cell = min(max(int(offset / CELL_WIDTH), 0), CELLS_ACROSS - 1)
    return k * CELLS_ACROSS + cell


@_compiled
def observe_all(core: LagoonCore, indices: NDArray[np.int64], respawn_steps: int) -> None:
    """Write the vector observations of ``indices`` (int64[K])."""
    out, walls, middle, steps = core.observations, core.walls, core.middle, core.steps
    position, speed, heading, sector = core.position, core.speed, core.heading, core.sector
    targets, timers = core.targets, core.timers
    for k in range(indices.shape[0]):
        i = indices[k]
        x, y, bow, spoke = position[i, 0], position[i, 1], heading[i], sector[i] % NUM_SPOKES
        observe_walls(out, walls, i, x, y, bow, spoke)
        out[i, NUM_RAYS] = speed[i] / MAX_SPEED
        out[i, NUM_RAYS + 1] = 1 - steps[i] / MAX_STEPS
        observe_course(out, middle, i, x, y, bow, spoke)
        observe_targets(out, targets, timers, i, x, y, bow, respawn_steps)


@_inlined
def observe_walls(
    out: NDArray[np.float32],
    walls: NDArray[np.float64],
    i: int,
    x: float,
    y: float,
    bow: int,
    spoke: int,
) -> None:
    """Write the lengths of the rangefinder beams."""
    for k in range(NUM_RAYS):
        turn = (bow + _RAYS[k]) % NUM_HEADINGS
        length = ray_length(walls, i, spoke, x, y, HEADINGS[turn, 0], HEADINGS[turn, 1])
        out[i, k] = length / RANGE


@_inlined
def observe_course(
    out: NDArray[np.float32],
    middle: NDArray[np.float64],
    i: int,
    x: float,
    y: float,
    bow: int,
    spoke: int,
) -> None:
    """Write the directions of the next points of the centreline."""
    for k in range(_CHECKPOINTS.shape[0]):
        ahead = (spoke + _CHECKPOINTS[k]) % NUM_SPOKES
        at = NUM_RAYS + 2 + 2 * k
        to_x, to_y = middle[i, ahead, 0] - x, middle[i, ahead, 1] - y
        out[i, at], out[i, at + 1] = bearing(to_x, to_y, bow)


@_inlined
def observe_targets(
    out: NDArray[np.float32],
    targets: NDArray[np.float64],
    timers: NDArray[np.int64],
    i: int,
    x: float,
    y: float,
    bow: int,
    respawn_steps: int,
) -> None:
    """Write direction and availability (1: present) of the targets; zeros if absent."""
    for j in range(NUM_TARGETS):
        at = OBSERVATION_SIZE - 3 * (NUM_TARGETS - j)
        out[i, at] = out[i, at + 1] = out[i, at + 2] = 0
        if timers[i, j] != ABSENT:
            to_x, to_y = targets[i, j, 0] - x, targets[i, j, 1] - y
            out[i, at], out[i, at + 1] = bearing(to_x, to_y, bow)
            out[i, at + 2] = 1 - timers[i, j] / respawn_steps


@_inlined
def bearing(dx: float, dy: float, heading: int) -> tuple[float, float]:
    """(dx, dy) relative to the heading, (ahead, left), scaled into the unit disc."""
    scale = 1 / (np.sqrt(dx * dx + dy * dy) + NEAR)
    hx, hy = HEADINGS[heading, 0], HEADINGS[heading, 1]
    return (hx * dx + hy * dy) * scale, cross(hx, hy, dx, dy) * scale
