"""From the rows of a log, one per step, to the Episodes of each policy."""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, NoReturn, TypeAlias

import numpy as np
from numpy.typing import NDArray

from proxylab.environments.state_hash import HASHED_STATES
from proxylab.errors import UsageError
from proxylab.rollouts.episodes import ARRAYS, NO_STATE, PROBABILITY_TOLERANCE, Episodes
from proxylab.storage.limits import LIMITS

REQUIRED = ("level_seed", "episode", "step", "action")
"""Required columns; an episode's line of JSONL implies ``step`` and ``episode``."""

INTEGERS = (*REQUIRED, "state_id", "num_states", "num_actions")
FLAGS = ("terminated", "truncated")
TEXTS = ("policy", "policy_sha256", "task", "observation_hash")
VECTORS = ("features", "probabilities")
"""Columns of several numbers a step: a list, or ``features_0``, ``features_1``, … ."""

NO_TASK = "unnamed"
"""Task of a log that records none, where the caller names none either."""


Taker: TypeAlias = Callable[[NDArray[Any]], NDArray[Any]]
"""Function column[T] -> its rows that belong to one policy."""


Further: TypeAlias = Mapping[str, Mapping[str, NDArray[Any]]]
"""{policy: {column: array[T]}}: columns of steps outside the schema, texts or numbers."""


class LogError(UsageError):
    """An unreadable or invalid log; the message names the file, the row and the column."""


@dataclass(frozen=True, eq=False)
class RecordedEpisodes(Episodes):
    """Episodes of a log.

    Attributes:
        sha256: of the policy's weights where the log records it, else empty.
        sizes_known: whether ``num_states`` and ``num_actions`` are given rather than inferred.
    """

    sha256: str = ""
    sizes_known: bool = True

    def arrays(self) -> dict[str, NDArray[Any]]:
        """{name: array} of the array fields that are not None."""
        fields_by_name = {name: getattr(self, name) for name in ARRAYS}
        return {name: array for name, array in fields_by_name.items() if array is not None}

    def facts(self) -> dict[str, Any]:
        """{name: value} of the other fields."""
        names = (field.name for field in fields(self) if field.name not in ARRAYS)
        return {name: getattr(self, name) for name in names}


@dataclass
class Rows:
    """T rows of a log in file order.

    Attributes:
        source: path of the file.
        place: function (row) -> its place in the file, such as ``row 17``.
        names: of P policies.
        policy: int[T], index into ``names``.
        columns: {name: array[T]}; level_seed, episode, step, action int; state_id,
            terminated, truncated, proxy_reward are optional; features and probabilities
            float32[T, F] and [T, A], NaN where a row has no value.
        digests: {policy name: sha256}.
        task: the recorded task, or None.
        sizes: {"num_states" or "num_actions": recorded number}.
    """

    source: str
    place: Callable[[int], str]
    names: list[str]
    policy: NDArray[np.int32]
    columns: dict[str, NDArray[Any]]
    digests: dict[str, str] = field(default_factory=dict)
    task: str | None = None
    sizes: dict[str, int] = field(default_factory=dict)

    def first(self, count: int) -> "Rows":
        """The first ``count`` rows."""
        columns = {name: column[:count] for name, column in self.columns.items()}
        return replace(self, policy=self.policy[:count], columns=columns)

    def complain(self, row: int | np.integer, message: str) -> NoReturn:
        """Raise ``LogError`` for a row (an index from 0)."""
        raise LogError(f"{self.source}, {self.place(int(row))}: {message}")


def episodes_of_rows(
    rows: Rows, task: str | None = None, task_sizes: Mapping[str, int] | None = None
) -> Iterator[RecordedEpisodes]:
    """Yield RecordedEpisodes for each policy; ``LogError`` where the rows are inconsistent.

    Args:
        rows: :class:`Rows`.
        task: the task given by the caller, or None.
        task_sizes: :func:`sizes_of_task`.
    """
    task = _task(rows, task)
    if len(rows.names) > LIMITS.log_policies:
        raise LogError(f"{rows.source}: more policies than the limit of {LIMITS.log_policies:,}")
    sizes, known = _sizes(rows, task_sizes or {})
    check_width(rows.source, "num_actions", sizes["num_actions"])
    _check_range(rows, "action", 0, sizes["num_actions"])
    if "state_id" in rows.columns:
        _check_range(rows, "state_id", NO_STATE, sizes["num_states"])
    order, starts = _order(rows)
    first = starts if order is None else order[starts]
    policy_of_episode = rows.policy[first]
    stops = np.append(starts[1:], len(rows.policy))
    for code in dict.fromkeys(policy_of_episode.tolist()):
        own_episodes = np.flatnonzero(policy_of_episode == code)
        spans = starts[own_episodes], stops[own_episodes]
        columns = _columns(rows, order, spans, sizes["num_actions"])
        facts: dict[str, Any] = {
            "task": task,
            "policy": rows.names[code],
            "sizes_known": known,
            **sizes,
        }
        digest = rows.digests.get(rows.names[code], "")
        try:
            yield RecordedEpisodes(**facts, **columns, sha256=digest)
        except ValueError as error:
            raise LogError(f"{rows.source}: {error}") from None


def check_width(source: str, name: str, count: int) -> None:
    """``LogError`` for more features, probabilities or actions than the limit."""
    if count > LIMITS.log_width:
        raise LogError(f"{source}: {name} {count:,} is over the limit of {LIMITS.log_width:,}")


def _task(rows: Rows, requested: str | None) -> str:
    if requested and rows.task and requested != rows.task:
        raise LogError(f"{rows.source} was recorded on {rows.task}, not on {requested}")
    return rows.task or requested or NO_TASK


def _sizes(rows: Rows, task_sizes: Mapping[str, int]) -> tuple[dict[str, int], bool]:
    """({num_states, num_actions}, whether known): from the log, the task, or the largest index."""
    sizes = {**task_sizes, **rows.sizes}
    known = len(sizes) == 2
    states = rows.columns.get("state_id")
    seen = {
        "num_states": 0 if states is None else int(states.max()) + 1,
        "num_actions": int(rows.columns["action"].max()) + 1,
    }
    if any(not isinstance(size, int) or size >= 1 << 63 for size in sizes.values()):
        raise LogError(f"{rows.source}: num_states or num_actions is too large")
    return {name: max(sizes.get(name, seen[name]), 0) for name in seen}, known


def sizes_of_task(task: str) -> dict[str, int]:
    """{num_states, num_actions} of a built-in or installed task, else empty."""
    from proxylab.tasks import TASKS  # it loads numba, which the confined process does not need

    if task not in TASKS:
        return {}
    env = TASKS[task].make_env(1)
    return {"num_states": env.num_states, "num_actions": int(env.single_action_space.n)}


def _check_range(rows: Rows, name: str, low: int, high: int) -> None:
    values = rows.columns[name]
    bad = np.flatnonzero((values < low) | (values >= max(high, low + 1)))
    if bad.size:
        rows.complain(bad[0], f"{name} {values[bad[0]]} is not in [{low}, {high})")


def _order(rows: Rows) -> tuple[NDArray[np.int64] | None, NDArray[np.int64]]:
    """(order that groups episodes, or None where they are contiguous; first row of each).

    Every episode must hold each of the steps 0, 1, 2, … once, and one level seed.
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


def _sorted(rows: Rows) -> NDArray[np.int64]:
    """int64[T]: the rows by policy, episode, step; by one key where it fits into 63 bits."""
    keys = [rows.policy, rows.columns["episode"], rows.columns["step"]]
    keys = [key.astype(np.int64) - int(key.min()) for key in keys]
    spans = [int(key.max()) + 1 for key in keys]
    if math.prod(spans) >= 1 << 63:
        return np.lexsort(keys[::-1])
    key = (keys[0] * spans[1] + keys[1]) * spans[2]
    key += keys[2]
    return np.argsort(key)


def _taken(column: NDArray[Any], order: NDArray[np.int64] | None) -> NDArray[Any]:
    return column if order is None else column[order]


def _starts(rows: Rows, order: NDArray[np.int64] | None) -> NDArray[np.int64]:
    """int64: positions at which an episode begins."""
    new = np.ones(len(rows.policy), bool)
    new[1:] = False
    for column in (rows.policy, rows.columns["episode"]):
        values = _taken(column, order)
        new[1:] |= values[1:] != values[:-1]
    return np.flatnonzero(new)


def _is_start(starts: NDArray[np.int64], count: int) -> NDArray[np.bool_]:
    flags = np.zeros(count, bool)
    flags[starts] = True
    return flags


def _consecutive(
    rows: Rows, order: NDArray[np.int64] | None, starts: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """bool[T]: whether each step has the expected number."""
    step = _taken(rows.columns["step"], order)
    fits = np.empty(len(step), bool)
    fits[1:] = step[1:] - step[:-1] == 1
    fits[starts] = step[starts] == 0
    return fits


def _complain_of_steps(rows: Rows, order: NDArray[np.int64] | None, position: int) -> NoReturn:
    row = position if order is None else order[position]
    columns, name = rows.columns, rows.names[rows.policy[row]]
    step, episode = columns["step"][row], columns["episode"][row]
    previous = None
    if position:
        other = position - 1 if order is None else order[position - 1]
        same = columns["episode"][other] == episode and rows.policy[other] == rows.policy[row]
        previous = columns["step"][other] if same else None
    what = f"step {step} comes twice" if step == previous else f"a step before {step} is missing"
    rows.complain(row, f"in episode {episode} of {name} {what} (steps count 0, 1, 2, …)")


def _columns(
    rows: Rows,
    order: NDArray[np.int64] | None,
    spans: tuple[NDArray[np.int64], NDArray[np.int64]],
    num_actions: int,
) -> dict[str, Any]:
    """The array fields of one policy's Episodes; ``spans`` are (starts, stops) of its episodes."""
    starts, stops = spans
    lengths = stops - starts
    offsets = np.concatenate(([0], np.cumsum(lengths)))
    take = _taker(order, starts, stops, offsets)
    columns = rows.columns
    vectors = {name: _numbers(rows, name, take) for name in (*VECTORS, "proxy_reward")}
    _check_probabilities(rows, vectors["probabilities"], take, num_actions)
    features = vectors.pop("features")
    count = int(offsets[-1])
    ends = offsets[1:] - 1
    last = {name: take(columns[name])[ends] for name in FLAGS if name in columns}
    absent = np.zeros(len(lengths), bool)
    return {
        "episode_offsets": offsets,
        "state_id": take(columns["state_id"])
        if "state_id" in columns
        else np.full(count, NO_STATE),
        "features": np.zeros((count, 0), np.float32) if features is None else features,
        "action": take(columns["action"]),
        "level_seed": take(columns["level_seed"])[offsets[:-1]],
        **dict.fromkeys(FLAGS, absent),
        **last,
        **vectors,
    }


def _taker(
    order: NDArray[np.int64] | None,
    starts: NDArray[np.int64],
    stops: NDArray[np.int64],
    offsets: NDArray[np.int64],
) -> Taker:
    """Function column[T] -> its rows that belong to these episodes; a view where it can be."""
    if order is None and (starts[1:] == stops[:-1]).all():
        return lambda column: column[starts[0] : stops[-1]]
    shift = np.repeat(starts - offsets[:-1], stops - starts)
    steps = np.arange(offsets[-1]) + shift
    chosen = steps if order is None else order[steps]
    return lambda column: column[chosen]


def _numbers(rows: Rows, name: str, take: Taker) -> NDArray[np.float32] | None:
    """float32 rows of a policy, or None where all are missing; single rows must be complete."""
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


def _check_probabilities(
    rows: Rows, values: NDArray[np.float32] | None, take: Taker, num_actions: int
) -> None:
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


def hashed_sizes(rows: Rows) -> None:
    """Record that states are hashes (``observation_hash``)."""
    rows.sizes.setdefault("num_states", HASHED_STATES)
