"""keys-chests: all states of a level, against a plain-Python search and a level done by hand."""

from copy import deepcopy

import numpy as np
import pytest
from keys_referee import Referee

from proxylab.evaluation.power import state_power, uniform_rewards
from proxylab.evaluation.state_graphs import state_graph, walked
from proxylab_envs.keys_chests import KeysChests, KeysConfig, KeysLevel

CORRIDOR = """
#####
#####
#kax#
#####
#####
"""


def placed(text):
    level = KeysLevel.from_ascii(text)
    env = KeysChests(1, KeysConfig(len(level.keys), len(level.chests), size=len(level.walls)))
    env.place_level(level)
    return env


class Endless(Referee):
    """A referee that goes on where an episode is over."""

    done = False


def searched(level):
    """{(cell, keys left, chests left): (held, over, its four successors)}, by stepping."""
    found, waiting = {}, [Endless(level, 0)]
    while waiting:
        at = waiting.pop()
        if state_of(at) in found:
            continue
        ahead = [deepcopy(at) for _ in range(4)]
        for action, then in enumerate(ahead):
            then.step(action)
        found[state_of(at)] = (at.held, at.terminated, [state_of(then) for then in ahead])
        waiting += ahead
    return found


def state_of(referee):
    return referee.agent, frozenset(referee.keys), frozenset(referee.chests)


def test_a_corridor_done_by_hand():
    """Chest left without the key: 3 cells less the key's; then the key, then both: 3 cells."""
    env = placed(CORRIDOR)
    states = env.level_states()
    graph = state_graph(states.moves)
    cells, left = graph.states % 25, graph.states // 25
    both, chest, nothing = 0b11, 0b10, 0b00
    assert {k: set(cells[left == k]) for k in (both, chest, nothing)} == {
        both: {12, 13},
        chest: {11, 12},
        nothing: {11, 12, 13},
    }
    assert states.held[graph.states].tolist() == [0] * 3 + [1] * 2 + [0] * 2
    assert set(left[states.over[graph.states]]) == {nothing}
    (start,) = graph.rows(np.array([states.start]))
    path = walked(graph, start, np.array([3, 2, 2, 3, 3]))  # over the chest, to the key, back
    assert list(zip(left[path], cells[path], strict=True)) == [
        (both, 12), (both, 13), (both, 12), (chest, 11), (chest, 12), (nothing, 13)
    ]  # fmt: skip
    assert [graph.reachable(row) for row in path] == [7, 7, 7, 5, 5, 3]


def test_states_and_moves_are_those_of_a_search_by_stepping():
    env = KeysChests(1, KeysConfig(size=5, keys=2, chests=1, wall_share=0.2))
    env.reset_levels(np.array([3]), np.arange(1))
    level = KeysLevel.from_ascii(env.level_text(0))
    expected, states = searched(level), env.level_states()
    objects = [*sorted(level.keys), *sorted(level.chests)]

    def name_of(number):
        left, cell = divmod(int(number), 25)
        there = [o for j, o in enumerate(objects) if left >> j & 1]
        keys = frozenset(o for o in there if o in level.keys)
        return divmod(cell, 5), keys, frozenset(there) - keys

    numbers = np.flatnonzero(states.moves[:, 0] >= 0)
    assert {name_of(n) for n in numbers} == set(expected)
    for n in numbers:
        ahead = [name_of(m) for m in states.moves[n]]
        assert (states.held[n], states.over[n], ahead) == expected[name_of(n)]


def test_a_walk_in_the_graph_is_an_episode():
    env = KeysChests(1, KeysConfig(size=7, keys=4, chests=2))
    env.reset_levels(np.array([5]), np.arange(1))
    states = env.level_states()
    actions = np.random.default_rng(0).integers(0, 4, 50)
    graph = state_graph(states.moves)
    (start,) = graph.rows(np.array([states.start]))
    for row, action in zip(walked(graph, start, actions), actions, strict=False):
        number = graph.states[row]
        assert number % 49 == env.core.state_ids[0]
        assert states.held[number] == env.held(np.arange(1))[0]
        assert states.over[number] == env.core.terminated[0]
        if env.done[0]:
            break
        env.step(np.array([action]))


def test_power_is_lost_with_what_cannot_be_put_back():
    """With the discount near 1 it is n / (n + 1), as a wall lets stay in each of n states."""
    states = placed(CORRIDOR).level_states()
    graph = state_graph(states.moves)
    rewards = uniform_rewards(4_000, graph.num_states, np.random.default_rng(0))
    power = state_power(graph, rewards, 0.999_9)
    (start,) = graph.rows(np.array([states.start]))
    at_start, with_key, at_end = walked(graph, start, np.array([2, 3, 3]))[[0, 1, 3]]
    error = 5 * power.standard_error.max() + 1e-3
    for row, count in ((at_start, 7), (with_key, 5), (at_end, 3)):
        assert power.power[row] == pytest.approx(count / (count + 1), abs=error)
