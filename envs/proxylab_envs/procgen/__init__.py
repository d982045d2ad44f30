"""The real Procgen Maze, by its original native library: a judge for our own levels.

Optional: ``proxylab procgen install`` fetches the library (Linux on x86-64 only).
"""

from proxylab_envs.procgen.env import RealProcgenConfig, RealProcgenMaze

__all__ = ["RealProcgenConfig", "RealProcgenMaze"]
