"""The original Procgen Maze, by its native library: the reference for procgen-maze.

Optional: ``proxylab procgen install`` downloads the library (Linux on x86-64 only).
"""

from proxylab_envs.procgen.env import RealProcgenConfig, RealProcgenMaze

__all__ = ["RealProcgenConfig", "RealProcgenMaze"]
