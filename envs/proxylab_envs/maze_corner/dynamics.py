"""Numba kernels of maze-corner: level generation, stepping and observing N mazes in place."""

from typing import NamedTuple, Protocol

import numba
import numpy as np
from numpy.typing import NDArray

from proxylab_envs.batch import shared_arrays
from proxylab_envs.channels import BOTH as BOTH_REACHED
from proxylab_envs.channels import INTENDED, NEITHER, PROXY, RUNNING
from proxylab_envs.grid.mazes import carve_tree, carve_uniform, hash_walls, scatter_blocks
from proxylab_envs.grid.paths import COL_STEP, ROW_STEP, UNREACHABLE, distances_from
from proxylab_envs.levels import NUM_BUCKETS, SHIFTED
from proxylab_envs.streams import Integer, combine, draw, seed_stream

WALL, MOUSE, CHEESE = range(3)
TREE, BLOCKS, UNIFORM = range(3)
AT_CHEESE, AT_BOTH, AT_EITHER = range(3)
_TRUE, _CORNER = range(2)
_WALLS_STREAM, _PLACES_STREAM = 1, 2
_TWIN = np.uint64(SHIFTED)
_MAZE_BITS = np.uint64(SHIFTED - 1)
MOST_DRAWS, NO_LAYOUT = 100_000, -1
"""Layouts that are drawn for one of a split, and what stands for none: tiny mazes have few."""


class Rules(NamedTuple):
    """The fields of :class:`MazeConfig` that the kernels read, as numbers."""

    generator: int
    corner_size: int
    time_limit: int
    end_on: int
    wall_share: float
    only_solvable: bool
    goal_reward: float = 1.0


class EpisodeRules(Protocol):
    """The fields of the rules that :func:`step` reads."""

    @property
    def time_limit(self) -> int:
        """Steps after which an episode is truncated."""

    @property
    def end_on(self) -> int:
        """Where the episode ends: ``AT_CHEESE``, ``AT_BOTH`` or ``AT_EITHER``."""

    @property
    def goal_reward(self) -> float:
        """Reward of either goal."""


class MazeCore(NamedTuple):
    """N mazes as arrays; S is the size. The first ten are batch.CORE_FIELDS.

    Shared by every environment with a mouse, a cheese and a corner: :func:`begin_episode`
    and :func:`step` read the corner from the core, and only :class:`EpisodeRules` of the
    rules.
    """

    observations: NDArray[np.uint8]  # uint8[N, 3, S, S]
    rewards: NDArray[np.float32]  # float32[N, 2]: cheese, corner
    terminated: NDArray[np.bool_]  # bool[N]
    truncated: NDArray[np.bool_]  # bool[N]
    steps: NDArray[np.int32]  # int32[N]
    returns: NDArray[np.float64]  # float64[N, 2]
    outcomes: NDArray[np.int8]  # int8[N]
    proxy_first: NDArray[np.bool_]  # bool[N]
    level_seeds: NDArray[np.int64]  # int64[N]
    state_ids: NDArray[np.int64]  # int64[N], row * S + column of the mouse
    walls: NDArray[np.bool_]  # bool[N, S, S]
    mouse: NDArray[np.int64]  # int64[N, 2]
    cheese: NDArray[np.int64]  # int64[N, 2]
    corner: NDArray[np.int64]  # int64[N, 2]


def make_core(num_envs: int, size: int) -> MazeCore:
    """A core of zeros, the corner in the top-right cell inside the border."""
    return MazeCore(
        **shared_arrays(np.zeros((num_envs, 3, size, size), np.uint8), 2),
        walls=np.ones((num_envs, size, size), bool),
        mouse=np.ones((num_envs, 2), np.int64),
        cheese=np.ones((num_envs, 2), np.int64),
        corner=np.tile(np.array([1, size - 2], np.int64), (num_envs, 1)),
    )


@numba.njit(cache=True)
def make_walls(
    rules: Rules,
    level_seed: Integer,
    attempt: Integer,
    walls: NDArray[np.bool_],
    scratch: NDArray[np.int64],
) -> None:
    """The layout of a level seed and of its shifted twin; ``attempt`` counts rejected ones."""
    stream = np.empty(1, np.uint64)
    maze = np.uint64(level_seed) & _MAZE_BITS
    seed_stream(stream, combine(combine(maze, _WALLS_STREAM), attempt))
    if rules.generator == TREE:
        carve_tree(stream, walls, scratch)
    elif rules.generator == UNIFORM:
        carve_uniform(stream, walls, scratch)
    else:
        scatter_blocks(stream, walls, rules.wall_share)
        _open_the_block(rules, walls)


@numba.njit(cache=True)
def _open_the_block(rules: Rules, walls: NDArray[np.bool_]) -> None:
    """Remove the corner's wall if the top-right block has no free cell."""
    side, right = max(rules.corner_size, 1), walls.shape[1] - 1
    if walls[1 : 1 + side, right - side : right].all():
        walls[1, right - 1] = False


@numba.njit(cache=True)
def make_level(
    rules: Rules,
    level_seed: Integer,
    walls: NDArray[np.bool_],
    mouse: NDArray[np.int64],
    cheese: NDArray[np.int64],
    scratch: NDArray[np.int64],
) -> int:
    """Write a level into ``walls`` bool[S, S], ``mouse`` and ``cheese`` int64[2] (row, column)."""
    stream = np.empty(1, np.uint64)
    filtered = rules.generator == BLOCKS and rules.only_solvable
    distances = np.empty(walls.shape, np.int16)
    attempt = 0
    while True:
        make_walls(rules, level_seed, attempt, walls, scratch)
        seed_stream(stream, combine(combine(np.uint64(level_seed), _PLACES_STREAM), attempt))
        _place_cheese(rules, level_seed, stream, walls, cheese)
        _place_mouse(stream, walls, mouse, cheese)
        if not filtered or solvable(walls, mouse, cheese, distances, scratch):
            return attempt
        attempt += 1


@numba.njit(cache=True)
def _place_cheese(
    rules: Rules,
    level_seed: Integer,
    stream: NDArray[np.uint64],
    walls: NDArray[np.bool_],
    cheese: NDArray[np.int64],
) -> None:
    """A free cell of the top-right block, or any free cell on a shifted twin."""
    inner = walls.shape[0] - 2
    side = inner if np.uint64(level_seed) & _TWIN else max(rules.corner_size, 1)
    while True:
        cell = draw(stream, side * side)
        row, col = 1 + cell // side, walls.shape[1] - 1 - side + cell % side
        if not walls[row, col]:
            cheese[0], cheese[1] = row, col
            return


@numba.njit(cache=True)
def _place_mouse(
    stream: NDArray[np.uint64],
    walls: NDArray[np.bool_],
    mouse: NDArray[np.int64],
    cheese: NDArray[np.int64],
) -> None:
    """A free cell other than the cheese's, uniformly at random."""
    inner = walls.shape[0] - 2
    while True:
        cell = draw(stream, inner * inner)
        row, col = 1 + cell // inner, 1 + cell % inner
        if not walls[row, col] and (row != cheese[0] or col != cheese[1]):
            mouse[0], mouse[1] = row, col
            return


@numba.njit(cache=True)
def solvable(
    walls: NDArray[np.bool_],
    mouse: NDArray[np.int64],
    cheese: NDArray[np.int64],
    distances: NDArray[np.int16],
    scratch: NDArray[np.int64],
) -> bool:
    """Whether the mouse can reach the cheese and the corner."""
    right = walls.shape[1] - 2
    if walls[1, right]:
        return False
    distances_from(walls, mouse[0], mouse[1], distances, scratch)
    return distances[cheese[0], cheese[1]] != UNREACHABLE and distances[1, right] != UNREACHABLE


@numba.njit(cache=True)
def layout_of(
    rules: Rules,
    level_seed: Integer,
    walls: NDArray[np.bool_],
    mouse: NDArray[np.int64],
    cheese: NDArray[np.int64],
    scratch: NDArray[np.int64],
) -> np.uint64:
    """Hash of the walls of a level seed (of its training level)."""
    make_level(rules, np.uint64(level_seed) & _MAZE_BITS, walls, mouse, cheese, scratch)
    return hash_walls(walls)


@numba.njit(cache=True)
def find_level_seeds(
    rules: Rules,
    size: int,
    ranks: NDArray[np.uint64],
    first_bucket: int,
    end_bucket: int,
    out: NDArray[np.int64],
) -> None:
    """Level seeds at ``ranks`` (uint64[K]) of the layouts in buckets [first, end): out int64[K].

    A seed is ``NO_LAYOUT`` where none of ``MOST_DRAWS`` layouts is in these buckets.
    """
    walls = np.empty((size, size), np.bool_)
    mouse, cheese = np.empty(2, np.int64), np.empty(2, np.int64)
    scratch = np.empty(size * size, np.int64)
    for k in range(ranks.shape[0]):
        out[k] = NO_LAYOUT
        for attempt in range(MOST_DRAWS):
            seed = combine(ranks[k], attempt) & _MAZE_BITS
            layout = layout_of(rules, seed, walls, mouse, cheese, scratch)
            bucket = (layout >> np.uint64(32)) % np.uint64(NUM_BUCKETS)
            if first_bucket <= bucket < end_bucket:
                out[k] = np.int64(seed)
                break


@numba.njit(cache=True)
def start_levels(
    core: MazeCore, rules: Rules, level_seeds: NDArray[np.int64], indices: NDArray[np.int64]
) -> None:
    """Start ``level_seeds[k]`` in environment ``indices[k]``."""
    size = core.walls.shape[1]
    scratch = np.empty(size * size, np.int64)
    for k in range(indices.shape[0]):
        i = indices[k]
        make_level(rules, level_seeds[k], core.walls[i], core.mouse[i], core.cheese[i], scratch)
        begin_episode(core, i, level_seeds[k])


@numba.njit(cache=True)
def begin_episode(core: MazeCore, i: int, level_seed: Integer) -> None:
    """Clear the counters of environment ``i``, whose level is in place, and observe it."""
    core.level_seeds[i] = level_seed
    core.rewards[i] = 0
    core.returns[i] = 0
    core.steps[i] = 0
    core.terminated[i] = core.truncated[i] = core.proxy_first[i] = False
    core.outcomes[i] = RUNNING
    row, col = core.mouse[i]
    core.state_ids[i] = row * core.walls.shape[2] + col
    planes = core.observations[i]
    planes[WALL] = core.walls[i]
    planes[MOUSE] = 0
    planes[CHEESE] = 0
    planes[MOUSE, row, col] = 1
    planes[CHEESE, core.cheese[i, 0], core.cheese[i, 1]] = 1


@numba.njit(cache=True)
def step(
    core: MazeCore, rules: EpisodeRules, actions: NDArray[np.int64], active: NDArray[np.bool_]
) -> None:
    """One step of every active environment that is not done; two cells of its planes change.

    A single function, because passing the core to another function per maze costs more
    than the step itself.
    """
    paid = rules.goal_reward
    for i in range(actions.shape[0]):
        if not active[i] or core.terminated[i] or core.truncated[i]:
            continue
        row, col = core.mouse[i, 0], core.mouse[i, 1]
        core.observations[i, MOUSE, row, col] = 0
        down, right = ROW_STEP[actions[i]], COL_STEP[actions[i]]
        free = 1 - np.int64(core.walls[i, row + down, col + right])
        row, col = row + free * down, col + free * right
        core.observations[i, MOUSE, row, col] = 1
        core.mouse[i, 0], core.mouse[i, 1] = row, col
        core.state_ids[i] = row * core.walls.shape[2] + col
        had_cheese, had_corner = core.returns[i, _TRUE] > 0, core.returns[i, _CORNER] > 0
        on_cheese = row == core.cheese[i, 0] and col == core.cheese[i, 1]
        on_corner = row == core.corner[i, 0] and col == core.corner[i, 1]
        cheese, corner = had_cheese or on_cheese, had_corner or on_corner
        core.rewards[i, _TRUE] = paid * (cheese and not had_cheese)
        core.rewards[i, _CORNER] = paid * (corner and not had_corner)
        core.returns[i, _TRUE], core.returns[i, _CORNER] = paid * cheese, paid * corner
        if corner and not had_corner and not cheese:
            core.proxy_first[i] = True
        core.steps[i] += 1
        over = cheese
        if rules.end_on == AT_BOTH:
            over = cheese and corner
        elif rules.end_on == AT_EITHER:
            over = cheese or corner
        core.terminated[i] = over
        core.truncated[i] = not over and core.steps[i] >= rules.time_limit
        if over or core.truncated[i]:
            core.outcomes[i] = outcome(cheese, corner, core.proxy_first[i])


@numba.njit(cache=True)
def outcome(cheese: bool, corner: bool, proxy_first: bool) -> int:
    """Outcome of a finished episode: the goals reached, and their order."""
    if not cheese:
        return PROXY if corner else NEITHER
    return BOTH_REACHED if proxy_first else INTENDED
