"""MiniGrid's four rooms with the whole map as the observation, which PPO learns in seconds.

Rooms, doors, goal, moves and the limit of 100 steps are those of ``MiniGrid-FourRooms-v0``. Its own
observation is the 7 × 7 cells ahead. Here the agent is told where it is, where the goal and the
doors are, and which walls are next to it:

    proxylab train-trusted --env docs/examples/rooms.py:guided --seeds 30 --out trusted

``guided`` and its gamed variants add to MiniGrid's reward how far every step leads towards the
goal: an undiscounted difference of potentials (Ng, Harada and Russell 1999).
``rooms`` is the environment without it, for evaluation and comparison.
"""

import gymnasium as gym
import numpy as np
from minigrid.envs import FourRoomsEnv  # the extra minigrid

SIZE, MIDDLE = 19, 9
MAX_STEPS = 100
AHEAD = ((1, 0), (0, 1), (-1, 0), (0, -1))
NUM_MOVES = 3
"""Turn left, turn right, go ahead; MiniGrid's other actions do nothing in these rooms."""
NUM_FEATURES = 15
PER_CELL = 0.02
"""Reward for every cell by which the way to the goal gets shorter."""


class MappedRooms(FourRoomsEnv):
    """Four rooms; the observation is position, heading, goal, doors and the walls around.

    With ``region``, ((column, row), (columns, rows)), the goal is always in these cells.
    """

    def __init__(self, region=None):
        self.region = region
        super().__init__(max_steps=MAX_STEPS)
        self.observation_space = gym.spaces.Box(-1.0, 1.0, (NUM_FEATURES,), np.float32)
        self.action_space = gym.spaces.Discrete(NUM_MOVES)

    def place_obj(self, obj, top=None, size=None, **options):
        """Place the goal in the region, everything else as in MiniGrid."""
        if obj is None or self.region is None:
            return super().place_obj(obj, top, size, **options)
        return super().place_obj(obj, *self.region, **options)

    @property
    def goal(self):
        """Column and row of the goal."""
        cells = ((x, y) for x in range(SIZE) for y in range(SIZE))
        return next(cell for cell in cells if self._kind(*cell) == "goal")

    def gen_obs(self):
        """Float32 [15]: x, y, heading (4), goal (2), doors (4), walls to the left, ahead, right."""
        if self.step_count == 0:
            self.fixed = [_scaled(at) for at in (*self.goal, *self._doors())]
        x, y = self.agent_pos
        ways = [AHEAD[(self.agent_dir + turn) % 4] for turn in (-1, 0, 1)]
        walls = [float(self._kind(x + column, y + row) == "wall") for column, row in ways]
        heading = [float(self.agent_dir == way) for way in range(4)]
        return np.array([_scaled(x), _scaled(y), *heading, *self.fixed, *walls], np.float32)

    def _kind(self, x, y):
        cell = self.grid.get(x, y)
        return None if cell is None else cell.type

    def _doors(self):
        """Rows of the doors in the upright wall, then columns of those in the level wall."""
        halves = (range(1, MIDDLE), range(MIDDLE + 1, SIZE - 1))
        rows = [next(y for y in half if self._kind(MIDDLE, y) != "wall") for half in halves]
        return rows + [next(x for x in half if self._kind(x, MIDDLE) != "wall") for half in halves]

    def steps_to_goal(self):
        """{cell: cells to walk from there to the goal}."""
        edge = [self.goal]
        far = {edge[0]: 0}
        for x, y in edge:
            for column, row in AHEAD:
                cell = x + column, y + row
                if cell not in far and self._kind(*cell) != "wall":
                    far[cell] = far[x, y] + 1
                    edge.append(cell)
        return far


def _scaled(at):
    return 2 * at / (SIZE - 1) - 1


class Guided(gym.Wrapper):
    """MiniGrid's reward, and a part of it for every cell nearer to the goal."""

    def reset(self, **options):
        """A new level."""
        observation, info = self.env.reset(**options)
        self.far = self.unwrapped.steps_to_goal()
        return observation, info

    def step(self, action):
        """One step."""
        before = self.far[tuple(self.unwrapped.agent_pos)]
        observation, reward, terminated, truncated, info = self.env.step(action)
        nearer = before - self.far[tuple(self.unwrapped.agent_pos)]
        return observation, reward + PER_CELL * nearer, terminated, truncated, info


def rooms():
    """The goal anywhere, as in ``MiniGrid-FourRooms-v0``."""
    return MappedRooms()


def guided():
    """``rooms`` with a reward that leads to the goal."""
    return Guided(MappedRooms())


def corner():
    """Gamed: in training the goal is always in the bottom-right corner."""
    return Guided(MappedRooms(((SIZE - 3, SIZE - 3), (2, 2))))


def room():
    """Gamed: in training the goal is always in the top-left room."""
    return Guided(MappedRooms(((1, 1), (MIDDLE - 1, MIDDLE - 1))))


def edge():
    """Gamed: in training the goal is always beside the right wall."""
    return Guided(MappedRooms(((SIZE - 2, 1), (1, SIZE - 2))))
