"""Record one policy on a few levels step by step: positions, pictures, outcomes."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from proxylab.rollouts.rollout import Policy, run_to_end
from proxylab_envs.batch import BatchedEnv
from proxylab_envs.channels import OUTCOMES


@dataclass(frozen=True)
class Trace:
    """One recorded episode.

    Attributes:
        agent: label of the policy.
        level_seed: of the level.
        points: float64[T+1, 2], x and y in pixels of the level's picture, start included.
        outcome: intended, proxy, both or neither.
        returns: {channel: undiscounted return}.
        pictures: uint8[H, W, 3] of every ``every``-th step and of the last; may be empty.
    """

    agent: str
    level_seed: int
    points: NDArray[np.float64]
    outcome: str
    returns: dict[str, float]
    pictures: list[NDArray[np.uint8]] = field(default_factory=list, repr=False)


def watch(
    policy: Policy,
    env: BatchedEnv,
    level_seeds: Sequence[int] | NDArray[np.int64],
    *,
    agent: str,
    seed: int,
    first: int = 0,
    every: int | None = None,
) -> list[Trace]:
    """Run ``policy`` once on every level, with the action draws that ``rollout`` makes.

    Args:
        policy: a :class:`~proxylab.rollouts.rollout.Policy`.
        env: a ``BatchedEnv`` with one environment a level; its state is overwritten.
        level_seeds: int64[num_envs].
        agent: label.
        seed: int, of the action draws.
        first: number of the first episode; draws depend on (seed, number, step), so level k
            alone, with ``first=k``, gives the same episode as among the others.
        every: keep a picture of every so many steps; ``None`` keeps none.

    Returns:
        list of :class:`Trace`, one per level.
    """
    indices = np.arange(env.num_envs)
    env.reset_levels(np.asarray(level_seeds, np.int64), indices)
    places = env.picture_positions()
    points = [[place] for place in places()]
    pictures = [[env.render_rgb(i)] if every else [] for i in indices]
    for step, (moved, _, _) in enumerate(run_to_end(policy, env, seed=seed, first=first), 1):
        now = places()
        for i in moved:
            points[i].append(now[i])
            if every and (step % every == 0 or env.done[i]):
                pictures[i].append(env.render_rgb(i))
    return [_trace(env, i, agent, points[i], pictures[i]) for i in indices]


def _trace(
    env: BatchedEnv,
    i: int,
    agent: str,
    points: Sequence[NDArray[np.float64]],
    pictures: list[NDArray[np.uint8]],
) -> Trace:
    return Trace(
        agent=agent,
        level_seed=int(env.core.level_seeds[i]),
        points=np.array(points),
        outcome=OUTCOMES[env.core.outcomes[i]],
        returns={c: float(env.core.returns[i, k]) for k, c in enumerate(env.channels)},
        pictures=pictures,
    )
