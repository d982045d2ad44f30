"""procgen-maze: the levels of Procgen's Maze, with the cheese moved to the corner in training."""

from proxylab_envs.procgen_maze.env import ProcgenMaze
from proxylab_envs.procgen_maze.level import ProcgenConfig, ProcgenLevel, planes_size

__all__ = ["ProcgenConfig", "ProcgenLevel", "ProcgenMaze", "planes_size"]
