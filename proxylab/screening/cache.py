"""The cache of ``detect``: rollouts of trusted agents, and what is computed from them.

The key of an entry is a hash of everything it depends on: weights, network, environment and
its env_kwargs, levels, action draws, source files and the versions of the imported packages.
An entry is therefore never out of date. Above ``LIMIT_BYTES`` the least recently used entries
are removed. A damaged entry counts as missing and is written again. No entry holds code.
"""

import hashlib
import json
import os
import platform
import zipfile
import zlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from proxylab.detection.score_cache import Arrays, Packing
from proxylab.detection.task_view import TaskView
from proxylab.rollouts.episodes import Episodes, column_names
from proxylab.rollouts.rollout import Policy
from proxylab.storage import store
from proxylab.storage.provenance import versions
from proxylab.storage.sources import source_digest
from proxylab.storage.user_cache import make_room
from proxylab_envs.batch import BatchedEnv

LIMIT_BYTES = 1 << 30
"""Maximal size of the cache, in bytes."""

DAMAGED = (
    *(OSError, EOFError, ValueError, KeyError, TypeError, AttributeError),
    *(zipfile.BadZipFile, zlib.error),
)
"""Exceptions raised on reading a damaged or missing entry."""

POLICIES = ("proxylab.agents.loading", "proxylab.agents.scripted")
"""Modules of the policies whose rollouts are cached."""
ROLLOUT_SOURCES = ("proxylab.rollouts.rollout", *POLICIES)
SCORE_SOURCES = ("proxylab.detection.judge",)
"""Modules that rollouts and scores depend on, together with their imports; a rollout also
depends on the module of its environment."""

FACTS = ("task", "num_states", "num_actions")

Entry = TypeVar("Entry")


class DetectionCache:
    """A folder of rollouts and fitted states (``<hash>.npz``) and scores (``<hash>.json``)."""

    def __init__(self, folder: str | Path | None = None, limit: int = LIMIT_BYTES) -> None:
        """Store entries in ``folder``, by default in the user's cache folder."""
        self.folder = Path(folder or store.cache_folder())
        self.limit = limit

    def episodes(
        self,
        facts: dict[str, Any],
        policy: str,
        play: Callable[[], Episodes],
    ) -> Episodes:
        """The Episodes that ``play()`` returns: read from the cache, or played and stored.

        Args:
            facts: JSON object of everything the rollout depends on (:func:`rollout_facts`).
            policy: name of the policy in the result.
            play: function () -> Episodes.
        """
        cached = self.recorded(facts, policy)
        if cached is not None:
            return cached
        path, episodes = self._path(facts, "npz"), play()
        self._write(path, lambda temporary: _write_episodes(temporary, episodes))
        return episodes.named(policy)

    def recorded(self, facts: dict[str, Any], policy: str) -> Episodes | None:
        """The Episodes of the cache, or None; see :meth:`episodes`."""
        cached = _read(self._path(facts, "npz"), _read_episodes)
        return None if cached is None else cached.named(policy)

    def scores(
        self, reference: Sequence[Episodes], calibration: Sequence[Episodes], task: TaskView | None
    ) -> dict[str, list[float]]:
        """{detector: list of float}: the cached scores of these episodes; may be empty.

        Args:
            reference: Episodes on which the detectors are fitted.
            calibration: Episodes that are scored.
            task: TaskView of the levels, or None.
        """
        path = self._score_path(reference, calibration, task)
        return _read(path, lambda path: _checked(json.loads(path.read_text()), calibration)) or {}

    def keep(
        self,
        reference: Sequence[Episodes],
        calibration: Sequence[Episodes],
        task: TaskView | None,
        scores: Mapping[str, Sequence[float]],
    ) -> None:
        """Store ``scores`` ({detector: list of float}) for :meth:`scores`."""
        path = self._score_path(reference, calibration, task)
        self._write(path, lambda temporary: temporary.write_text(json.dumps(scores)))

    def fitted(
        self, what: str, trusted: Sequence[Episodes], task: TaskView | None, packing: Packing
    ) -> Any:
        """The state that ``packing`` describes: read from the cache, or fitted and stored.

        Args:
            what: what the state is, with the settings of what fits it.
            trusted: all episodes on which it depends.
            task: TaskView on which it depends, or None.
            packing: how it is fitted and stored.
        """
        facts = [what, *(content(e) for e in trusted), _view_content(task)]
        path = self._path([*facts, source_digest(*SCORE_SOURCES)], "npz")
        state = _read(path, lambda path: packing.unpack(_arrays(path)))
        if state is None:
            state = packing.fit()
            self._write(path, lambda temporary: _save(temporary, packing.pack(state)))
        return state

    def _score_path(
        self, reference: Sequence[Episodes], calibration: Sequence[Episodes], task: TaskView | None
    ) -> Path:
        played = [[content(e) for e in part] for part in (reference, calibration)]
        facts = [*played, _view_content(task), source_digest(*SCORE_SOURCES)]
        return self._path(facts, "json")

    def _path(self, facts: dict[str, Any] | list[Any], kind: str) -> Path:
        dependencies = [facts, versions(), platform.machine()]
        key = hashlib.sha256(json.dumps(dependencies, sort_keys=True).encode()).hexdigest()
        return self.folder / f"{key}.{kind}"

    def _write(self, path: Path, write: Callable[[Path], object]) -> None:
        """Write an entry and enforce the limit; errors of the file system are ignored."""
        try:
            with store.whole_file(path) as temporary:
                write(temporary)
            make_room(self.folder, self.limit)
        except OSError:
            return


def rollout_facts(
    policy: Policy | Episodes,
    env: BatchedEnv,
    level_seeds: NDArray[np.int64],
    seed: int,
    greedy: bool = False,
) -> dict[str, Any] | None:
    """JSON object of everything an agent's rollout depends on; None where that is not known.

    Args:
        policy: a policy, or Episodes.
        env: the BatchedEnv.
        level_seeds: int64[E].
        seed: seed of the action draws.
        greedy: whether the most probable action is taken instead.
    """
    weights = getattr(policy, "sha256", "")
    known = is_ours(env) and type(policy).__module__ in POLICIES
    if not known or not weights or isinstance(policy, Episodes):
        return None
    spec = getattr(policy, "spec", None)
    network = [spec.architecture, spec.sizes, spec.observation_shape] if spec else policy.name
    return {
        "agent": [weights, network, str(getattr(policy, "device", ""))],
        "env": [type(env).__qualname__, repr(getattr(env, "config", None))],
        "levels": np.asarray(level_seeds, np.int64).tolist(),
        "draws": [seed, greedy],
        "code": source_digest(*ROLLOUT_SOURCES, type(env).__module__),
    }


def is_ours(env: BatchedEnv) -> bool:
    """Whether an environment is one of ``proxylab_envs``, whose sources are known."""
    return type(env).__module__.startswith("proxylab_envs.")


_CONTENT: WeakKeyDictionary[Episodes, str] = WeakKeyDictionary()
"""Hashes of the Episodes in memory, whose arrays nothing writes to."""


def content(episodes: Episodes) -> str:
    """Hash of everything in Episodes but the policy's name, computed once for each object."""
    known = _CONTENT.get(episodes)
    if known is None:
        known = _CONTENT[episodes] = _hash_of(episodes)
    return known


def _hash_of(episodes: Episodes) -> str:
    digest = hashlib.sha256(repr([getattr(episodes, name) for name in FACTS]).encode())
    for name in column_names():
        array = getattr(episodes, name)
        digest.update(f"{name} {None if array is None else array.shape}".encode())
        if array is not None and array.size:
            digest.update(_octets(array))
    return digest.hexdigest()


def _view_content(task: TaskView | None) -> str | None:
    """Hash of a TaskView."""
    if task is None:
        return None
    digest = hashlib.sha256()
    for name, value in vars(task).items():
        digest.update(f"{name} {getattr(value, 'shape', value)}".encode())
        if isinstance(value, np.ndarray) and value.size:
            digest.update(_octets(value))
    return digest.hexdigest()


def _octets(array: NDArray[Any]) -> memoryview:
    """The bytes of a non-empty array."""
    return np.ascontiguousarray(array).data.cast("B")


def _read(path: Path, read: Callable[[Path], Entry]) -> Entry | None:
    """The content of an entry, marked as used; None where it is missing or damaged."""
    try:
        entry = read(path)
        os.utime(path)
    except DAMAGED:
        return None
    return entry


def _checked(
    scores: dict[str, list[float]], calibration: Sequence[Episodes]
) -> dict[str, list[float]]:
    """The scores as read; ``ValueError`` unless there is one number per calibration policy."""
    for values in scores.values():
        if len(values) != len(calibration) or not all(isinstance(v, float) for v in values):
            raise ValueError("not one score per policy")
    return scores


def _write_episodes(path: Path, episodes: Episodes) -> None:
    """Write Episodes with integers in the narrowest type that holds them; nothing is rounded."""
    columns = {name: getattr(episodes, name) for name in column_names()}
    arrays: dict[str, Any] = {name: _narrow(a) for name, a in columns.items() if a is not None}
    facts = json.dumps({name: getattr(episodes, name) for name in ("policy", *FACTS)})
    _save(path, {"facts": np.array(facts), **arrays})


def _narrow(array: NDArray[Any]) -> NDArray[Any]:
    """An integer array in the narrowest type that holds its values; other arrays unchanged."""
    if array.dtype.kind != "i" or not array.size:
        return array
    low, high = int(array.min()), int(array.max())
    kinds = (np.int8, np.int16, np.int32)
    fits = (k for k in kinds if np.iinfo(k).min <= low and high <= np.iinfo(k).max)
    return array.astype(next(fits, np.int64))


def _save(path: Path, arrays: Arrays) -> None:
    with open(path, "wb") as file:
        np.savez(file, allow_pickle=False, **arrays)


def _arrays(path: Path) -> Arrays:
    with np.load(path, allow_pickle=False) as entry:
        return {name: entry[name] for name in entry.files}


def _read_episodes(path: Path) -> Episodes:
    """The Episodes of an entry; the constructor checks them."""
    arrays: dict[str, Any] = _arrays(path)
    facts = json.loads(str(arrays.pop("facts")))
    return Episodes(**dict.fromkeys(column_names()) | arrays | facts)
