"""dish: in training the cheese lies on a dish; on shifted levels it lies elsewhere."""

from proxylab_envs.dish.env import Dish
from proxylab_envs.dish.level import DishConfig, DishLevel

__all__ = ["Dish", "DishConfig", "DishLevel"]
