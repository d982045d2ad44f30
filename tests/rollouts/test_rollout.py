"""One episode per level, exact records, and results that no batch shape changes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxylab.rollouts.rollout import Outcomes, choose_actions, rollout
from proxylab_envs.channels import INTENDED
from proxylab_envs.levels import Levels
from proxylab_envs.maze_corner import MazeCorner
from proxylab_envs.streams import combine


class Uniform:
    name = "uniform"

    def probabilities(self, env, indices):
        return np.full((len(indices), 4), 0.25, np.float32)


class Script:
    def __init__(self, script):
        self.name = self.script = script

    def probabilities(self, env, indices):
        return env.script_actions(self.script, indices)


class Constant:
    name = "constant"

    def __init__(self, row):
        self.row = row

    def probabilities(self, env, indices):
        return np.tile(np.asarray(self.row, np.float32), (len(indices), 1))


def levels_of(split, count, seed=0):
    return MazeCorner(1).sample_level_seeds(Levels(split), count, seed)


def run(policy, num_envs, seeds, seed=1, greedy=False):
    return rollout(policy, MazeCorner(num_envs), seeds, task="maze", seed=seed, greedy=greedy)


def test_every_level_is_played_once_and_in_order():
    seeds = levels_of("shifted", 23)
    episodes, outcomes = run(Script("optimal"), 5, seeds)
    assert episodes.num_episodes == outcomes.num_episodes == 23
    assert (episodes.level_seed == seeds).all()
    assert (outcomes.level_seed == seeds).all()
    assert (episodes.lengths == outcomes.length).all()


@pytest.mark.parametrize("num_envs", [1, 3, 40])
def test_the_number_of_environments_changes_nothing(num_envs):
    seeds = levels_of("shifted", 17)
    wanted, wanted_truth = run(Uniform(), 17, seeds)
    found, truth = run(Uniform(), num_envs, seeds)
    for name in ("episode_offsets", "state_id", "action", "proxy_reward", "terminated"):
        np.testing.assert_array_equal(getattr(found, name), getattr(wanted, name))
    np.testing.assert_array_equal(truth.returns, wanted_truth.returns)
    np.testing.assert_array_equal(truth.outcome, wanted_truth.outcome)


def test_a_list_of_levels_can_be_played_in_parts():
    seeds = levels_of("shifted", 17)
    whole, _ = run(Uniform(), 17, seeds)
    parts = [
        rollout(Uniform(), MazeCorner(4), seeds[a:b], task="maze", seed=1, first=a)[0]
        for a, b in ((0, 5), (5, 6), (6, 17))
    ]
    np.testing.assert_array_equal(np.concatenate([p.action for p in parts]), whole.action)


def test_optimal_play_takes_the_solver_s_number_of_steps():
    seeds = levels_of("shifted", 50)
    env = MazeCorner(8)
    _, outcomes = rollout(Script("optimal"), env, seeds, task="maze", seed=0)
    gamma = 0.5
    discounted = gamma ** (outcomes.length - 1)
    np.testing.assert_allclose(env.optimal_returns(seeds, gamma)["true"], discounted)
    assert (outcomes.returns_of("true") == 1).all()


def test_the_record_replays_to_the_same_episode():
    seeds = levels_of("shifted", 6)
    episodes, outcomes = run(Uniform(), 4, seeds)
    env = MazeCorner(1)
    for e, first, end in zip(
        range(6), episodes.episode_offsets[:-1], episodes.episode_offsets[1:], strict=True
    ):
        env.reset_levels(seeds[e : e + 1], np.array([0]))
        for t in range(first, end):
            assert env.core.state_ids[0] == episodes.state_id[t]
            env.step(episodes.action[t : t + 1])
            assert env.core.rewards[0, 1] == episodes.proxy_reward[t]
        assert env.done[0]
        assert env.core.outcomes[0] == outcomes.outcome[e]
        assert bool(env.core.terminated[0]) == episodes.terminated[e]
        np.testing.assert_array_equal(env.core.returns[0], outcomes.returns[e])


def uniform_number(seed, episode, step):
    """The number in [0, 1) that decides an action: 53 bits of a hash of all three."""
    episode_key = np.uint64(combine(np.uint64(seed), np.int64(episode)))
    word = combine(episode_key, np.int64(step))
    return (int(word) >> 11) / 2**53


def test_actions_follow_the_uniform_number_of_seed_episode_and_step():
    seeds = levels_of("train", 9)
    episodes, _ = run(Constant([0.1, 0.2, 0.3, 0.4]), 4, seeds, seed=7)
    step = np.arange(episodes.num_steps) - episodes.episode_offsets[episodes.episode_index]
    for t in range(5):
        rows = episodes.episode_index[step == t]
        uniform = [uniform_number(7, row, t) for row in rows]
        wanted = np.searchsorted([0.1, 0.3, 0.6, 1.0], uniform, side="right")
        np.testing.assert_array_equal(episodes.action[step == t], wanted)


def test_paired_policies_that_agree_take_the_same_actions():
    seeds = levels_of("shifted", 12)
    first, _ = run(Uniform(), 12, seeds, seed=3)
    second, _ = run(Constant([0.25] * 4), 5, seeds, seed=3)
    other, _ = run(Uniform(), 12, seeds, seed=4)
    np.testing.assert_array_equal(first.action, second.action)
    assert first.num_steps != other.num_steps or (first.action != other.action).any()


def test_greedy_takes_the_first_most_probable_action():
    episodes, _ = run(Constant([0.1, 0.4, 0.1, 0.4]), 3, levels_of("train", 4), greedy=True)
    assert (episodes.action == 1).all()
    assert episodes.num_steps == 4 * MazeCorner(1).max_episode_steps


def test_the_trained_goal_and_the_proxy_pay_the_same_on_training_levels():
    """Corner size 1: the cheese lies in the corner, so both scripts do the same."""
    seeds = levels_of("train", 40)
    _, cheese = run(Script("optimal"), 16, seeds)
    _, corner = run(Script("corner-seeker"), 16, seeds)
    np.testing.assert_array_equal(cheese.returns, corner.returns)
    assert (cheese.returns[:, 0] == cheese.returns[:, 1]).all()
    assert (corner.outcome == INTENDED).all()


@pytest.mark.parametrize(
    "row", [[0, 0, 0, 0], [np.nan, 1, 0, 0], [-0.5, 1.5, 0, 0], [np.inf, 0, 0, 0]]
)
def test_what_is_no_distribution_is_refused(row):
    with pytest.raises(ValueError, match="no distribution"):
        run(Constant(row), 2, levels_of("train", 2))


def test_a_wrong_number_of_actions_is_refused():
    with pytest.raises(ValueError, match=r"constant gave \(2, 3\) probabilities"):
        run(Constant([0.2, 0.3, 0.5]), 2, levels_of("train", 2))


def test_no_levels_is_refused():
    with pytest.raises(ValueError, match="at least one level"):
        run(Uniform(), 2, [])


def referee(uniform, row):
    """Inverse CDF as one would explain it: pile the weights up and see where the dart lands."""
    target, below = uniform * sum(row), 0.0
    for action, weight in enumerate(row):
        below += weight
        if weight > 0 and below > target:
            return action
    return max(action for action, weight in enumerate(row) if weight > 0)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.floats(0, 1, width=32), min_size=1, max_size=6).filter(lambda row: sum(row) > 0),
    st.integers(0, 2**63),
    st.integers(0, 10**6),
    st.integers(0, 1000),
)
def test_choose_actions_against_the_referee(row, seed, episode, step):
    out = np.empty(1, np.int64)
    probabilities = np.array([row], np.float32)
    fine = choose_actions(
        np.uint64(seed), np.array([episode]), np.array([step], np.int32), False, probabilities, out
    )
    assert fine
    assert out[0] == referee(
        uniform_number(seed, episode, step), probabilities[0].astype(float).tolist()
    )
    assert probabilities[0, out[0]] > 0


def test_draws_have_the_policy_s_shares():
    """100,000 draws; each share is within 6 standard errors (false alarm below 1e-8)."""
    count, row = 100_000, np.array([0.05, 0.6, 0.0, 0.35], np.float32)
    out = np.empty(count, np.int64)
    steps = np.zeros(count, np.int32)
    assert choose_actions(
        np.uint64(0), np.arange(count), steps, False, np.tile(row, (count, 1)), out
    )
    shares = np.bincount(out, minlength=4) / count
    assert (np.abs(shares - row) <= 6 * np.sqrt(row * (1 - row) / count) + 1e-7).all()
    assert shares[2] == 0


def test_outcomes_are_checked():
    fine = (np.arange(2), np.ones(2, np.int64), np.zeros((2, 2)), np.zeros(2, np.int8))
    Outcomes(("true", "proxy/x"), *fine, np.zeros(2, bool))
    with pytest.raises(ValueError, match="proxy_first has 3 rows"):
        Outcomes(("true", "proxy/x"), *fine, np.zeros(3, bool))
    with pytest.raises(ValueError, match="a column for each channel"):
        Outcomes(("true",), *fine, np.zeros(2, bool))
    running = (*fine[:3], np.array([-1, 0], np.int8))
    with pytest.raises(ValueError, match="no outcome"):
        Outcomes(("true", "proxy/x"), *running, np.zeros(2, bool))
