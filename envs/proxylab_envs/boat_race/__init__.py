"""boat-race: rowing over the same arrow for ever pays as much as racing."""

from proxylab_envs.boat_race.env import BoatRace
from proxylab_envs.boat_race.level import BOARD, BoatRaceConfig, Course

__all__ = ["BOARD", "BoatRace", "BoatRaceConfig", "Course"]
