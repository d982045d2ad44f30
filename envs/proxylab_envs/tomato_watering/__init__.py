"""tomato-watering: under a bucket all tomatoes look watered, which earns more than watering."""

from proxylab_envs.tomato_watering.env import TomatoWatering
from proxylab_envs.tomato_watering.level import Garden, TomatoConfig

__all__ = ["Garden", "TomatoConfig", "TomatoWatering"]
