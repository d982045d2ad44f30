"""Preferences: answers to "which clip is better?", and the Parquet file that holds them.

A file has one row per answer, in the order in which the questions were asked. A clip is named by
its policy, level seed, episode and first step; its observations are in the row in which it first
appears. A rater's answer is ``left``, ``right``, ``equal`` or ``unsure``. The rewards that a
simulated rater saw are not in the file.

A file from elsewhere is read by a confined process (:mod:`proxylab.rewards.worker`).
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load as parse_safetensors

from proxylab.errors import UsageError
from proxylab.rewards.clips import Clips
from proxylab.rewards.raters import ANSWERS, SCHEMA, SIDES
from proxylab.storage.limits import LIMITS, regular_file
from proxylab.storage.store import open_database
from proxylab.storage.whole_files import whole_file
from proxylab.untrusted.confined import Confined

if TYPE_CHECKING:
    from collections.abc import Sequence

TARGETS = {"left": 1.0, "right": 0.0, "equal": 0.5}
"""Answer: probability of ``left`` that a reward model is fitted to; the others are left out."""


class PreferencesError(UsageError):
    """A preferences file that cannot be read."""


@dataclass(frozen=True)
class Preferences:
    """P answers about pairs of clips.

    Attributes:
        clips: the N clips that were compared.
        left: int64[P], index of the left clip.
        right: int64[P], of the right one.
        answer: str[P], one of ``raters.ANSWERS``.
        rater: str[P], who answered.
        probability: float64[P], of ``left`` by a simulated rater; NaN for people.
        time: float64[P], seconds since 1970; 0 for simulated raters.
    """

    clips: Clips
    left: NDArray[np.int64]
    right: NDArray[np.int64]
    answer: NDArray[np.str_]
    rater: NDArray[np.str_]
    probability: NDArray[np.float64]
    time: NDArray[np.float64]

    def __post_init__(self) -> None:
        """``ValueError`` where an index, an answer or a length is invalid."""
        for name in ("right", "answer", "rater", "probability", "time"):
            if len(getattr(self, name)) != len(self.left):
                raise ValueError(f"{name} has {len(getattr(self, name))} rows, not {len(self)}")
        for side in (self.left, self.right):
            if len(side) and not 0 <= side.min() <= side.max() < len(self.clips):
                raise ValueError("a pair names a clip that is not there")
        unknown = set(np.unique(self.answer).tolist()) - set(ANSWERS)
        if unknown:
            raise ValueError(f"an answer is none of {', '.join(ANSWERS)}")

    def __len__(self) -> int:
        """Number of answers P."""
        return len(self.left)

    def usable(self) -> "Preferences":
        """Those whose answer says something: not ``unsure``."""
        return self.select(np.flatnonzero(np.isin(self.answer, tuple(TARGETS))))

    def targets(self) -> NDArray[np.float32]:
        """float32[P]: the probability of ``left`` to fit, of usable answers."""
        return np.array([TARGETS[answer] for answer in self.answer.tolist()], np.float32)

    def select(self, chosen: NDArray[np.int64]) -> "Preferences":
        """The answers at ``chosen`` (int64[K]), with all clips."""
        names = ("left", "right", "answer", "rater", "probability", "time")
        return replace(self, **{name: getattr(self, name)[chosen] for name in names})


def preferences_of(
    clips: Clips, left: NDArray[np.int64], right: NDArray[np.int64], **answers: NDArray[Any]
) -> Preferences:
    """Answers about pairs of ``clips``, with those clips only that are in a pair.

    Args:
        clips: N clips.
        left: int64[P], index of the left clip.
        right: int64[P].
        answers: the other columns of :class:`Preferences`.
    """
    used, places = np.unique(np.concatenate([left, right]), return_inverse=True)
    sides = places[: len(left)], places[len(left) :]
    return Preferences(clips.select(used), *sides, **answers)


def write_preferences(preferences: Preferences, path: str | Path) -> Path:
    """Write a preferences file (Parquet, zstd); equal preferences give equal bytes."""
    path = Path(path)
    if path.suffix != ".parquet":
        raise UsageError(f"{path}: the name of a preferences file ends in .parquet")
    with open_database() as database, whole_file(path) as temporary:
        database.execute("set threads = 1")
        database.register("pairs", _columns(preferences))
        where = str(temporary).replace("'", "''")
        database.execute(
            f"copy (select * from pairs) to '{where}' (format parquet, compression zstd)"
        )
    return path


def _columns(preferences: Preferences) -> dict[str, NDArray[Any]]:
    """{column: array[P]} of the file."""
    clips, count = preferences.clips, len(preferences)
    facts = {
        "schema": SCHEMA,
        "task": clips.task,
        "env": json.dumps(clips.env, sort_keys=True),
        "observation_dtype": clips.observations.dtype.name,
        "observation_shape": json.dumps(clips.observations.shape[2:]),
    }
    columns = {name: np.full(count, text, object) for name, text in facts.items()}
    columns |= {"length": np.full(count, clips.length), "pair": np.arange(count)}
    first = first_rows(preferences.left, preferences.right, len(clips))
    for number, side in enumerate(SIDES):
        chosen = getattr(preferences, side)
        columns |= {
            f"{side}_clip": chosen,
            f"{side}_policy": np.array(clips.policies, object)[clips.policy[chosen]],
            f"{side}_level_seed": clips.level_seed[chosen],
            f"{side}_episode": clips.episode[chosen],
            f"{side}_first": clips.first[chosen],
            f"{side}_actions": _bytes(clips.actions[chosen]),
            f"{side}_observations": _blobs(clips, chosen, first[:, number]),
        }
    for name in ("answer", "rater"):
        columns[name] = getattr(preferences, name).astype(object)
    return columns | {"probability": preferences.probability, "time": preferences.time}


def first_rows(left: NDArray[np.int64], right: NDArray[np.int64], count: int) -> NDArray[np.bool_]:
    """bool[P, 2]: whether the clip on that side was in no earlier row, nor left of this one."""
    order = np.stack([left, right], 1).ravel()
    seen = np.full(count, len(order))
    np.minimum.at(seen, order, np.arange(len(order)))
    return (seen[order] == np.arange(len(order))).reshape(-1, 2)


def _bytes(rows: NDArray[Any]) -> NDArray[Any]:
    """object[P]: the bytes of each row."""
    column = np.empty(len(rows), object)
    column[:] = [row.tobytes() for row in rows]
    return column


def _blobs(clips: Clips, chosen: NDArray[np.int64], first: NDArray[np.bool_]) -> NDArray[Any]:
    """object[P]: the observations of a clip as bytes where it is ``first``, else None."""
    little = clips.observations.astype(clips.observations.dtype.newbyteorder("<"), copy=False)
    column = np.full(len(chosen), None, object)
    for row in np.flatnonzero(first):
        column[row] = little[chosen[row]].tobytes()
    return column


class PreferencesProcess(Confined):
    """The process that reads one file."""

    error = PreferencesError


def read_preferences(*paths: str | Path) -> Preferences:
    """The answers of one or more preferences files of the same task.

    Raises:
        PreferencesError: a file is missing, damaged, over a limit or of another task or length.
    """
    if not paths:
        raise UsageError("name at least one preferences file")
    parts = [_read(path) for path in paths]
    for path, part in zip(paths[1:], parts[1:], strict=True):
        for name in ("task", "env", "length"):
            first, other = (getattr(p.clips, name) for p in (parts[0], part))
            if first != other:
                raise PreferencesError(f"{path}: {name} is {other}, in {paths[0]} it is {first}")
    return parts[0] if len(parts) == 1 else joined(parts)


def _read(path: str | Path) -> Preferences:
    regular_file(path, PreferencesError)
    process = PreferencesProcess("proxylab.rewards.worker", Path(path).absolute(), path)
    try:
        raw = process.all(LIMITS.preference_bytes + LIMITS.header_bytes)
    finally:
        process.close()
    try:
        return _preferences(parse_safetensors(raw), _facts(raw))
    except (ValueError, KeyError, TypeError) as error:
        raise PreferencesError(f"{path}: {error}") from None


def _facts(raw: bytes) -> dict[str, Any]:
    """What the worker says besides arrays, from the header of its answer."""
    length = int.from_bytes(raw[:8], "little")
    return json.loads(json.loads(raw[8 : 8 + length])["__metadata__"]["facts"])


def _preferences(arrays: Mapping[str, NDArray[Any]], facts: Mapping[str, Any]) -> Preferences:
    clips = Clips(
        task=facts["task"],
        env=facts["env"],
        policies=tuple(facts["policies"]),
        **{n: arrays[n] for n in ("policy", "level_seed", "episode", "first")},
        observations=arrays["observations"],
        actions=arrays["actions"],
    )
    return Preferences(
        clips=clips,
        left=arrays["left"],
        right=arrays["right"],
        answer=np.array(ANSWERS)[arrays["answer"]],
        rater=np.array(facts["raters"])[arrays["rater"]],
        probability=arrays["probability"],
        time=arrays["time"],
    )


def joined(parts: "Sequence[Preferences]") -> Preferences:
    """The answers of several :class:`Preferences` of one task in turn."""
    starts = np.cumsum([0] + [len(part.clips) for part in parts[:-1]])
    names = list(dict.fromkeys(name for part in parts for name in part.clips.policies))
    places = [np.array([names.index(n) for n in part.clips.policies]) for part in parts]
    columns = {
        name: np.concatenate([getattr(part.clips, name) for part in parts])
        for name in ("level_seed", "episode", "first", "observations", "actions")
    }
    policy = [place[part.clips.policy] for place, part in zip(places, parts, strict=True)]
    columns["policy"] = np.concatenate(policy).astype(np.int32)
    clips = replace(parts[0].clips, policies=tuple(names), **columns)
    sides = {
        side: np.concatenate([getattr(p, side) + s for p, s in zip(parts, starts, strict=True)])
        for side in SIDES
    }
    rest = ("answer", "rater", "probability", "time")
    return Preferences(
        clips, **sides, **{n: np.concatenate([getattr(p, n) for p in parts]) for n in rest}
    )
