"""From the rows of a log, a row a step, to the Episodes of each policy."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from proxylab.environments.state_hash import HASHED_STATES
from proxylab.errors import UsageError
from proxylab.rollouts.episodes import NO_STATE, PROBABILITY_TOLERANCE, Episodes
from proxylab.storage.limits import LIMITS
from proxylab.tasks import TASKS

REQUIRED = ("level_seed", "episode", "step", "action")
"""Columns that every log has; an episode's line of JSONL implies ``step`` and ``episode``."""

INTEGERS = (*REQUIRED, "state_id", "num_states", "num_actions")
FLAGS = ("terminated", "truncated")
TEXTS = ("policy", "policy_sha256", "task", "observation_hash")
VECTORS = ("features", "probabilities")
"""Columns of several numbers a step: a list, or ``features_0``, ``features_1``, … ."""

NO_TASK = "unnamed"
"""Task of a log that says none, where nobody else does."""


class LogError(UsageError):
    """A log that cannot be read, or is none; the message names the file, the row, the column."""


@dataclass(frozen=True, eq=False)
class RecordedEpisodes(Episodes):
    """Episodes of a log.

    Attributes:
        sha256: of the policy's weights where the log says it, else empty.
        sizes_known: whether ``num_states`` and ``num_actions`` are more than the largest seen.
    """

    sha256: str = ""
    sizes_known: bool = True


@dataclass
class Rows:
    """T rows of a log as they stand in it.

    Attributes:
        source: path of the file.
        place: function (row) -> where that is, such as ``row 17``.
        names: of P policies.
        policy: int[T], index into ``names``.
        columns: {name: array[T]}; level_seed, episode, step, action int; state_id,
            terminated, truncated, proxy_reward where there are; features and probabilities
            float32[T, F] and [T, A], NaN where a row says nothing.
        digests: {policy name: sha256}.
        task: what the rows say, or None.
        sizes: {"num_states" or "num_actions": what the rows say}.
    """

    source: str
    place: Callable
    names: list
    policy: np.ndarray
    columns: dict
    digests: dict = field(default_factory=dict)
    task: str | None = None
    sizes: dict = field(default_factory=dict)

    def complain(self, row, message):
        """``LogError`` at a row (an index from 0)."""
        raise LogError(f"{self.source}, {self.place(int(row))}: {message}")


def assemble(rows, task=None):
    """list[RecordedEpisodes], one a policy; ``LogError`` where rows make no episodes."""
    task = _task(rows, task)
    if len(rows.names) > LIMITS.log_policies:
        raise LogError(f"{rows.source}: more policies than the limit of {LIMITS.log_policies:,}")
    sizes, known = _sizes(rows, task)
    check_width(rows.source, "num_actions", sizes["num_actions"])
    _check_range(rows, "action", 0, sizes["num_actions"])
    if "state_id" in rows.columns:
        _check_range(rows, "state_id", NO_STATE, sizes["num_states"])
    order, starts = _order(rows)
    first = starts if order is None else order[starts]
    whose = rows.policy[first]
    stops = np.append(starts[1:], len(rows.policy))
    found = []
    for code in dict.fromkeys(whose.tolist()):
        mine = np.flatnonzero(whose == code)
        spans = starts[mine], stops[mine]
        columns = _columns(rows, order, spans, sizes["num_actions"])
        facts = {"task": task, "policy": rows.names[code], "sizes_known": known, **sizes}
        digest = rows.digests.get(rows.names[code], "")
        try:
            found.append(RecordedEpisodes(**facts, **columns, sha256=digest))
        except ValueError as error:
            raise LogError(f"{rows.source}: {error}") from None
    return found


def check_width(source, name, count):
    """``LogError`` for more features, probabilities or actions than the limit."""
    if count > LIMITS.log_width:
        raise LogError(f"{source}: {name} {count:,} is over the limit of {LIMITS.log_width:,}")


def _task(rows, asked):
    if asked and rows.task and asked != rows.task:
        raise LogError(f"{rows.source} was recorded on {rows.task}, not on {asked}")
    return rows.task or asked or NO_TASK


def _sizes(rows, task):
    """({num_states, num_actions}, whether they are known): as told, as of the task, or as seen."""
    sizes = _sizes_of_task(task) | rows.sizes
    known = len(sizes) == 2
    states = rows.columns.get("state_id")
    seen = {
        "num_states": 0 if states is None else int(states.max()) + 1,
        "num_actions": int(rows.columns["action"].max()) + 1,
    }
    return {name: max(sizes.get(name, seen[name]), 0) for name in seen}, known


def _sizes_of_task(task):
    if task not in TASKS:
        return {}
    env = TASKS[task].make_env(1)
    return {"num_states": env.num_states, "num_actions": int(env.single_action_space.n)}


def _check_range(rows, name, low, high):
    values = rows.columns[name]
    bad = np.flatnonzero((values < low) | (values >= max(high, low + 1)))
    if bad.size:
        rows.complain(bad[0], f"{name} {values[bad[0]]} is not in [{low}, {high})")


def _order(rows):
    """(order that groups episodes, or None where they stand together; first row of each).

    Every episode must hold the steps 0, 1, 2, … once each, and one level seed.
    """
    starts = _starts(rows, None)
    keys = np.column_stack([rows.policy[starts], rows.columns["episode"][starts]])
    order = None
    if len(np.unique(keys, axis=0)) < len(keys) or not _consecutive(rows, None, starts).all():
        order = _sorted(rows)
        starts = _starts(rows, order)
    fits = _consecutive(rows, order, starts)
    if not fits.all():
        _complain_of_steps(rows, order, int(np.argmin(fits)))
    level = _taken(rows.columns["level_seed"], order)
    other = np.flatnonzero((level[1:] != level[:-1]) & ~_is_start(starts, len(level))[1:])
    if other.size:
        row = other[0] + 1 if order is None else order[other[0] + 1]
        rows.complain(row, "level_seed changes within an episode")
    return order, starts


def _sorted(rows):
    """int64[T]: the rows by policy, episode, step; by one key where it fits into 63 bits."""
    keys = [rows.policy.astype(np.int64), rows.columns["episode"], rows.columns["step"]]
    keys = [key - key.min() for key in keys]
    spans = [int(key.max()) + 1 for key in keys]
    if math.prod(spans) >= 1 << 63:
        return np.lexsort(keys[::-1])
    key = (keys[0] * spans[1] + keys[1]) * spans[2]
    key += keys[2]
    return np.argsort(key)


def _taken(column, order):
    return column if order is None else column[order]


def _starts(rows, order):
    """int64: positions at which another episode begins."""
    new = np.ones(len(rows.policy), bool)
    new[1:] = False
    for column in (rows.policy, rows.columns["episode"]):
        values = _taken(column, order)
        new[1:] |= values[1:] != values[:-1]
    return np.flatnonzero(new)


def _is_start(starts, count):
    flags = np.zeros(count, bool)
    flags[starts] = True
    return flags


def _consecutive(rows, order, starts):
    """bool[T]: the step is the one that must stand there."""
    step = _taken(rows.columns["step"], order)
    fits = np.empty(len(step), bool)
    fits[1:] = step[1:] - step[:-1] == 1
    fits[starts] = step[starts] == 0
    return fits


def _complain_of_steps(rows, order, position):
    row = position if order is None else order[position]
    columns, name = rows.columns, rows.names[rows.policy[row]]
    step, episode = columns["step"][row], columns["episode"][row]
    before = None
    if position:
        other = position - 1 if order is None else order[position - 1]
        same = columns["episode"][other] == episode and rows.policy[other] == rows.policy[row]
        before = columns["step"][other] if same else None
    what = f"step {step} comes twice" if step == before else f"a step before {step} is missing"
    rows.complain(row, f"in episode {episode} of {name} {what} (steps count 0, 1, 2, …)")


def _columns(rows, order, spans, num_actions):
    """The array fields of one policy's Episodes; ``spans`` are (starts, stops) of its episodes."""
    starts, stops = spans
    lengths = stops - starts
    offsets = np.concatenate(([0], np.cumsum(lengths)))
    take = _taker(order, starts, stops, offsets)
    given = rows.columns
    vectors = {name: _numbers(rows, name, take) for name in (*VECTORS, "proxy_reward")}
    _check_probabilities(rows, vectors["probabilities"], take, num_actions)
    features = vectors.pop("features")
    count = int(offsets[-1])
    ends = offsets[1:] - 1
    last = {name: take(given[name])[ends] for name in FLAGS if name in given}
    absent = np.zeros(len(lengths), bool)
    return {
        "episode_offsets": offsets,
        "state_id": take(given["state_id"]) if "state_id" in given else np.full(count, NO_STATE),
        "features": np.zeros((count, 0), np.float32) if features is None else features,
        "action": take(given["action"]),
        "level_seed": take(given["level_seed"])[offsets[:-1]],
        **dict.fromkeys(FLAGS, absent),
        **last,
        **vectors,
    }


def _taker(order, starts, stops, offsets):
    """Function column[T] -> its rows that belong to these episodes; a view where it can be."""
    if order is None and (starts[1:] == stops[:-1]).all():
        return lambda column: column[starts[0] : stops[-1]]
    shift = np.repeat(starts - offsets[:-1], stops - starts)
    steps = np.arange(offsets[-1]) + shift
    chosen = steps if order is None else order[steps]
    return lambda column: column[chosen]


def _numbers(rows, name, take):
    """float32 rows of a policy, or None where it has none; a row alone must not lack them."""
    if name not in rows.columns:
        return None
    values = take(rows.columns[name])
    if np.isnan(values).all():
        return None
    fits = np.isfinite(values)
    if not fits.all():
        position = np.argwhere(~fits)[0]
        row = take(np.arange(len(rows.policy)))[position[0]]
        where = f"{name}_{position[1]}" if values.ndim > 1 else name
        rows.complain(row, f"{where} is missing, NaN or infinite")
    return values


def _check_probabilities(rows, values, take, num_actions):
    if values is None:
        return
    if values.shape[1] != num_actions:
        raise LogError(
            f"{rows.source}: {values.shape[1]} probabilities a step, but {num_actions} actions"
        )
    bad = (values < 0).any(axis=1) | (np.abs(values.sum(axis=1) - 1) > PROBABILITY_TOLERANCE)
    if bad.any():
        row = take(np.arange(len(rows.policy)))[np.argmax(bad)]
        rows.complain(row, "probabilities are no distribution")


def hashed_sizes(rows):
    """Say that states are hashes (``observation_hash``)."""
    rows.sizes.setdefault("num_states", HASHED_STATES)
