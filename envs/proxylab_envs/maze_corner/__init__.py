"""maze-corner: a mouse that learns the corner instead of the cheese."""

from proxylab_envs.maze_corner.env import MazeCorner
from proxylab_envs.maze_corner.level import MazeConfig, MazeLevel

__all__ = ["MazeConfig", "MazeCorner", "MazeLevel"]
