"""Compare our Procgen mazes with the real game: levels, steps, and the order of levels."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from proxylab.console.output import Track, no_progress
from proxylab.errors import UsageError
from proxylab_envs.levels import SHIFTED
from proxylab_envs.procgen.env import MOVES
from proxylab_envs.procgen.library import RESTART, Games
from proxylab_envs.procgen.state import read_maze, read_mouse, with_level_bounds
from proxylab_envs.procgen_maze import ProcgenConfig, ProcgenMaze
from proxylab_envs.procgen_maze.level_order import LevelOrder

SCHEMA = "proxylab.procgen-check/1"
MODES = ("easy", "hard", "memory")
BLOCK = 4
"""Mazes stepped at once: few, so that each takes enough steps to reach the time limit."""
ORDERS = ((0, 0, 5), (200, 0, 123), (7, 1_000, 0), (1, 3, 9))
"""(num_levels, start_level, rand_seed) of the games whose order of levels is compared."""


@dataclass(frozen=True)
class Parity:
    """Counts of what was compared in one mode, and of what was equal.

    Attributes:
        mode: ``easy``, ``hard`` or ``memory``.
        levels: number of level seeds compared, from 0.
        equal_levels: of these, those with equal size, walls, cheese and start.
        steps: random steps compared.
        equal_steps: of these, those with equal position, reward, end and next level.
        episodes: episodes that ended in these steps.
        truncated: of these, those cut by the time limit.
    """

    mode: str
    levels: int
    equal_levels: int
    steps: int
    equal_steps: int
    episodes: int
    truncated: int


@dataclass(frozen=True)
class Checked:
    """What ``proxylab procgen check --json`` prints."""

    modes: list[Parity]

    @property
    def equal(self) -> bool:
        """Whether all levels and all steps were equal."""
        return all(m.levels == m.equal_levels and m.steps == m.equal_steps for m in self.modes)

    def as_json(self) -> dict[str, Any]:
        """The object that ``procgen check --json`` prints."""
        rows = [asdict(mode) for mode in self.modes]
        return {"schema": SCHEMA, "equal": self.equal, "modes": rows}


def check_parity(
    levels: int = 1_000,
    steps: int = 10_000,
    modes: Sequence[str] = MODES,
    track: Track = no_progress,
) -> Checked:
    """Compare our mazes with the real game's.

    Args:
        levels: number of level seeds, from 0, in each mode (memory: a tenth of them).
        steps: random steps in each mode.
        modes: modes of the game.
        track: function (list, description) -> iterable, to show progress.

    Returns:
        :class:`Checked`.

    Raises:
        UsageError: ``levels`` or ``steps`` is less than 1.
        ProcgenMissing: the real game is not installed.
    """
    if levels < 1 or steps < 1:
        raise UsageError("compare at least one level and one step")
    return Checked([_compare_mode(mode, levels, steps) for mode in track(modes, "comparing")])


def _compare_mode(mode: str, levels: int, steps: int) -> Parity:
    count = max(1, levels // 10) if mode == "memory" else levels
    counts = [_compare_steps(mode, *order, steps // len(ORDERS)) for order in ORDERS]
    total, equal, ended, truncated = np.sum(counts, axis=0).tolist()
    return Parity(mode, count, _equal_levels(mode, count), total, equal, ended, truncated)


def _equal_levels(mode: str, count: int) -> int:
    """The number of level seeds below ``count`` for which both games make the same maze."""
    ours = ProcgenMaze(1, ProcgenConfig(mode=mode))
    game, index = Games(1, mode), np.zeros(1, np.int64)
    equal = 0
    for seed in range(count):
        game.set_state(0, with_level_bounds(game.get_state(0), seed, seed + 1))
        game.act(RESTART)
        maze = read_maze(game.get_state(0))
        ours.reset_levels(np.array([seed + SHIFTED]), index)
        level = ours.level()
        equal += (
            np.array_equal(level.walls[1:-1, 1:-1], maze.walls)
            and level.cheese == _inside(maze.cheese)
            and level.mouse == _inside(maze.mouse)
            and level.maze_dim == maze.maze_dim
            and int(game.level_seeds[0]) == seed
        )
    return equal


def _inside(cell: tuple[int, int]) -> tuple[int, int]:
    """A cell of the game's grid as a cell of our planes, which have a border of wall."""
    return cell[0] + 1, cell[1] + 1


def _compare_steps(
    mode: str, num_levels: int, start_level: int, rand_seed: int, steps: int
) -> NDArray[np.int64]:
    """int64[4]: steps, equal steps, episode ends and truncations of a random walk in both."""
    options: dict[str, Any] = {
        "num_levels": num_levels,
        "start_level": start_level,
        "rand_seed": rand_seed,
    }
    num = min(BLOCK, steps)
    game, ours = Games(num, mode, **options), ProcgenMaze(num, ProcgenConfig(mode=mode))
    order, every = LevelOrder(num, **options), np.arange(num)
    ours.reset_levels(order.draw(every) + SHIFTED, every)
    rng = np.random.default_rng(rand_seed)
    counts = np.zeros(4, np.int64)
    for _ in range(-(-steps // num)):
        actions = rng.integers(0, 4, num)
        game.act(MOVES[actions])
        ours.step(actions)
        equal = (game.rewards == ours.core.rewards[:, 0]) & (game.firsts == ours.done)
        counts[2:] += ours.done.sum(), ours.core.truncated.sum()
        over = np.flatnonzero(ours.done)
        ours.reset_levels(order.draw(over) + SHIFTED, over)
        equal &= game.level_seeds == ours.core.level_seeds - SHIFTED
        places = np.array([_inside(read_mouse(game.get_state(i))) for i in range(num)])
        equal &= (places == ours.core.mouse).all(axis=1)
        counts[:2] += num, equal.sum()
    return counts
