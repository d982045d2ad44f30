"""The original game as a batched environment."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from proxylab_envs.grid.paths import COL_STEP, ROW_STEP
from proxylab_envs.levels import SHIFTED
from proxylab_envs.maze_corner.dynamics import MOUSE, outcome
from proxylab_envs.maze_corner.level import MazeLevel
from proxylab_envs.procgen.library import FRAME, RESTART, STAND, Games
from proxylab_envs.procgen.state import Maze, read_maze, read_mouse, with_cheese, with_level_bounds
from proxylab_envs.procgen_maze.env import ProcgenMaze
from proxylab_envs.procgen_maze.level import GOAL_REWARD, ProcgenConfig

MOVES = np.array([5, 3, 1, 7])
"""Actions of the game for up, down, left and right: 3 (dx + 1) + (dy + 1)."""

NUM_ACTIONS = 15
_OF_GAME = np.full(NUM_ACTIONS, -1)
_OF_GAME[[0, 1, 2, 5, 3, 8, 7, 6]] = (2, 2, 2, 0, 1, 3, 3, 3)
"""The move (0 to 3) of each action of the game, -1 for actions that do not move."""


@dataclass(frozen=True)
class RealProcgenConfig(ProcgenConfig):
    """Parameters of the original game: those of :class:`ProcgenConfig`, and its actions.

    Attributes:
        all_actions: use the 15 actions of the game instead of the four moves.

    ``observation="rgb"`` is uint8[64, 64, 3] as rendered by the game. The game ends episodes at
    the cheese and after 500 steps, so ``end_on`` and ``time_limit`` cannot be changed.
    """

    all_actions: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.end_on != "cheese" or self.time_limit != 500:
            raise ValueError("the original game ends at the cheese or after 500 steps")


class RealProcgenMaze(ProcgenMaze):
    """The original Maze by its native library, with the cheese moved at every reset.

    Level seeds, splits, channels, outcomes and optimal returns are those of
    :class:`~proxylab_envs.procgen_maze.ProcgenMaze`; walls, the position of the mouse,
    rewards and episode ends are read from the game. At every reset the maze of the game is
    compared with that of procgen-maze. The state after the last step of an episode cannot be
    read, because the game has already started its next level: the position of the mouse is
    inferred, and the last ``rgb`` frame is the previous one.

    Raises:
        ProcgenMissing: the library is not installed (``proxylab procgen install``).
    """

    env_id = "proxylab/RealProcgenMaze-v0"
    action_names = ()
    level_kind = None
    reads_levels = False
    irrecoverable = MappingProxyType({})

    def __init__(self, num_envs: int, config: RealProcgenConfig | None = None) -> None:
        """Make ``num_envs`` mazes by ``config`` (a :class:`RealProcgenConfig`)."""
        config = config or RealProcgenConfig()
        self.all_actions = config.all_actions
        self.games = Games(num_envs, config.mode)
        self._loader = Games(1, config.mode)
        super().__init__(num_envs, config)
        self.frames = np.zeros((num_envs, *FRAME), np.uint8)
        if config.observation == "rgb":
            self.single_observation_space = spaces.Box(0, 255, FRAME, np.uint8)
        if config.all_actions:
            self.single_action_space = spaces.Discrete(NUM_ACTIONS)

    def reset_levels(self, level_seeds: NDArray[np.int64], indices: NDArray[np.int64]) -> None:
        """Start ``level_seeds`` (int64[K]) in the environments ``indices`` (int64[K])."""
        super().reset_levels(level_seeds, indices)
        for level_seed, index in zip(level_seeds, indices, strict=True):
            cheese = tuple((self.core.cheese[index] - 1).tolist())
            state = with_cheese(self._game_state(int(level_seed) % SHIFTED), cheese)
            self._compare(read_maze(state), index)
            self.games.set_state(int(index), state)
        self.games.observe()
        self.frames[indices] = self.games.frames[indices]

    def _game_state(self, level_seed: int) -> bytes:
        """The serialised state of the game at the start of a level."""
        loader = self._loader
        loader.set_state(0, with_level_bounds(loader.get_state(0), level_seed, level_seed + 1))
        loader.act(RESTART)
        return loader.get_state(0)

    def _compare(self, maze: Maze, index: int) -> None:
        """Raise ``RuntimeError`` if the maze of the game differs from that of procgen-maze."""
        core = self.core
        ours = core.walls[index, 1:-1, 1:-1], tuple((core.mouse[index] - 1).tolist())
        if not np.array_equal(maze.walls, ours[0]) or maze.mouse != ours[1]:
            raise RuntimeError(
                f"level {core.level_seeds[index]} of the original game differs from procgen-maze"
            )

    def _step(self, actions: NDArray[np.int64], active: NDArray[np.bool_]) -> None:
        moved = active & ~self.done
        still = np.flatnonzero(~moved & ~self.done)
        kept = [self.games.get_state(int(i)) for i in still]
        moves = np.asarray(actions) if self.all_actions else MOVES[actions]
        self.games.act(np.where(moved, moves, STAND))
        for i in np.flatnonzero(moved):
            self._record(i, _OF_GAME[moves[i]])
        for i, state in zip(still, kept, strict=True):
            self.games.set_state(int(i), state)
        if len(still):
            self.games.observe()

    def _record(self, i: int, move: int) -> None:
        """Write the last step of the game in environment ``i`` to the core."""
        core, over = self.core, bool(self.games.firsts[i])
        if over:
            cell = self._after(i, move)
        else:
            cell = np.add(read_mouse(self.games.get_state(int(i))), 1)
            self.frames[i] = self.games.frames[i]
        core.observations[i, MOUSE, *core.mouse[i]] = 0
        core.observations[i, MOUSE, *cell] = 1
        core.mouse[i] = cell
        core.state_ids[i] = cell[0] * core.walls.shape[2] + cell[1]
        core.steps[i] += 1
        cheese = bool(self.games.rewards[i] > 0)
        at_corner = np.array_equal(cell, core.corner[i]) and core.returns[i, 1] == 0
        core.rewards[i] = self.games.rewards[i], GOAL_REWARD * at_corner
        core.returns[i] += core.rewards[i]
        core.proxy_first[i] |= at_corner and not cheese
        core.terminated[i] = over and cheese
        core.truncated[i] = over and not cheese
        if over:
            core.outcomes[i] = outcome(cheese, core.returns[i, 1] > 0, core.proxy_first[i])

    def _after(self, i: int, move: int) -> NDArray[np.int64]:
        """The cell after a move from the last observed one: int64[2]."""
        step = np.zeros(2, np.int64) if move < 0 else np.array([ROW_STEP[move], COL_STEP[move]])
        there = self.core.mouse[i] + step
        return self.core.mouse[i].copy() if self.core.walls[i, *there] else there

    def observe(self) -> NDArray[np.uint8]:
        """The observations of agents: the live planes, or the live frames."""
        return self.frames if self.config.observation == "rgb" else self.core.observations

    def snapshot(self) -> dict[str, NDArray[Any]]:
        """Copies of the whole mutable state, including that of the games."""
        states = [np.frombuffer(self.games.get_state(i), np.uint8) for i in range(self.num_envs)]
        joined = {"games": np.concatenate(states), "games.sizes": np.array([*map(len, states)])}
        return {**super().snapshot(), "frames": self.frames.copy(), **joined}

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Restore a :meth:`snapshot`."""
        super().restore(state)
        self.frames[...] = state["frames"]
        for i, game in enumerate(np.split(state["games"], np.cumsum(state["games.sizes"])[:-1])):
            self.games.set_state(i, game.tobytes())
        self.games.observe()

    def place_level(self, level: MazeLevel, index: int = 0) -> None:
        """Not supported: the game generates its levels; raises ``ValueError``."""
        raise ValueError("the original game takes no other levels than its own")

    def walker_cells(self) -> None:
        """None: the game cannot be started from another cell."""
        return None

    def script_actions(self, script: str, indices: NDArray[np.int64]) -> NDArray[np.float32]:
        """As for procgen-maze, as actions of the game if all 15 are in use."""
        found = super().script_actions(script, indices)
        if not self.all_actions:
            return found
        out = np.zeros((len(indices), NUM_ACTIONS), np.float32)
        out[:, MOVES] = found
        return out
