"""maze-corner: in training, the cheese is always in the corner of the maze."""

from proxylab_envs.maze_corner.env import MazeCorner
from proxylab_envs.maze_corner.level import MazeConfig, MazeLevel

__all__ = ["MazeConfig", "MazeCorner", "MazeLevel"]
