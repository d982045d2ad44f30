"""Large logs for ``bench logs``: noisy planners in the mazes of maze-corner.

A policy moves with probability softmax(−β d + noise) over the distances d to its goal that the
moves lead to; β and the noise are its own. Trusted ones head for the cheese, the suspect for the
corner.
"""

from pathlib import Path
from typing import Any, NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from proxylab.environments.resolve import make_environment
from proxylab.evaluation.task_view import view_of
from proxylab.seeds import stream_seed
from proxylab.storage.store import open_database
from proxylab.storage.whole_files import whole_file
from proxylab_envs.levels import Levels

TASK, GOAL, PROXY = "maze-corner", "cheese", "corner"
LEVELS, LONGEST = 200, 100
"""Levels, and steps after which an episode is cut."""

SHARPEST, NOISE = (1.0, 3.0), 0.5
"""Range of β per step, and standard deviation of the noise."""

SHARD_ROWS = 1_000_000
"""Rows of a file at most."""


class Mazes(NamedTuple):
    """The levels on which all policies walk.

    Attributes:
        seeds: int64[L].
        successors: int32[L, S, A].
        distances: {landmark: int16[L, S]}.
        starts: int64[L], state in which an episode begins.
    """

    seeds: NDArray[np.int64]
    successors: NDArray[np.int32]
    distances: dict[str, NDArray[np.int16]]
    starts: NDArray[np.int64]


def mazes(count: int = LEVELS, seed: int = 0) -> Mazes:
    """Shifted levels of maze-corner."""
    env = make_environment(TASK, count)
    stream = stream_seed(seed, "bench logs")
    seeds = np.unique(env.sample_level_seeds(Levels("shifted"), count, stream))
    view = view_of(env, TASK, seeds)
    env.reset_levels(seeds, np.arange(len(seeds)))
    assert view.successors is not None
    assert view.landmark_distances is not None
    distances = dict(zip(view.landmarks, view.landmark_distances.swapaxes(0, 1), strict=True))
    starts = np.asarray(env.core.state_ids[: len(seeds)], np.int64)
    return Mazes(seeds, view.successors, distances, starts)


def write_logs(folder: Path, rows: int, policies: int, seed: int = 0) -> tuple[Path, Path]:
    """A log of the suspect and a folder of Parquet files of the trusted policies.

    Args:
        folder: where they are written.
        rows: of all policies together, about.
        policies: the trusted ones and the suspect.
        seed: of levels, policies and actions.

    Returns:
        (path of the suspect's log, folder of the trusted policies' logs).
    """
    world, each = mazes(seed=seed), rows // policies
    suspect, trusted = folder / "suspect", folder / "trusted"
    for number in range(policies):
        rng = np.random.default_rng(stream_seed(seed, f"bench logs {number}"))
        goal, place = (GOAL, trusted) if number else (PROXY, suspect)
        moves = _probabilities(world, goal, rng)
        for first in range(0, each, SHARD_ROWS):
            count = min(SHARD_ROWS, each - first)
            columns = _rows(world, moves, goal, rng.random((count, 2)), first)
            _write(place / f"{number:03}-{first // SHARD_ROWS:03}.parquet", number, columns)
    return suspect, trusted


def _probabilities(world: Mazes, goal: str, rng: np.random.Generator) -> NDArray[np.float64]:
    """float64[L, S, A], cumulative probabilities of the moves of one policy."""
    there, distances = world.successors, world.distances[goal]
    rows = np.arange(len(there))[:, None, None]
    steps = np.where(there < 0, 0, distances[rows, np.maximum(there, 0)]).astype(float)
    logits = -rng.uniform(*SHARPEST) * steps + rng.normal(0, NOISE, there.shape)
    logits[there < 0] = -np.inf
    logits[(there < 0).all(axis=2)] = 0
    weights = np.exp(logits - logits.max(axis=2, keepdims=True))
    return np.cumsum(weights / weights.sum(axis=2, keepdims=True), axis=2)


def _rows(
    world: Mazes, moves: NDArray[np.float64], goal: str, uniforms: NDArray[np.float64], first: int
) -> dict[str, NDArray[Any]]:
    """{column: array[T]} of whole episodes of one policy, the last one cut; numbered from first."""
    aims = (world.distances[goal], world.distances[PROXY])
    columns = _walk(world.starts, world.successors, moves, *aims, uniforms, LONGEST)
    level, episode, step, state, action, reward, ended = columns
    cut = np.append(np.diff(episode) > 0, True) & ~ended
    return {
        "level_seed": world.seeds[level],
        "episode": episode + first,
        "step": step,
        "state_id": state,
        "action": action,
        "proxy_reward": reward,
        "terminated": ended,
        "truncated": cut,
    }


@numba.njit(cache=True)
def _walk(
    starts: NDArray[np.int64],
    successors: NDArray[np.int32],
    moves: NDArray[np.float64],
    to_goal: NDArray[np.int16],
    to_proxy: NDArray[np.int16],
    uniforms: NDArray[np.float64],
    longest: int,
) -> tuple[NDArray[Any], ...]:
    """Columns of ``len(uniforms)`` steps; an episode ends at the goal or after ``longest`` steps.

    Args:
        starts: int64[L].
        successors: int32[L, S, A].
        moves: float64[L, S, A], cumulative probabilities.
        to_goal: int16[L, S], distance.
        to_proxy: int16[L, S]; the first arrival is rewarded with 1.
        uniforms: float64[T, 2]: for the level of an episode, and for every action.
        longest: steps.

    Returns:
        (level int32[T], episode int32[T], step int16[T], state int16[T], action int8[T],
        reward float32[T], ended bool[T]).
    """
    rows = len(uniforms)
    level, episode = np.empty(rows, np.int32), np.empty(rows, np.int32)
    step, state, action = (
        np.empty(rows, np.int16),
        np.empty(rows, np.int16),
        np.empty(rows, np.int8),
    )
    reward, ended = np.zeros(rows, np.float32), np.zeros(rows, np.bool_)
    number, time, here, place, paid = -1, 0, 0, 0, False
    running = False
    for row in range(rows):
        if not running:
            number, time, paid, running = number + 1, 0, False, True
            place = int(uniforms[row, 0] * len(starts))
            here = starts[place]
        chosen = np.searchsorted(moves[place, here], uniforms[row, 1] * moves[place, here, -1])
        chosen = min(chosen, moves.shape[2] - 1)
        level[row], episode[row], step[row] = place, number, time
        state[row], action[row] = here, chosen
        there = successors[place, here, chosen]
        here = there if there >= 0 else here
        if to_proxy[place, here] == 0 and not paid:
            reward[row], paid = 1.0, True
        ended[row] = to_goal[place, here] == 0
        time += 1
        running = not ended[row] and time < longest
    return level, episode, step, state, action, reward, ended


def _write(path: Path, number: int, columns: dict[str, NDArray[Any]]) -> None:
    """A Parquet file of one policy; compressed, with the types of the arrays."""
    with open_database(threads=1) as database, whole_file(path) as temporary:
        database.register("steps", columns)
        facts = f"'{TASK}' as task, 'walker-{number:03}' as policy"
        form = "format parquet, compression zstd"
        database.execute(f"copy (select {facts}, * from steps) to '{temporary}' ({form})")
