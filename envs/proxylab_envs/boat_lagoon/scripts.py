"""Two scripted policies: ``racer`` sails the course, ``looper`` circles in the lagoon."""

import numba
import numpy as np
from numpy.typing import NDArray

from proxylab_envs.boat_lagoon.core import LagoonCore
from proxylab_envs.boat_lagoon.geometry import (
    HEADINGS,
    TARGET_ORBIT,
    cross,
    lagoon_centre,
    share_of_sector,
)
from proxylab_envs.boat_lagoon.level import NUM_SPOKES, NUM_TARGETS
from proxylab_envs.boat_lagoon.solver import NUM_HEADINGS

SCRIPTS = ("racer", "looper")
LOOK_AHEAD = 1.25  # sectors
AIM = TARGET_ORBIT - 0.5  # radius that the looper steers for; its turning circle is larger
PULL = 0.8  # strength of the correction towards that circle, per world unit of deviation
PASSED = 0.6  # radians; a target closer ahead on the circle has just been hit
_HALF_TURN = np.tan(
    np.pi / NUM_HEADINGS
)  # steer if the desired direction deviates by more than this


@numba.njit(cache=True)
def script_probabilities(
    core: LagoonCore, script: int, indices: NDArray[np.int64], out: NDArray[np.float32]
) -> None:
    """Write one-hot probabilities of the scripted actions to ``out`` (float32[K, 6])."""
    for k in range(indices.shape[0]):
        i = indices[k]
        action = racer_action(core, i) if script == 0 else looper_action(core, i)
        out[k] = 0
        out[k, action] = 1


@numba.njit(cache=True)
def steer_towards(heading: int, dx: float, dy: float) -> int:
    """-1 (left), 0 or 1 (right): the turn that brings the heading closer to (dx, dy)."""
    hx, hy = HEADINGS[heading, 0], HEADINGS[heading, 1]
    side, ahead = cross(hx, hy, dx, dy), hx * dx + hy * dy
    if ahead > 0 and abs(side) <= ahead * _HALF_TURN:
        return 0
    return -1 if side > 0 else 1


@numba.njit(cache=True)
def racer_action(core: LagoonCore, i: int) -> int:
    """Full throttle towards a point of the centreline ``LOOK_AHEAD`` sectors ahead."""
    x, y = core.position[i, 0], core.position[i, 1]
    sector = core.sector[i] % NUM_SPOKES
    ahead = share_of_sector(sector, x, y) + LOOK_AHEAD
    first = int(ahead)
    a = core.middle[i, (sector + first) % NUM_SPOKES]
    b = core.middle[i, (sector + first + 1) % NUM_SPOKES]
    w = ahead - first
    dx, dy = (1 - w) * a[0] + w * b[0] - x, (1 - w) * a[1] + w * b[1] - y
    return 2 * (steer_towards(core.heading[i], dx, dy) + 1) + 1


@numba.njit(cache=True)
def looper_action(core: LagoonCore, i: int) -> int:
    """Sail the course to the lagoon, then circle clockwise through the targets."""
    x, y = core.position[i, 0], core.position[i, 1]
    off = (core.sector[i] - core.lagoon[i] + NUM_SPOKES // 2) % NUM_SPOKES - NUM_SPOKES // 2
    if not -3 <= off <= 2:
        return racer_action(core, i)
    cx, cy = lagoon_centre(core.centre[i], core.lagoon[i])
    rx, ry = x - cx, y - cy
    radius = np.sqrt(rx * rx + ry * ry) + 1e-9
    inward = PULL * (radius - AIM) / radius
    steer = steer_towards(core.heading[i], ry / radius - inward * rx, -rx / radius - inward * ry)
    throttle = 0 if _too_early(core, i, rx, ry) else 1
    return 2 * (steer + 1) + throttle


@numba.njit(cache=True)
def _too_early(core: LagoonCore, i: int, rx: float, ry: float) -> bool:
    """Whether the next target clockwise would still be absent when the boat arrives."""
    nearest, wait = 2 * np.pi, 0
    for j in range(NUM_TARGETS):
        tx = core.targets[i, j, 0] - core.position[i, 0] + rx
        ty = core.targets[i, j, 1] - core.position[i, 1] + ry
        angle = np.arctan2(-cross(rx, ry, tx, ty), rx * tx + ry * ty) % (2 * np.pi)
        if angle < nearest and angle > PASSED:
            nearest, wait = angle, core.timers[i, j]
    return wait > nearest * NUM_HEADINGS / (2 * np.pi)
