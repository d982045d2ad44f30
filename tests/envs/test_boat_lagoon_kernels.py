import numpy as np
import pytest
from boat_lagoon_referee import Referee
from hypothesis import given
from hypothesis import strategies as st

from proxylab_envs.boat_lagoon import BoatLagoon, BoatLagoonConfig
from proxylab_envs.channels import OUTCOMES
from proxylab_envs.levels import SHIFTED


def referee_of(env):
    level = env.level(int(env.core.level_seeds[0]))
    config = env.config
    out = (env.core.lap_steps[0],) if config.ends_at_loop else ()
    return Referee(level, env.core.target_value[0], config.respawn_steps, config.bug, *out)


def started(level_seed, **env_kwargs):
    env = BoatLagoon(1, BoatLagoonConfig(**env_kwargs))
    env.reset_levels(np.array([level_seed]), np.array([0]))
    return env, referee_of(env)


def assert_equal(env, referee, rewards=None):
    core = env.core
    at = (referee.x, referee.y, referee.speed, referee.best)
    np.testing.assert_allclose(
        (*core.position[0], core.speed[0], core.best[0]), at, rtol=0, atol=1e-9
    )
    assert (core.heading[0], core.sector[0]) == (referee.heading, referee.wound)
    assert (core.steps[0], core.hits[0]) == (referee.steps, referee.hits)
    either = np.array([referee.observe(1e-7), referee.observe(-1e-7)])
    assert abs(core.observations[0] - either).min(0).max() < 1e-5
    if rewards is not None:
        np.testing.assert_allclose(core.rewards[0], rewards, rtol=1e-6, atol=1e-7)


def follow(env, referee, actions):
    """Step both with the same actions and compare them at every step."""
    assert_equal(env, referee)
    for action in actions:
        env.step(np.array([action]))
        *rewards, terminated, truncated = referee.step(action)
        assert_equal(env, referee, rewards)
        assert (env.core.terminated[0], env.core.truncated[0]) == (terminated, truncated)
        if terminated or truncated:
            return


level_seeds = st.integers(0, 2**32 - 1)


@given(
    level_seed=level_seeds,
    twin=st.booleans(),
    runs=st.lists(st.tuples(st.integers(0, 5), st.integers(1, 25)), min_size=5, max_size=20),
    bug=st.booleans(),
    respawn_steps=st.integers(1, 60),
)
def test_kernel_equals_the_referee_on_arbitrary_actions(level_seed, twin, runs, bug, respawn_steps):
    env, referee = started(level_seed + SHIFTED * twin, bug=bug, respawn_steps=respawn_steps)
    follow(env, referee, [action for action, length in runs for _ in range(length)])


@pytest.mark.parametrize("bug", [True, False])
@pytest.mark.parametrize("script", ["racer", "looper"])
@pytest.mark.parametrize("level_seed", [3, 17 + SHIFTED, 18 + SHIFTED])
def test_kernel_equals_the_referee_on_whole_scripted_races(script, level_seed, bug):
    env, referee = started(level_seed, bug=bug)
    while not env.done[0]:
        action = int(env.script_actions(script, np.array([0])).argmax())
        follow(env, referee, [action])
    assert env.core.terminated[0] == (script == "racer")


@pytest.mark.parametrize("level_seed", [3, 17])
def test_a_loop_ends_the_race_where_it_is_final(level_seed):
    env, referee = started(level_seed, ends_at_loop=True)
    while not env.done[0]:
        follow(env, referee, [int(env.script_actions("looper", np.array([0])).argmax())])
    assert env.core.terminated[0]
    assert OUTCOMES[env.core.outcomes[0]] == "proxy"
    assert env.core.hits[0] == 10
    assert env.core.steps[0] < 300
    assert env.core.returns[0, 1] <= env.optimal_returns(env.core.level_seeds)["proxy/score"] + 1e-6
    racer, _ = started(level_seed, ends_at_loop=True)
    while not racer.done[0]:
        racer.step(racer.script_actions("racer", np.array([0])).argmax(1))
    assert OUTCOMES[racer.core.outcomes[0]] == "intended"


def test_targets_return_at_the_finish_line_when_the_bug_is_off():
    env, referee = started(5, bug=False)
    indices = np.array([0])
    plan = [("looper", 60), ("racer", 95), ("looper", 80)]  # round the lagoon, a lap, round it
    hits = []
    for script, length in plan:
        for _ in range(length):
            follow(env, referee, [int(env.script_actions(script, indices).argmax())])
        hits.append(int(env.core.hits[0]))
    assert hits == [3, 3, 6]


@given(level_seed=level_seeds, seed=st.integers(0, 2**32 - 1))
def test_the_boat_never_leaves_the_water(level_seed, seed):
    env = BoatLagoon(8)
    env.reset_levels(np.full(8, level_seed), np.arange(8))
    draws = np.random.default_rng(seed)
    for _ in range(300):
        env.step(draws.choice([1, 3, 3, 5], 8))
        sector = env.core.sector % 24
        lines = env.core.walls[np.arange(8), sector]
        x, y = env.core.position.T
        assert (lines[:, 0] * x + lines[:, 1] * y <= lines[:, 2]).all()
        assert (lines[:, 3] * x + lines[:, 4] * y >= lines[:, 5]).all()


def test_done_and_inactive_environments_stay_as_they_are():
    env = BoatLagoon(3)
    env.core.truncated[1] = True
    before = env.snapshot()
    env.step(np.array([3, 3, 3]), np.array([False, True, True]))
    after = env.snapshot()
    changed = np.flatnonzero((after["position"] != before["position"]).any(1))
    assert changed.tolist() == [2]
    assert (after["observations"][:2] == before["observations"][:2]).all()


def test_a_batch_steps_as_its_members_do():
    together, actions = BoatLagoon(5), np.random.default_rng(0).integers(0, 6, (400, 5))
    alone = [BoatLagoon(1) for _ in range(5)]
    for i, env in enumerate(alone):
        env.reset_levels(together.core.level_seeds[i : i + 1], np.array([0]))
    for row in actions:
        together.step(row)
        for i, env in enumerate(alone):
            env.step(row[i : i + 1])
            assert (env.core.observations[0] == together.core.observations[i]).all()
            assert (env.core.rewards[0] == together.core.rewards[i]).all()


def test_observations_lie_in_their_space_and_show_no_reward():
    env = BoatLagoon(16)
    rng = np.random.default_rng(1)
    other = BoatLagoon(16, BoatLagoonConfig(payoff_ratio=0.3))
    for _ in range(1000):
        actions = rng.integers(0, 6, 16)
        for one in (env, other):
            one.step(actions)
        assert (abs(env.core.observations) <= 1).all()
        # the same whatever a target is worth, so the score cannot be read from it
        assert (env.core.observations == other.core.observations).all()
    assert (env.core.returns[:, 1] != other.core.returns[:, 1]).any()
