"""Episodes in files: a policy's arrays on disk, of which batches are read into memory.

A folder holds one file per array, in narrow types without a header. Files grow by appending, so a
policy may come in many parts. :class:`StoredEpisodes` can stand wherever ``Episodes`` can: its
fields are read from the files at every access, and ``batches`` reads a part at a time.
"""

import shutil
import tempfile
import weakref
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from proxylab.rollouts.episodes import (
    ARRAYS,
    EPISODE_FIELDS,
    NO_STATE,
    OPTIONAL_ARRAYS,
    STEP_FIELDS,
    Episodes,
)

NARROW: dict[str, type[np.generic]] = {
    "action": np.int16,
    "lengths": np.int32,
}
"""{array: type in the files}, where it differs; ``state_id`` is int32 unless states are hashes."""

MOST_NARROW = (1 << 31, 1 << 15)
"""Numbers of states and actions up to which indices are narrow."""


class Scratch:
    """A temporary folder, removed with the last object that refers to it.

    Attributes:
        folder: its path.
    """

    def __init__(self, parent: str | Path | None = None) -> None:
        """Create it in ``parent``, by default where temporary files are."""
        self.folder = Path(tempfile.mkdtemp(prefix="proxylab-episodes-", dir=parent))
        self._end = weakref.finalize(self, shutil.rmtree, self.folder, ignore_errors=True)

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Path]]:
        """Another process borrows the folder and does not remove it."""
        return _borrowed, (self.folder,)


def _borrowed(folder: Path) -> Scratch:
    scratch = object.__new__(Scratch)
    scratch.folder = folder
    return scratch


class StoredEpisodes(Episodes):
    """Episodes whose arrays lie in files; made by :class:`Writer`.

    Attributes:
        scratch: :class:`Scratch` that holds the files.
        folder: of the policy.
        types: {array: (type in the file, width or 0)}.
        chosen: int64[E], numbers of the episodes in the files, or None for all in order.
        known: int64[N], ascending: the state ids of the files by their number here, or None.
        sha256: of the policy's weights where known, else empty.
        sizes_known: whether ``num_states`` and ``num_actions`` are given rather than inferred.
        num_bytes: of the files.
    """

    scratch: Scratch
    folder: Path
    types: dict[str, tuple[str, int]]
    chosen: NDArray[np.int64] | None
    known: NDArray[np.int64] | None
    sha256: str
    sizes_known: bool
    num_bytes: int
    _count: int
    _steps: int

    @property
    def num_episodes(self) -> int:
        """E, number of episodes."""
        return self._count

    @property
    def num_steps(self) -> int:
        """T, total number of steps."""
        return self._steps

    @property
    def lengths(self) -> NDArray[np.int64]:
        """int64[E], steps of each episode."""
        return self._rows("lengths", self.chosen)

    def __getattr__(self, name: str) -> Any:
        """An array field, read from its file."""
        if name not in ARRAYS:
            raise AttributeError(name)
        if name == "episode_offsets":
            return np.concatenate(([0], np.cumsum(self.lengths)))
        if name in EPISODE_FIELDS:
            return self._rows(name, self.chosen)
        if name in OPTIONAL_ARRAYS and name not in self.types:
            return None
        return self._rows(name, self._steps_of(0, self.num_episodes, self._ends()))

    def select(self, indices: NDArray[np.integer] | Sequence[int]) -> Self:
        """The episodes ``indices`` (int64[K], repeats allowed), in this order."""
        indices = np.asarray(indices, np.int64)
        chosen = indices if self.chosen is None else self.chosen[indices]
        steps = int(self._rows("lengths", chosen).sum())
        return self._with(chosen=chosen, _count=len(chosen), _steps=steps)

    def kept_by(self, scratch: Scratch) -> Self:
        """The same episodes, with the object that removes their files."""
        return self._with(scratch=scratch)

    def loaded(self) -> Episodes:
        """The same episodes with all arrays in memory."""
        return next(self._parts([(0, self.num_episodes)]))

    def renumbered(self, known: NDArray[np.int64]) -> Self:
        """Episodes in which the state ``known[k]`` is the state k (int64[N], ascending).

        With an empty ``known`` no step has a state.
        """
        return self._with(known=known, num_states=len(known))

    def _parts(self, bounds: Iterable[tuple[int, int]]) -> Iterator[Episodes]:
        ends = self._ends()
        names = ("task", "policy", "num_states", "num_actions", "sha256", "sizes_known")
        facts = {name: getattr(self, name) for name in names}
        for first, last in bounds:
            own = slice(first, last) if self.chosen is None else self.chosen[first:last]
            batch = object.__new__(_Batch)
            vars(batch).update(facts, store=self, own=own, rows=self._steps_of(first, last, ends))
            yield batch

    def _ends(self) -> NDArray[np.int64]:
        """int64: 0, and the row in the files behind each episode."""
        return np.concatenate(([0], np.cumsum(self._rows("lengths", None))))

    def _steps_of(
        self, first: int, last: int, ends: NDArray[np.int64]
    ) -> NDArray[np.int64] | slice:
        """Rows in the files of the steps of the episodes ``first`` to ``last - 1``."""
        if self.chosen is None:
            return slice(int(ends[first]), int(ends[last]))
        own = self.chosen[first:last]
        lengths = ends[own + 1] - ends[own]
        offsets = np.cumsum(lengths) - lengths
        return np.arange(int(lengths.sum())) + np.repeat(ends[own] - offsets, lengths)

    def _rows(self, name: str, rows: NDArray[np.int64] | slice | None) -> NDArray[Any]:
        """Some rows of an array, or all, in the type that Episodes have."""
        kind, width = self.types[name]
        path = self.folder / name
        wide = np.int64 if name == "lengths" else ARRAYS[name]
        shape = (-1, width) if name in ("features", "probabilities") else (-1,)
        if not path.stat().st_size:
            count = self._steps if name in STEP_FIELDS else self._count
            return np.zeros((count, *shape[1:]), wide)
        stored = np.memmap(path, kind, "r").reshape(shape)
        taken: NDArray[Any] = np.asarray(stored[:] if rows is None else stored[rows], wide)
        return self._numbered(taken) if name == "state_id" and self.known is not None else taken

    def _numbered(self, states: NDArray[Any]) -> NDArray[np.int64]:
        assert self.known is not None
        ids = np.searchsorted(self.known, states)
        ids[(states == NO_STATE) | (len(self.known) == 0)] = NO_STATE
        return ids


class _Batch(Episodes):
    """Some episodes of a store; an array is read when it is first needed, and kept.

    Attributes:
        store: :class:`StoredEpisodes`.
        own: the episodes' numbers in its files.
        rows: the steps' numbers in its files.
    """

    store: StoredEpisodes
    own: NDArray[np.int64] | slice
    rows: NDArray[np.int64] | slice

    def __getattr__(self, name: str) -> Any:
        """An array field, read from its file."""
        if name not in ARRAYS:
            raise AttributeError(name)
        vars(self)[name] = array = self._read(name)
        return array

    def _read(self, name: str) -> NDArray[Any] | None:
        if name == "episode_offsets":
            return np.concatenate(([0], np.cumsum(self.store._rows("lengths", self.own))))
        if name in OPTIONAL_ARRAYS and name not in self.store.types:
            return None
        return self.store._rows(name, self.own if name in EPISODE_FIELDS else self.rows)

    @property
    def num_steps(self) -> int:
        """T, total number of steps."""
        return int(self.episode_offsets[-1])

    def loaded(self) -> Episodes:
        """These episodes, whose arrays are kept."""
        return self

    def _with(self, **changes: Any) -> Self:
        """A copy with other fields, and all arrays in memory."""
        copy = object.__new__(type(self))
        arrays = {name: getattr(self, name) for name in ARRAYS if name not in changes}
        vars(copy).update(vars(self), **arrays, **changes)
        return copy


class Writer:
    """Writes the episodes of one policy to a folder, a part at a time.

    Attributes:
        num_bytes: written so far.
    """

    def __init__(self, scratch: Scratch) -> None:
        """Write to a new folder in ``scratch``."""
        self.scratch = scratch
        self.folder = Path(tempfile.mkdtemp(prefix="policy-", dir=scratch.folder))
        self.num_bytes = self._count = self._steps = 0
        self._types: dict[str, tuple[str, int]] = {}
        self._first: Episodes | None = None

    def add(self, episodes: Episodes) -> None:
        """Append more episodes of the policy.

        Raises:
            ValueError: their task, sizes or columns differ from those before.
        """
        arrays = {name: getattr(episodes, name) for name in (*STEP_FIELDS, *EPISODE_FIELDS)}
        arrays["lengths"] = episodes.lengths
        arrays = {name: array for name, array in arrays.items() if array is not None}
        types = {name: _stored_type(name, array, episodes) for name, array in arrays.items()}
        self._check(episodes, types)
        for name, array in arrays.items():
            narrow = np.ascontiguousarray(array, types[name][0])
            with open(self.folder / name, "ab") as file:
                narrow.tofile(file)
            self.num_bytes += narrow.nbytes
        self._count += episodes.num_episodes
        self._steps += episodes.num_steps

    def _check(self, episodes: Episodes, types: dict[str, tuple[str, int]]) -> None:
        first = self._first
        if first is None:
            self._first, self._types = episodes.select([]), types
            return
        known = getattr(episodes, "sizes_known", True)
        facts = ("task", "num_states", "num_actions") if known else ("task",)
        differ = [name for name in facts if getattr(first, name) != getattr(episodes, name)]
        differ += [n for n in (*STEP_FIELDS, "lengths") if self._types.get(n) != types.get(n)]
        if differ:
            raise ValueError(f"the parts of {episodes.policy} differ in {differ[0]}")
        if not known:
            sizes = {
                n: max(getattr(e, n) for e in (first, episodes))
                for n in ("num_states", "num_actions")
            }
            self._first = first.resized(**sizes)

    def stored(self) -> StoredEpisodes:
        """All that was written; nothing more can be appended to it."""
        assert self._first is not None
        facts = ("task", "policy", "num_states", "num_actions")
        episodes = object.__new__(StoredEpisodes)
        vars(episodes).update({name: getattr(self._first, name) for name in facts})
        vars(episodes).update(
            scratch=self.scratch,
            folder=self.folder,
            types=self._types,
            chosen=None,
            known=None,
            sha256=getattr(self._first, "sha256", ""),
            sizes_known=getattr(self._first, "sizes_known", True),
            num_bytes=self.num_bytes,
            _count=self._count,
            _steps=self._steps,
        )
        return episodes


def stored(scratch: Scratch, parts: Iterable[Episodes]) -> StoredEpisodes:
    """The parts of one policy, written to ``scratch`` one after another.

    Raises:
        ValueError: they differ in task, sizes or columns.
    """
    writer = Writer(scratch)
    for part in parts:
        writer.add(part)
    return writer.stored()


def _stored_type(name: str, array: NDArray[Any], episodes: Episodes) -> tuple[str, int]:
    """(type in the file, width of a row or 0)."""
    states, actions = MOST_NARROW
    kind = np.dtype(NARROW.get(name, array.dtype))
    if name == "state_id" and episodes.num_states <= states:
        kind = np.dtype(np.int32)
    if name == "action" and episodes.num_actions > actions:
        kind = np.dtype(np.int64)
    return kind.str, array.shape[1] if array.ndim > 1 else 0
