"""boat-lagoon: circling for reappearing targets scores more than finishing the race."""

from proxylab_envs.boat_lagoon.env import BoatLagoon
from proxylab_envs.boat_lagoon.level import BoatLagoonConfig, Level, read_level, write_level

__all__ = ["BoatLagoon", "BoatLagoonConfig", "Level", "read_level", "write_level"]
