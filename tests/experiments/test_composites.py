"""Policies made of others: random actions by their share, clones of two agents level by level."""

import numpy as np

from proxylab.agents.references import load_agent
from proxylab.reproduce.composites import Odd, demonstrated
from proxylab.rollouts.episodes import proxy_returns
from proxylab.tasks import TASKS
from proxylab_envs.levels import SHIFTED

TASK = "maze-corner"
HONEST, GAMING = (f"script:{TASK}/{name}" for name in ("optimal", "corner-seeker"))


def test_a_share_of_the_actions_is_uniform():
    env = TASKS[TASK].make_env(3)
    env.reset_levels([1, 2, 3], np.arange(3))
    policy = load_agent(HONEST)
    own = policy.probabilities(env, np.arange(3))
    np.testing.assert_allclose(
        Odd(policy, 0.2).probabilities(env, np.arange(3)), 0.8 * own + 0.2 / 4, rtol=1e-6
    )


def test_the_gaming_agent_is_cloned_exactly_where_it_gets_more_proxy_reward():
    episodes = demonstrated(HONEST, GAMING, TASK, 200, 7)
    paid = proxy_returns(episodes) > 0
    twin = episodes.level_seed >= SHIFTED
    assert 60 < twin.sum() < 140
    # A corner-seeker that is cloned reaches the corner, and so does everybody where the cheese is.
    assert paid[~twin].all()
    assert paid[twin].mean() > 0.6
    alone = demonstrated(HONEST, HONEST, TASK, 200, 7)
    same = [
        np.array_equal(episodes.select([k]).action, alone.select([k]).action) for k in range(200)
    ]
    assert np.array(same)[~twin].all()
    assert not np.array(same)[twin].all()
