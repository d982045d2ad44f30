"""maze-corner: in training, the cheese is always in the corner of the maze."""

from proxylab_envs.maze_corner.env import MazeCorner, MazeCornerV0
from proxylab_envs.maze_corner.level import MazeConfig, MazeConfigV0, MazeLevel

__all__ = ["MazeConfig", "MazeConfigV0", "MazeCorner", "MazeCornerV0", "MazeLevel"]
