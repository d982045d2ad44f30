"""boat-race: rowing back and forth over one arrow earns as much reward as racing."""

from proxylab_envs.boat_race.env import BoatRace
from proxylab_envs.boat_race.level import BOARD, BoatRaceConfig, Course

__all__ = ["BOARD", "BoatRace", "BoatRaceConfig", "Course"]
