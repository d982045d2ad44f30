"""POWER of states, against plain Python, closed forms and the bounds of its definition."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxylab.agents.scripted import ScriptedPolicy
from proxylab.evaluation.power import (
    TOLERANCE,
    attained,
    best_moves,
    climbing_moves,
    follow,
    gain,
    peaks,
    state_power,
    uniform_rewards,
)
from proxylab.evaluation.state_graphs import (
    StateGraph,
    grid_graph,
    level_graph,
    state_graph,
    visited,
)
from proxylab.rollouts.rollout import rollout
from proxylab_envs.boat_lagoon import BoatLagoon
from proxylab_envs.levels import Levels
from proxylab_envs.maze_corner import MazeConfig, MazeCorner

DISCOUNTS = (0.01, 0.5, 0.9, 0.99)
DRAWS = 4_000
ERRORS = 5
"""Standard errors within which a mean over draws must lie; false alarms: 6 in 10 million means."""


def graph_of(rows):
    return state_graph(np.array(rows))


def ring(k):
    return graph_of([[(s + 1) % k] for s in range(k)])


def hub(k):
    """State 0 leads to k states that only lead to themselves."""
    return graph_of([list(range(1, k + 1)), *([s] * k for s in range(1, k + 1))])


def random_graph(seed, states=8, actions=3):
    rng = np.random.default_rng(seed)
    return graph_of(rng.integers(0, states, (states, actions)))


def power_of(graph, discount, seed=0, draws=DRAWS):
    rewards = uniform_rewards(draws, graph.num_states, np.random.default_rng(seed))
    return state_power(graph, rewards, discount)


def is_near(power, state, expected):
    error = max(power.standard_error[state], TOLERANCE)
    return abs(power.power[state] - expected) <= ERRORS * error


def plain_attained(graph, reward, discount, sweeps):
    """The definition, by the textbook: V = R + γ max V for a fixed number of sweeps."""
    values = [0.0] * graph.num_states
    for _ in range(sweeps):
        values = [
            reward[s] + discount * max(values[t] for t in graph.successors[s].tolist())
            for s in range(graph.num_states)
        ]
    return [(1 - discount) / discount * (v - r) for v, r in zip(values, reward, strict=True)]


@pytest.mark.parametrize("discount", DISCOUNTS)
@pytest.mark.parametrize("seed", range(3))
def test_the_kernel_agrees_with_plain_python(seed, discount):
    graph = random_graph(seed)
    rewards = np.random.default_rng(seed).normal(size=(5, graph.num_states))
    sweeps = int(np.ceil(np.log(1e-9) / np.log(discount)))
    expected = [plain_attained(graph, row.tolist(), discount, sweeps) for row in rewards]
    np.testing.assert_allclose(attained(graph, rewards, discount), expected, atol=2 * TOLERANCE)


@pytest.mark.parametrize("discount", DISCOUNTS)
def test_one_state_and_an_absorbing_state_have_the_mean_reward(discount):
    assert is_near(power_of(ring(1), discount), 0, 1 / 2)
    assert is_near(power_of(hub(3), discount), 2, 1 / 2)


@pytest.mark.parametrize("discount", DISCOUNTS)
def test_a_ring_without_choice_has_the_mean_reward_everywhere(discount):
    power = power_of(ring(5), discount)
    assert all(is_near(power, s, 1 / 2) for s in range(5))


@pytest.mark.parametrize("discount", DISCOUNTS)
@pytest.mark.parametrize("k", [2, 3, 6])
def test_k_states_to_stay_in_are_worth_the_best_of_k_draws(k, discount):
    """At every discount, since each is one step away; and k − 1 of them are told apart."""
    power = power_of(hub(k), discount)
    assert is_near(power, 0, k / (k + 1))
    assert not is_near(power, 0, (k - 1) / k)


def test_k_distant_states_to_stay_in_are_worth_as_much_as_the_discount_tends_to_1():
    """A corridor of three states before the hub; at a short horizon it has the mean reward."""
    k, corridor = 4, [[1], [2], [3]]
    rows = [row * k for row in corridor] + (hub(k).successors + 3).tolist()
    assert is_near(power_of(graph_of(rows), 0.999_9), 0, k / (k + 1))
    assert is_near(power_of(graph_of(rows), 1e-5), 0, 1 / 2)


@given(st.integers(0, 10_000), st.sampled_from(DISCOUNTS))
def test_power_lies_in_the_bounds_of_iid_uniform_rewards(seed, discount):
    """For each draw between the rewards that can be reached; on average from 1/2 to n/(n + 1)."""
    graph = random_graph(seed)
    rewards = uniform_rewards(200, graph.num_states, np.random.default_rng(seed))
    values = attained(graph, rewards, discount)
    power = state_power(graph, rewards, discount)
    assert (values >= rewards.min(axis=1, keepdims=True) - TOLERANCE).all()
    assert (values <= rewards.max(axis=1, keepdims=True) + TOLERANCE).all()
    n, slack = graph.num_states, 6 * power.standard_error
    assert (power.power >= 1 / 2 - slack).all()
    assert (power.power <= n / (n + 1) + slack).all()


@given(st.integers(0, 10_000), st.sampled_from(DISCOUNTS))
def test_neighbours_bound_each_other(seed, discount):
    """Bellman's equation: the best neighbour's reward now, and its own attainment later."""
    graph = random_graph(seed)
    rewards = uniform_rewards(20, graph.num_states, np.random.default_rng(seed))
    values = attained(graph, rewards, discount)
    ahead = (1 - discount) * rewards + discount * values
    np.testing.assert_allclose(values, ahead[:, graph.successors].max(axis=2), atol=2 * TOLERANCE)


@given(st.integers(0, 10_000), st.sampled_from(DISCOUNTS))
def test_another_option_never_lowers_power(seed, discount):
    graph, rng = random_graph(seed), np.random.default_rng(seed)
    rewards = uniform_rewards(20, graph.num_states, rng)
    more = rng.integers(0, graph.num_states, (graph.num_states, 1))
    richer = graph_of(np.hstack([graph.successors, more]))
    gained = attained(richer, rewards, discount) - attained(graph, rewards, discount)
    assert (gained >= -2 * TOLERANCE).all()


@given(st.integers(0, 10_000))
def test_power_does_not_depend_on_the_numbers_of_the_states(seed):
    graph, rng = random_graph(seed), np.random.default_rng(seed)
    rewards, order = uniform_rewards(20, graph.num_states, rng), rng.permutation(graph.num_states)
    moved = graph_of(np.argsort(order)[graph.successors[order]])
    np.testing.assert_allclose(
        attained(moved, rewards[:, order], 0.9),
        attained(graph, rewards, 0.9)[:, order],
        atol=2 * TOLERANCE,
    )


def test_the_standard_error_is_that_of_repeated_estimates():
    powers = [power_of(hub(3), 0.9, seed, draws=100) for seed in range(200)]
    spread = np.std([power.power[0] for power in powers])
    assert spread == pytest.approx(np.mean([p.standard_error[0] for p in powers]), rel=0.2)


def peaks_of(graph, discount, draws=DRAWS):
    rewards = uniform_rewards(draws, graph.num_states, np.random.default_rng(0))
    return peaks(graph, attained(graph, rewards, discount)).tolist()


def test_each_of_two_rooms_at_the_ends_of_a_corridor_is_a_peak_at_a_short_horizon_only():
    """A plus of five cells on either side; the corridor's cells are equal, and no peak."""
    text = [".......", "#.###.#"]  # crossings at columns 1 and 5
    grid = np.array([[cell == "." for cell in line] for line in (text[1], text[0], text[1])])
    short = peaks_of(grid_graph(grid, stay=True), 0.01)
    assert [short[k] for k in (3, 7)] == [0, 1]
    assert sum(peak >= 0 for peak in short) == 2
    long = peaks_of(grid_graph(grid, stay=True), 0.99)
    assert set(long) == {-1, 0}


def test_states_that_draws_cannot_tell_apart_are_one_peak():
    assert peaks_of(ring(5), 0.9) == [0] * 5
    corridor = grid_graph(np.ones((1, 12), bool), stay=True)
    assert peaks_of(corridor, 0.01) == [-1] + [0] * 10 + [-1]


@pytest.mark.parametrize(
    ("rewards", "discount", "message"),
    [
        (np.zeros((2, 3)), 0.0, "not in"),
        (np.zeros((2, 3)), 1.0, "not in"),
        (np.zeros((2, 4)), 0.5, r"not \[D, 3\]"),
        (np.zeros((1, 3)), 0.5, "two draws"),
        (np.full((2, 3), np.nan), 0.5, "finite"),
    ],
)
def test_bad_arguments_are_refused(rewards, discount, message):
    with pytest.raises(ValueError, match=message):
        state_power(ring(3), rewards, discount)


def test_normalised_power_spans_0_to_1_and_is_undefined_without_differences():
    power = power_of(hub(3), 0.9)
    assert power.normalised().min() == 0
    assert power.normalised()[0] == 1
    assert np.isnan(power_of(ring(1), 0.9).normalised()).all()


# Graphs

MAZE = MazeCorner(1, MazeConfig(size=7))
LEVELS = MAZE.sample_level_seeds(Levels("shifted"), 5, 0).tolist()


@pytest.mark.parametrize("seed", LEVELS)
def test_a_maze_is_the_grid_of_its_free_cells(seed):
    MAZE.reset_levels(np.array([seed]), np.array([0]))
    graph, grid = level_graph(MAZE, seed), grid_graph(~MAZE.core.walls[0])
    np.testing.assert_array_equal(graph.successors, grid.successors)
    np.testing.assert_array_equal(graph.states, grid.states)


def test_an_end_leads_to_itself_and_keeps_no_option_open():
    cell = level_graph(MAZE, LEVELS[0]).states[4]
    graph = level_graph(MAZE, LEVELS[0], ends=[cell])
    assert (graph.successors[4] == 4).all()
    assert graph.within(10)[4] == 1
    power = power_of(graph, 0.9)
    assert is_near(power, 4, 1 / 2)
    assert power.power.argmin() == 4


def test_a_fifth_action_stays():
    free = np.array([[True, True], [False, True]])
    assert grid_graph(free).successors.tolist() == [[0, 0, 0, 1], [1, 2, 0, 1], [1, 2, 2, 2]]
    assert grid_graph(free, stay=True).successors[:, 4].tolist() == [0, 1, 2]


def test_within_counts_states_by_steps():
    corridor = grid_graph(np.ones((1, 5), bool))
    assert corridor.within(0).tolist() == [1] * 5
    assert corridor.within(1).tolist() == [2, 3, 3, 3, 2]
    assert corridor.within(4).tolist() == [5] * 5
    assert graph_of([[1], [1]]).within(9).tolist() == [2, 1]


def test_rows_of_states_that_are_not_there_are_refused():
    graph = level_graph(MAZE, LEVELS[0])
    assert graph.rows(graph.states[[3, 1]]).tolist() == [3, 1]
    with pytest.raises(ValueError, match="not in the graph"):
        graph.rows(np.array([0]))  # a wall


@pytest.mark.parametrize(
    ("successors", "states"),
    [([[0], [2]], [0, 1]), ([[-1]], [0]), ([[0], [1]], [1, 0]), ([[0], [1]], [0])],
)
def test_a_graph_that_is_none_is_refused(successors, states):
    with pytest.raises(ValueError, match=r"\[0, |ascending"):
        StateGraph(np.array(successors), np.array(states))


def test_an_environment_without_a_table_is_refused():
    with pytest.raises(ValueError, match="no table"):
        level_graph(BoatLagoon(1), 0)


# Paths


def test_an_optimal_policy_of_a_reward_attains_its_value():
    """The discounted rewards along its path are the value that value iteration gives."""
    graph = level_graph(MAZE, LEVELS[0])
    for seed in range(5):
        (reward,) = uniform_rewards(1, graph.num_states, np.random.default_rng(seed))
        path = follow(best_moves(graph, reward, 0.9), 0, 400)[1:]
        collected = (1 - 0.9) * np.sum(0.9 ** np.arange(400) * reward[path])
        assert collected == pytest.approx(attained(graph, reward[None], 0.9)[0, 0], abs=1e-5)


def test_a_climber_comes_to_a_local_maximum():
    graph = level_graph(MAZE, LEVELS[0])
    power = power_of(graph, 0.9).power
    path = follow(climbing_moves(graph, power), int(power.argmin()), 50)
    top = path[power[path].argmax()]
    assert power[top] > power.min()
    assert power[top] >= power[graph.successors[top]].max()
    assert top in path[-2:]  # it stays there, or next to it if the place cannot be stayed in


def test_a_gain_at_the_end_and_on_the_way():
    worth = np.array([0.2, 0.6, 1.0, 0.4])
    found = gain(worth, np.array([0, 1, 2, 2, 1, 0, 3]))
    assert found.end == pytest.approx(0.2)
    assert found.way == pytest.approx((0.6 + 1.0 + 0.4) / 3 - 0.2)
    assert gain(worth, np.array([1, 1])).way == 0


def test_the_states_visited_include_the_last_one():
    """Of the optimal script: a shortest path that ends at the cheese, which no step begins at."""
    env = MazeCorner(len(LEVELS), MazeConfig(size=7))
    policy = ScriptedPolicy("maze-corner", "optimal")
    episodes, _ = rollout(policy, env, LEVELS, task="maze-corner", seed=0)
    for seed, path in zip(LEVELS, visited(episodes, env), strict=True):
        to_cheese = env.landmark_distances(np.array([seed]))[0, 0]
        assert to_cheese[path].tolist() == list(range(len(path)))[::-1]
