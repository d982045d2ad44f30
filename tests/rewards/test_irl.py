"""Exact IRL: kernels against plain Python, gradient, recovery of a known reward, ambiguity."""

import math

import numpy as np
import pytest

from proxylab.rewards.irl import (
    Demonstrated,
    arrival_features,
    demonstrated_by,
    demonstrations,
    draw_episodes,
    expected_visits,
    log_likelihood,
    optimal_policy,
    recover_reward,
    soft_policy,
    soft_values,
)
from proxylab.rewards.tabular import ENDED, goal_cells, maze_table
from proxylab_envs.levels import SHIFTED, Levels
from proxylab_envs.maze_corner import MazeConfig, MazeCorner

SIZE, DISCOUNT = 7, 0.9
ENV = MazeCorner(1, MazeConfig(size=SIZE))
SEEDS = [int(seed) for seed in ENV.sample_level_seeds(Levels("train", shifted_share=0), 6, 0)]
RNG = np.random.default_rng(0)


def goal_features(seed):
    """(table, float64[S, A, 2]): a move arrives at the cheese, at the corner."""
    table = maze_table(ENV, seed, DISCOUNT)
    planes = np.zeros((SIZE * SIZE, 2))
    for k, cell in enumerate(goal_cells(ENV, seed)):
        planes[cell, k] = 1
    return table, arrival_features(table, planes)


def plain_soft(table, rewards):
    """Referee: (values, policy) as lists, by value iteration over all states at once."""
    values = [0.0] * table.num_states
    for _ in range(600):
        q = [
            [
                rewards[s][a] + (DISCOUNT * values[there] if there != ENDED else 0.0)
                for a, there in enumerate(table.successors[s].tolist())
            ]
            for s in range(table.num_states)
        ]
        values = [math.log(sum(math.exp(x) for x in row)) for row in q]
    return values, [[math.exp(x - v) for x in row] for row, v in zip(q, values, strict=True)]


def plain_visits(table, policy, start):
    """Referee: discounted visits of each state and action, step by step."""
    now, visits = list(start), np.zeros(table.successors.shape)
    for step in range(600):
        then = [0.0] * table.num_states
        for s, row in enumerate(table.successors.tolist()):
            for a, there in enumerate(row):
                visits[s, a] += DISCOUNT**step * now[s] * policy[s][a]
                if there != ENDED:
                    then[there] += now[s] * policy[s][a]
        now = then
    return visits


@pytest.mark.parametrize("seed", [SEEDS[0], SEEDS[1] + SHIFTED])
def test_the_kernels_agree_with_plain_python(seed):
    table = maze_table(ENV, seed, DISCOUNT)
    rewards = np.random.default_rng(seed).normal(size=table.successors.shape)
    values = np.zeros(table.num_states)
    sweeps = soft_values(table.successors, rewards, DISCOUNT, 1e-12, values)
    policy = soft_policy(table.successors, rewards, DISCOUNT, values)
    referee, chosen = plain_soft(table, rewards.tolist())
    assert sweeps > 1
    assert values == pytest.approx(referee, abs=1e-9)
    assert policy == pytest.approx(np.array(chosen), abs=1e-9)
    visits = expected_visits(table.successors, policy, table.start, DISCOUNT, 1e-12)
    assert visits == pytest.approx(plain_visits(table, policy.tolist(), table.start), abs=1e-9)
    assert visits == pytest.approx(table.occupancy(policy), abs=1e-9)


def test_large_rewards_do_not_overflow():
    table = maze_table(ENV, SEEDS[0], DISCOUNT)
    values = np.zeros(table.num_states)
    rewards = np.full(table.successors.shape, -1e4)
    rewards[table.successors == ENDED] = 1e4
    soft_values(table.successors, rewards, DISCOUNT, 1e-6, values)
    assert np.isfinite(soft_policy(table.successors, rewards, DISCOUNT, values)).all()


def test_the_gradient_agrees_with_finite_differences():
    mazes = []
    for seed in (SEEDS[0], SEEDS[1] + SHIFTED):
        table, features = goal_features(seed)
        policy = RNG.dirichlet(np.ones(4), table.num_states)
        mazes.append(demonstrated_by(table, features, policy))
    weights = np.array([0.7, -0.4])
    _, gradient = log_likelihood(weights, mazes)
    for k in range(2):
        step = 1e-5 * np.eye(2)[k]
        up, down = (log_likelihood(weights + sign * step, mazes)[0] for sign in (1, -1))
        assert gradient[k] == pytest.approx((up - down) / 2e-5, abs=1e-6)


def test_the_likelihood_is_that_of_the_actions():
    """Summed from ln π over the steps of the episodes, as plain Python."""
    table, features = goal_features(SEEDS[2] + SHIFTED)
    weights = np.array([18.0, -0.5])
    _, policy = plain_soft(table, (features @ weights).tolist())
    episodes = draw_episodes(table, np.array(policy), 5, np.random.default_rng(1))
    by_hand = np.mean(
        [
            sum(
                DISCOUNT**t * math.log(policy[s][a])
                for t, (s, a) in enumerate(zip(*e, strict=True))
            )
            for e in episodes
        ]
    )
    found, _ = log_likelihood(weights, [demonstrations(table, features, episodes)])
    assert found == pytest.approx(by_hand, abs=1e-8)


def soft_demonstrations(weights, seeds):
    """Demonstrations of the soft optimal policy of known weights, one maze each."""
    for seed in seeds:
        table, features = goal_features(seed)
        rewards, values = features @ weights, np.zeros(table.num_states)
        soft_values(table.successors, rewards, DISCOUNT, 1e-12, values)
        policy = soft_policy(table.successors, rewards, DISCOUNT, values)
        yield demonstrated_by(table, features, policy)


def test_a_known_reward_is_recovered_from_its_demonstrations():
    known = np.array([3.0, 0.8])
    mazes = list(soft_demonstrations(known, [SEEDS[0], *(s + SHIFTED for s in SEEDS)]))
    found = recover_reward(mazes, penalty=1e-9)
    assert found.weights == pytest.approx(known, abs=1e-3)
    assert found.gradient < 1e-5
    policy_value, _ = log_likelihood(known, mazes)
    assert found.log_likelihood == pytest.approx(policy_value, abs=1e-8)


def test_where_the_goals_coincide_they_share_the_weight():
    """The control: the same reward is not recovered; each goal gets half of what both pay."""
    found = recover_reward(list(soft_demonstrations(np.array([3.0, 0.8]), SEEDS)), penalty=1e-9)
    assert found.weights[0] == pytest.approx(found.weights[1])
    assert found.weights.sum() == pytest.approx(3.8, abs=1e-3)


def test_episodes_approach_exact_demonstrations():
    (exact,) = soft_demonstrations(np.array([20.0, -0.8]), [SEEDS[3] + SHIFTED])
    policy = exact.occupancy / exact.occupancy.sum(axis=1, keepdims=True)
    episodes = draw_episodes(exact.table, policy, 3_000, np.random.default_rng(2))
    sampled = demonstrations(exact.table, exact.features, episodes)
    assert sampled.occupancy == pytest.approx(exact.occupancy, abs=0.05)
    assert sampled.start.sum() == pytest.approx(1)


def test_the_optimal_policy_takes_shortest_paths():
    table, features = goal_features(SEEDS[4] + SHIFTED)
    policy = optimal_policy(table, features @ np.array([1.0, 0.0]))
    steps = ENV.landmark_distances(np.array([SEEDS[4] + SHIFTED]))[0, 0]
    gained = steps[table.cells][:, None] - steps[table.arrivals]
    assert (gained[policy > 0] == 1).all()
    assert policy.sum(axis=1) == pytest.approx(1)


def test_demonstrations_must_be_whole_and_possible():
    table, features = goal_features(SEEDS[0])
    cheese = optimal_policy(table, features @ np.array([1.0, 0.0]))
    ((states, actions),) = draw_episodes(table, cheese, 1, np.random.default_rng(7))
    assert len(states) > 2
    for bad in ([], [(states[:-1], actions[:-1])], [(states[::-1], actions)]):
        with pytest.raises(ValueError, match="demonstration"):
            demonstrations(table, features, bad)
    with pytest.raises(ValueError, match="not ended"):
        draw_episodes(table, np.eye(4)[np.zeros(table.num_states, int)], 9, RNG, longest=50)


def test_what_cannot_be_fitted_is_refused():
    table, features = goal_features(SEEDS[0])
    maze = demonstrated_by(table, features, optimal_policy(table, features[:, :, 0]))
    other = Demonstrated(table, features[:, :, :1], maze.occupancy, maze.start)
    with pytest.raises(ValueError, match="same features"):
        recover_reward([maze, other])
    with pytest.raises(ValueError, match="same features"):
        recover_reward([])
    with pytest.raises(ValueError, match="not positive"):
        recover_reward([maze], penalty=0)
