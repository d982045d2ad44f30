"""One policy on a few levels, watched step by step: places, pictures, endings."""

from dataclasses import dataclass, field

import numpy as np

from proxylab.rollouts.rollout import run_to_end
from proxylab_envs.boat_lagoon.render import fit_view
from proxylab_envs.channels import OUTCOMES


@dataclass(frozen=True)
class Trace:
    """One watched episode.

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
    points: np.ndarray
    outcome: str
    returns: dict
    pictures: list = field(default_factory=list, repr=False)


def watch(policy, env, level_seeds, *, agent, seed, first=0, every=None):
    """Run ``policy`` once on every level, with the action draws that ``rollout`` makes.

    Args:
        policy: a :class:`~proxylab.rollouts.rollout.Policy`.
        env: a ``BatchedEnv`` with one environment a level; its state is overwritten.
        level_seeds: int64[num_envs].
        agent: label.
        seed: int, of the action draws.
        first: number of the first episode; draws are of (seed, number, step), so level k
            alone, with ``first=k``, goes as it does among the others.
        every: keep a picture of every so many steps; ``None`` keeps none.

    Returns:
        list of :class:`Trace`, one a level.
    """
    indices = np.arange(env.num_envs)
    env.reset_levels(np.asarray(level_seeds, np.int64), indices)
    places = projection(env)
    points = [[place] for place in places()]
    pictures = [[env.render_rgb(i)] if every else [] for i in indices]
    for step, (moved, _, _) in enumerate(run_to_end(policy, env, seed=seed, first=first), 1):
        now = places()
        for i in moved:
            points[i].append(now[i])
            if every and (step % every == 0 or env.done[i]):
                pictures[i].append(env.render_rgb(i))
    return [_trace(env, i, agent, points[i], pictures[i]) for i in indices]


def projection(env):
    """Function that tells where the agents are: () -> float64[N, 2], x and y in their pictures.

    Of the levels that run now: a new level may be drawn at another scale.
    """
    height, pixels = env.render_rgb(0).shape[:2]
    if hasattr(env.core, "position"):
        rows = zip(env.core.centre.tolist(), env.core.lagoon.tolist(), strict=True)
        views = [fit_view(tuple(centre), lagoon, pixels) for centre, lagoon in rows]
        corner = np.array([(view.left, view.top) for view in views])
        scale = np.array([(1 / view.unit, -1 / view.unit) for view in views])  # y grows upwards
        return lambda: (env.core.position - corner) * scale
    width = round((env.num_states * pixels / height) ** 0.5)
    return lambda: _on_grid(env.core.state_ids.astype(np.int64), width) * (pixels / width)


def _on_grid(state, width):
    """State indices int64[N] -> float64[N, 2], x and y in cells, of the cells' middles."""
    return np.stack([state % width + 0.5, state // width + 0.5], axis=1)


def _trace(env, i, agent, points, pictures):
    return Trace(
        agent=agent,
        level_seed=int(env.core.level_seeds[i]),
        points=np.array(points),
        outcome=OUTCOMES[env.core.outcomes[i]],
        returns={c: float(env.core.returns[i, k]) for k, c in enumerate(env.channels)},
        pictures=pictures,
    )
