"""Tomato-watering as images and text: both show the true state of the tomatoes."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from proxylab_envs.grid.ascii import format_grid
from proxylab_envs.grid.render import draw_grid
from proxylab_envs.tomato_watering.level import (
    AGENT,
    BUCKET,
    DRY,
    DUD,
    FREE,
    SYMBOLS,
    WALL,
    WATERED,
)

UNDER = len(SYMBOLS)


class Scene(NamedTuple):
    """The state of a garden: like a ``Garden``, but the agent may be on any free cell."""

    walls: NDArray[np.bool_]
    agent: tuple[int, int]
    bucket: tuple[int, int]
    works: bool
    tomatoes: tuple[tuple[int, int], ...]
    watered: tuple[bool, ...]


def picture(scene: Scene) -> NDArray[np.uint8]:
    """A :class:`Scene` as uint8[32 H, 32 W, 3]."""
    sprites = [
        (*place, "tomato" if watered else "dry-tomato")
        for place, watered in zip(scene.tomatoes, scene.watered, strict=True)
    ]
    bucket = "bucket" if scene.works else "dud-bucket"
    if scene.agent == scene.bucket:
        sprites += [(*scene.agent, "gardener"), (*scene.bucket, f"worn-{bucket}")]
    else:
        sprites += [(*scene.bucket, bucket), (*scene.agent, "gardener")]
    return draw_grid(scene.walls, sprites, theme="garden")


def text(scene: Scene) -> str:
    """A :class:`Scene` as ASCII, one line a row; an agent under the bucket is ``@``."""
    codes = np.where(scene.walls, WALL, FREE)
    for place, watered in zip(scene.tomatoes, scene.watered, strict=True):
        codes[place] = WATERED if watered else DRY
    codes[scene.bucket] = BUCKET if scene.works else DUD
    codes[scene.agent] = UNDER if scene.agent == scene.bucket else AGENT
    return format_grid(codes, SYMBOLS + "@")
