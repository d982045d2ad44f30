"""colour-shape: trained on a yellow gem; on shifted levels a yellow star and a red gem."""

from proxylab_envs.colour_shape.env import ColourShape
from proxylab_envs.colour_shape.level import ColourShapeConfig, ColourShapeLevel

__all__ = ["ColourShape", "ColourShapeConfig", "ColourShapeLevel"]
