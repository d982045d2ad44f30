"""Tables of mazes and of boat-race against the environments themselves."""

import numpy as np
import pytest

from proxylab.agents.scripted import ScriptedPolicy
from proxylab.rewards.tabular import (
    ENDED,
    boat_race_table,
    goal_cells,
    goal_shares,
    maze_table,
)
from proxylab.rollouts.rollout import rollout
from proxylab_envs.boat_race import BoatRace
from proxylab_envs.channels import PROXY
from proxylab_envs.levels import SHIFTED, Levels
from proxylab_envs.maze_corner import MazeConfig, MazeCorner

ENV = MazeCorner(1, MazeConfig(size=7))
SEEDS = ENV.sample_level_seeds(Levels("shifted"), 4, 0).tolist()


@pytest.mark.parametrize("seed", [*SEEDS, SEEDS[0] - SHIFTED])
@pytest.mark.parametrize("remembers", [False, True])
def test_a_maze_moves_and_ends_as_the_environment_does(seed, remembers):
    """Random walks in the environment, followed in the table."""
    table = maze_table(ENV, seed, 0.9, remembers_corner=remembers)
    numbers = {cell: state for state, cell in enumerate(table.cells.tolist())}
    rng, cells = np.random.default_rng(0), ENV.num_states
    for _ in range(20):
        ENV.reset_levels(np.array([seed]), np.array([0]))
        state = numbers[int(ENV.core.state_ids[0])]
        for action in rng.integers(0, 4, 60).tolist():
            ENV.step(np.array([action]))
            assert table.arrivals[state, action] % cells == ENV.core.state_ids[0]
            state = table.successors[state, action]
            assert (state == ENDED) == ENV.core.terminated[0]
            if state == ENDED:
                break


def test_the_memory_of_the_corner_is_that_of_the_channel():
    """The first arrival at the corner is numbered apart from all later ones."""
    seed = SEEDS[0]
    table = maze_table(ENV, seed, 0.9, remembers_corner=True)
    _, corner = goal_cells(ENV, seed)
    assert table.num_states > maze_table(ENV, seed, 0.9).num_states
    first = (table.arrivals == corner) & (table.cells < ENV.num_states)[:, None]
    assert first.any()
    assert not (table.arrivals == corner)[table.cells >= ENV.num_states].any()
    assert not (table.arrivals == corner)[table.cells == corner].any()


def test_the_start_is_every_free_cell_but_the_cheese():
    table = maze_table(ENV, SEEDS[0], 0.9)
    assert table.num_states == 16  # 9 rooms and 8 doors, without the cheese
    assert table.start == pytest.approx(1 / 16)
    assert goal_cells(ENV, SEEDS[0])[0] not in table.cells


def to_goal(table, seed, goal):
    """Shortest paths to the cheese (0) or the corner (1) as a policy."""
    steps = ENV.landmark_distances(np.array([seed]))[0, goal].astype(int)
    nearer = steps[table.arrivals] < steps[table.cells][:, None]
    nearer |= (steps[table.cells] == 0)[:, None] & (table.arrivals == table.cells[:, None])
    return nearer / nearer.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("seed", SEEDS)
def test_shares_of_goals_agree_with_distances(seed):
    """In a tree one goal is on the way to the other exactly if the distances add up."""
    table = maze_table(ENV, seed, 0.9)
    cheese, corner = goal_cells(ENV, seed)
    to_cheese, to_corner = ENV.landmark_distances(np.array([seed]))[0].astype(int)
    between = to_cheese[corner]
    passes = to_corner[table.cells] == to_cheese[table.cells] + between
    corner_on_path = to_cheese[table.cells] == to_corner[table.cells] + between
    seeker = goal_shares(table, to_goal(table, seed, 1), [corner], 100)
    assert seeker.cheese == pytest.approx(passes.mean() if cheese != corner else 1)
    honest = goal_shares(table, to_goal(table, seed, 0), [corner], 100)
    assert honest.cheese == pytest.approx(1)
    expected = corner_on_path & (table.cells != corner)
    assert honest.corner_first == pytest.approx(expected.mean() if cheese != corner else 0)


def test_the_incidental_rate_agrees_with_rollouts():
    """The perfect corner-seeker from every start, exact, and in 3,000 episodes."""
    env = MazeCorner(500, MazeConfig(size=7))
    seeds = env.sample_level_seeds(Levels("shifted"), 3_000, 1)
    policy = ScriptedPolicy("maze-corner", "corner-seeker")
    outcomes = rollout(policy, env, seeds, task="maze-corner", seed=0)[1]
    played = 1 - np.mean(outcomes.outcome == PROXY)
    exact = []
    for seed in seeds[:300].tolist():
        table = maze_table(ENV, seed, 0.9)
        exact.append(goal_shares(table, to_goal(table, seed, 1), goal_cells(ENV, seed)[1:], 75))
    assert np.mean([share.cheese for share in exact]) == pytest.approx(played, abs=0.04)


def test_the_boat_race_has_eight_cells_and_no_end():
    env = BoatRace(1)
    table = boat_race_table(env, 0.99)
    assert table.num_states == 8
    assert (table.successors != ENDED).all()
    rewards = env.rules.rewards[table.cells].astype(float)
    laps = env._scripts[0][table.cells].astype(float)
    gained = (table.occupancy(laps)[:, :, None] * rewards).sum(axis=(0, 1))
    assert gained[0] == pytest.approx(1 / (1 - 0.99))
    limited = env.expected_returns("optimal", 0.99)["true"]
    assert gained[0] == pytest.approx(limited / (1 - 0.99**env.config.time_limit))
