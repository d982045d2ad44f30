"""Watched episodes are the episodes that a rollout makes."""

import numpy as np
from matplotlib.path import Path

from proxylab.agents.scripted import ScriptedPolicy
from proxylab.demo.traces import watch
from proxylab.rollouts.rollout import rollout, run_to_end
from proxylab_envs.boat_lagoon import BoatLagoon
from proxylab_envs.channels import OUTCOMES
from proxylab_envs.levels import Levels
from proxylab_envs.maze_corner import MazeCorner


class Undecided:
    """Mostly the shortest way to the cheese, sometimes anything."""

    name = "undecided"

    def probabilities(self, env, indices):
        return 0.6 * env.script_actions("optimal", indices) + np.float32(0.1)


def _levels(env, count=5):
    return env.sample_level_seeds(Levels("shifted"), count, seed=4)


def test_watching_makes_the_episodes_of_a_rollout():
    env = MazeCorner(5)
    seeds = _levels(env)
    episodes, outcomes = rollout(Undecided(), MazeCorner(2), seeds, task="t", seed=9)
    for k, trace in enumerate(watch(Undecided(), env, seeds, agent="a", seed=9)):
        start, stop = episodes.episode_offsets[k : k + 2]
        cells = (trace.points // 32).astype(int)
        visited = cells[:, 1] * 9 + cells[:, 0]
        np.testing.assert_array_equal(visited[:-1], episodes.state_id[start:stop])
        assert trace.outcome == OUTCOMES[outcomes.outcome[k]]
        assert trace.returns == {
            name: outcomes.returns_of(name)[k] for name in ("true", "proxy/corner")
        }


def test_one_level_alone_goes_as_it_does_among_the_others():
    env = MazeCorner(5)
    seeds = _levels(env)
    among = watch(Undecided(), env, seeds, agent="a", seed=9)[3]
    alone = watch(Undecided(), MazeCorner(1), seeds[3:4], agent="a", seed=9, first=3)[0]
    np.testing.assert_array_equal(among.points, alone.points)


def test_pictures_are_kept_at_the_steps_asked_for_and_at_the_end():
    env = MazeCorner(1)
    seeds = _levels(env, 1)
    every = watch(Undecided(), env, seeds, agent="a", seed=9, every=1)[0]
    third = watch(Undecided(), env, seeds, agent="a", seed=9, every=3)[0]
    assert len(every.pictures) == len(every.points)
    kept = sorted({*range(0, len(every.points), 3), len(every.points) - 1})
    assert len(third.pictures) == len(kept)
    for picture, step in zip(third.pictures, kept, strict=True):
        np.testing.assert_array_equal(picture, every.pictures[step])


def test_places_are_where_the_mouse_is_drawn():
    env = MazeCorner(3)
    env.seed_levels(Levels("train"), 1)
    env.reset()
    for i, (x, y) in enumerate(env.picture_positions()()):
        assert (int(y) // 32, int(x) // 32) == tuple(env.core.mouse[i])


def test_a_boat_is_within_the_outline_of_its_state():
    env = BoatLagoon(1)
    (seed,) = env.sample_level_seeds(Levels("iid"), 1, seed=3)
    for script in ("racer", "looper"):
        outlines, places = env.cell_outlines(seed), env.picture_positions()
        for _ in run_to_end(ScriptedPolicy("boat-lagoon", script), env, seed=0):
            cell, (place,) = Path(outlines[env.core.state_ids[0]]), places()
            # the sign of the tolerance is that of the direction of the corners
            assert any(cell.contains_point(place, radius=pixels) for pixels in (-0.5, 0.5))


def test_boats_are_where_they_are_drawn():
    env = BoatLagoon(1)
    env.reset_levels(env.sample_level_seeds(Levels("iid"), 1, seed=2), np.arange(1))
    with_boat = env.render_rgb(0).astype(int)
    ((x, y),) = env.picture_positions()()
    env.core.position[0] += (100, 100)  # out of the picture
    rows, columns = np.nonzero(np.abs(with_boat - env.render_rgb(0)).sum(axis=2) > 150)
    assert abs(columns.mean() - x) < 10
    assert abs(rows.mean() - y) < 10
