"""Optimal policies of rewards in mazes, against the environment and plain Python."""

import math

import numpy as np
import pytest

from proxylab.agents.scripted import ScriptedPolicy
from proxylab.environments.placement import at_every_cell
from proxylab.rewards.optimum import (
    OptimalMouse,
    arrival_rewards,
    maze_observations,
    penalised_policy,
    shares_of_optimum,
)
from proxylab.rewards.tabular import ENDED, goal_cells, maze_table
from proxylab.rollouts.rollout import rollout
from proxylab_envs.levels import Levels
from proxylab_envs.maze_corner import MazeConfig, MazeCorner

DISCOUNT = 0.9
ENV = MazeCorner(1, MazeConfig(size=7))
SEEDS = [
    seed
    for seed in ENV.sample_level_seeds(Levels("shifted"), 12, 0).tolist()
    if len(set(goal_cells(ENV, seed))) == 2
][:4]


@pytest.mark.parametrize("seed", SEEDS)
def test_observations_are_those_of_the_environment(seed):
    """With the mouse placed on every free cell, and after a walk to the cheese."""
    own = maze_observations(ENV, seed)
    ENV.reset_levels(np.array([seed]), np.array([0]))
    cells, (seen,) = at_every_cell(ENV, lambda env, indices: [env.observe()[indices].copy()])
    numbers = cells[:, 0] * 7 + cells[:, 1]
    np.testing.assert_array_equal(own[numbers], seen)
    ENV.reset_levels(np.array([seed]), np.array([0]))
    while not ENV.core.terminated[0]:
        ENV.step(ENV.script_actions("optimal", np.array([0])).argmax(1))
    np.testing.assert_array_equal(own[goal_cells(ENV, seed)[0]], ENV.observe()[0])


def at_goal(goal):
    """A reward of 1 at the cheese (0) or at the corner (1), from observations."""

    def pays(observations):
        mouse = observations[:, 1].reshape(len(observations), -1).argmax(1)
        cheese = observations[:, 2].reshape(len(observations), -1).argmax(1)
        return (mouse == (cheese if goal == 0 else 12)).astype(float)  # (1, 5) of size 7

    return pays


def test_a_right_reward_reaches_the_cheese_and_a_wrong_one_the_corner():
    (right,) = shares_of_optimum(at_goal(0), ENV, SEEDS, discount=DISCOUNT)
    (wrong,) = shares_of_optimum(at_goal(1), ENV, SEEDS, discount=DISCOUNT)
    assert right.cheese == pytest.approx(1)
    assert wrong.cheese < 0.5 < wrong.corner_first


def plain_penalised(table, rewards, penalty):
    """Referee: value iteration with log-sum-exp over all states at once, 2,000 sweeps."""
    prior = -math.log(table.num_actions)
    values = [0.0] * table.num_states
    for _ in range(2_000):
        new = []
        for s in range(table.num_states):
            q = [
                rewards[s, a] / penalty + (0 if there == ENDED else DISCOUNT * values[there])
                for a, there in enumerate(table.successors[s])
            ]
            top = max(q)
            new.append(top + math.log(sum(math.exp(prior + x - top) for x in q)))
        values = new
    out = np.empty(rewards.shape)
    for s in range(table.num_states):
        for a, there in enumerate(table.successors[s]):
            ahead = 0 if there == ENDED else DISCOUNT * values[there]
            out[s, a] = math.exp(prior + rewards[s, a] / penalty + ahead - values[s])
    return out


@pytest.mark.parametrize("penalty", [0.05, 1.0])
def test_the_penalised_policy_agrees_with_plain_python(penalty):
    table = maze_table(ENV, SEEDS[0], DISCOUNT)
    rewards = np.random.default_rng(0).normal(size=table.successors.shape)
    expected = plain_penalised(table, rewards, penalty)
    assert penalised_policy(table, rewards, penalty) == pytest.approx(expected, abs=1e-4)


def test_penalties_lead_from_the_optimum_to_the_uniform_policy():
    table = maze_table(ENV, SEEDS[0], DISCOUNT)
    rewards = np.random.default_rng(1).normal(size=table.successors.shape)
    free = penalised_policy(table, rewards, 0.0)
    assert penalised_policy(table, rewards, 1e-4) == pytest.approx(free, abs=1e-3)
    assert penalised_policy(table, rewards, 1e4) == pytest.approx(0.25, abs=1e-3)


def test_the_last_cell_is_paid_for_ever():
    """Staying for ever on a cell and ending on an equal one are worth the same."""
    table = maze_table(ENV, SEEDS[0], DISCOUNT)
    rewards = arrival_rewards(table, np.ones(ENV.num_states))
    assert rewards[table.successors != ENDED] == pytest.approx(1)
    assert rewards[table.successors == ENDED] == pytest.approx(1 / (1 - DISCOUNT))
    assert penalised_policy(table, rewards, 0.0) == pytest.approx(0.25)


@pytest.mark.parametrize(("goal", "script"), [(0, "optimal"), (1, "corner-seeker")])
def test_the_planned_mouse_goes_where_its_reward_is_paid(goal, script):
    """It reaches its goal wherever the shortest paths do, and as quickly if it ends there."""
    env = MazeCorner(3, MazeConfig(size=7))
    mouse = OptimalMouse("planned", at_goal(goal), DISCOUNT)
    (own, planned), (shortest, seeker) = (
        rollout(policy, env, SEEDS, task="maze-corner", seed=0)
        for policy in (mouse, ScriptedPolicy("maze-corner", script))
    )
    channel, other = env.channels[goal], env.channels[1 - goal]
    reached = seeker.returns_of(channel) > 0
    assert reached.any()
    assert (planned.returns_of(channel)[reached] > 0).all()
    assert (planned.returns_of(other) <= seeker.returns_of(other)).all()
    if goal == 0:
        np.testing.assert_array_equal(own.lengths, shortest.lengths)
