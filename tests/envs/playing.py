"""Playing in tests: keys of the four moves, levels of a split, scripts whose ties are drawn."""

import numpy as np

from proxylab_envs.levels import Levels

KEYS = dict(zip("udlr", range(4), strict=True))


def on_split(env, split, seed=0):
    """``env``, at levels of a split."""
    everywhere = np.arange(env.num_envs)
    env.reset_levels(env.sample_level_seeds(Levels(split), env.num_envs, seed), everywhere)
    return env


def sampled(env, script, seed=0):
    """Roll a script out from the levels in place, ties drawn."""
    everywhere, rng = np.arange(env.num_envs), np.random.default_rng(seed)
    while not env.done.all():
        odds = env.script_actions(script, everywhere).cumsum(axis=1)
        env.step((odds <= rng.random((env.num_envs, 1)) * odds[:, -1:]).sum(axis=1))
    return env
