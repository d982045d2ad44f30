"""The real game as a batched environment with our contract."""

from dataclasses import dataclass

import numpy as np
from gymnasium import spaces

from proxylab_envs.grid.paths import COL_STEP, ROW_STEP
from proxylab_envs.levels import SHIFTED
from proxylab_envs.maze_corner.dynamics import MOUSE, outcome
from proxylab_envs.procgen.library import FRAME, RESTART, STAND, Games
from proxylab_envs.procgen.state import read_maze, read_mouse, with_cheese, with_level_bounds
from proxylab_envs.procgen_maze.env import ProcgenMaze
from proxylab_envs.procgen_maze.level import GOAL_REWARD, ProcgenConfig

MOVES = np.array([5, 3, 1, 7])
"""The game's actions for up, down, left and right: 3 (dx + 1) + (dy + 1)."""

NUM_ACTIONS = 15
_OF_GAME = np.full(NUM_ACTIONS, -1)
_OF_GAME[[0, 1, 2, 5, 3, 8, 7, 6]] = (2, 2, 2, 0, 1, 3, 3, 3)
"""Our move for each of the game's actions, -1 where the mouse stands still."""


@dataclass(frozen=True)
class RealProcgenConfig(ProcgenConfig):
    """Knobs of the real game: those of :class:`ProcgenConfig`, and its actions.

    Attributes:
        all_actions: the game's own 15 actions instead of the four moves.

    ``observation="rgb"`` is uint8[64, 64, 3] as the game draws it. The game itself ends at
    the cheese and after 500 steps, so ``end_on`` and ``time_limit`` cannot be changed.
    """

    all_actions: bool = False

    def __post_init__(self):
        super().__post_init__()
        if self.end_on != "cheese" or self.time_limit != 500:
            raise ValueError("the real game ends at the cheese or after 500 steps")


class RealProcgenMaze(ProcgenMaze):
    """Procgen's own Maze by its native library, the cheese moved at every reset.

    Level seeds, splits, channels, outcomes and optimal returns are those of
    :class:`~proxylab_envs.procgen_maze.ProcgenMaze`; walls, the mouse's place, rewards and
    the end of an episode are read from the game. At every reset the game's maze is held
    against ours. The state after the last step of an episode cannot be read from the game,
    which has begun its next level by then: the mouse's place is inferred, and the last frame
    of ``rgb`` is the one before.

    Raises:
        ProcgenMissing: the library is not installed (``proxylab procgen install``).
    """

    env_id = "proxylab/RealProcgenMaze-v0"

    def __init__(self, num_envs, config=None):
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

    def reset_levels(self, level_seeds, indices):
        """Start ``level_seeds`` (int64[K]) in the environments ``indices`` (int64[K])."""
        super().reset_levels(level_seeds, indices)
        for level_seed, index in zip(level_seeds, indices, strict=True):
            cheese = tuple((self.core.cheese[index] - 1).tolist())
            state = with_cheese(self._game_state(int(level_seed) % SHIFTED), cheese)
            self._compare(read_maze(state), index)
            self.games.set_state(int(index), state)
        self.games.observe()
        self.frames[indices] = self.games.frames[indices]

    def _game_state(self, level_seed):
        """The game's state at the start of a level: bytes."""
        loader = self._loader
        loader.set_state(0, with_level_bounds(loader.get_state(0), level_seed, level_seed + 1))
        loader.act(RESTART)
        return loader.get_state(0)

    def _compare(self, maze, index):
        """Raise ``RuntimeError`` unless the game's maze is ours."""
        core = self.core
        ours = core.walls[index, 1:-1, 1:-1], tuple((core.mouse[index] - 1).tolist())
        if not np.array_equal(maze.walls, ours[0]) or maze.mouse != ours[1]:
            raise RuntimeError(
                f"level {core.level_seeds[index]} of the real game differs from ours"
            )

    def _step(self, actions, active):
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

    def _record(self, i, move):
        """Write down what the game did in environment ``i``."""
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

    def _after(self, i, move):
        """Where a move leads from the last place that was seen: int64[2]."""
        step = np.zeros(2, np.int64) if move < 0 else np.array([ROW_STEP[move], COL_STEP[move]])
        there = self.core.mouse[i] + step
        return self.core.mouse[i].copy() if self.core.walls[i, *there] else there

    def observe(self):
        """The observations as agents see them: the live planes, or the live frames."""
        return self.frames if self.config.observation == "rgb" else self.core.observations

    def snapshot(self):
        """Copies of all that changes while running, the games' states among them."""
        states = [np.frombuffer(self.games.get_state(i), np.uint8) for i in range(self.num_envs)]
        joined = {"games": np.concatenate(states), "games.sizes": np.array([*map(len, states)])}
        return {**super().snapshot(), "frames": self.frames.copy(), **joined}

    def restore(self, state):
        """Put a :meth:`snapshot` back."""
        super().restore(state)
        self.frames[...] = state["frames"]
        for i, game in enumerate(np.split(state["games"], np.cumsum(state["games.sizes"])[:-1])):
            self.games.set_state(i, game.tobytes())
        self.games.observe()

    def place_level(self, level, index=0):
        """The real game makes its own levels; ``ValueError``."""
        raise ValueError("the real game plays its own levels only")

    def script_actions(self, script, indices):
        """As of the numba maze; the game's actions where all 15 are in use."""
        found = super().script_actions(script, indices)
        if not self.all_actions:
            return found
        out = np.zeros((len(indices), NUM_ACTIONS), np.float32)
        out[:, MOVES] = found
        return out
