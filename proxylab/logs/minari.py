"""The HDF5 layout of Minari datasets, read and written with h5py alone.

A file holds a group ``episode_0``, ``episode_1``, … with ``actions`` [T], ``rewards`` [T],
``terminations`` [T], ``truncations`` [T], ``observations`` [T + 1] and, as a group,
``infos`` [T + 1] each; the attribute ``seed`` of an episode is what the environment was reset
with, and is used as the level seed (see Minari's "Dataset Standards", 0.5).
"""

import json
import math
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn, TypeAlias

import numpy as np
from numpy.typing import NDArray

from proxylab.environments.state_hash import hash_of
from proxylab.errors import UsageError
from proxylab.logs import minari_root
from proxylab.logs.budget import Budget
from proxylab.logs.rows import VECTORS, Further, LogError, Rows, check_width, hashed_sizes
from proxylab.rollouts.episodes import NO_STATE, Episodes
from proxylab.storage.limits import LIMITS, MIB
from proxylab.storage.whole_files import whole_file

MOST_FEATURES = 64
"""Largest float observation that is used as features."""

NEEDED = ("actions", "terminations", "truncations")

EPISODE = re.compile(r"episode_([0-9]{1,12})")

LARGEST_CHUNK = 16 * MIB
"""Bytes: HDF5 decompresses a whole chunk, however little of it is read."""

FILTERS = frozenset((1, 2, 3, 32000))
"""Deflate, shuffle, Fletcher32 and LZF, which h5py includes; HDF5 loads others from disk."""

Group: TypeAlias = Any
"""A group or file of h5py, which ships no types."""

Item: TypeAlias = Any
"""A group or dataset of h5py."""

MINARI_VERSION = "0.5.0"
"""Version of Minari whose layout is written; 0.5.0 and later read it."""

VERSIONED = re.compile(r"-v\d+$")

WHOLE, NUMBERS = "iu", "biuf"
KINDS = {WHOLE: "whole numbers", NUMBERS: "numbers", "biu": "true or false"}
"""Kinds of NumPy types: their names in messages."""


def h5py() -> ModuleType:
    """The package h5py; ``UsageError`` where it is not installed."""
    try:
        import h5py as package  # an optional extra
    except ImportError:
        raise UsageError("Minari's HDF5 files need h5py: pip install 'proxylab[minari]'") from None
    return package


def read_minari(path: str | Path, budget: Budget, _folder: str | Path) -> Iterator[Rows]:
    """Yield the :class:`Rows` of a Minari file; ``LogError`` where it is damaged or invalid.

    The arguments are those of ``tables.read_table``.
    """
    package = h5py()
    try:
        with package.File(path, "r") as file:
            rows = _Reader(budget, file).rows()
    except (OSError, RuntimeError, KeyError) as error:
        what = " ".join(str(error).split())
        raise LogError(f"{budget.source} cannot be read: {what}") from None
    yield rows


def check_file(budget: Budget, file: Group) -> None:
    """Refuse links, external data, unusual filters, and arrays that are too large.

    A dataset's shape is not backed by data: a billion steps may take no space in the file.
    """
    total, groups, seen = 0, [file], set()
    while groups:
        group = groups.pop()
        for name in group:
            item = _item(budget, group, name)
            if isinstance(item, h5py().Group):
                if item.id in seen:
                    budget.complain(f"{name}: a group comes twice")
                seen.add(item.id)
                groups.append(item)
                continue
            _check_dataset(budget, name, item)
            total += item.size * item.dtype.itemsize
            if total > budget.array_bytes:
                budget.complain(f"{name}: its arrays are over the limit for a file of its size")


def _item(budget: Budget, group: Group, name: str) -> Item:
    """The group or dataset of that name; refuses links."""
    package = h5py()
    if not isinstance(group.get(name, getlink=True), package.HardLink):
        budget.complain(f"{name}: a link, which is not followed")
    item = group[name]
    if not isinstance(item, package.Group | package.Dataset):
        budget.complain(f"{name}: neither an array nor a group")
    return item


def _check_dataset(budget: Budget, name: str, item: Item) -> None:
    """Refuse a dataset with external data, large chunks or unusual filters."""
    if item.external or item.is_virtual:
        budget.complain(f"{name}: its data lie in another file")
    if item.shape is None:
        budget.complain(f"{name}: it is empty")
    if item.chunks and math.prod(item.chunks) * item.dtype.itemsize > LARGEST_CHUNK:
        budget.complain(f"{name}: its chunks are over the limit of {LARGEST_CHUNK:,} bytes")
    plan = item.id.get_create_plist()
    codes = {plan.get_filter(k)[0] for k in range(plan.get_nfilters())}
    if codes - FILTERS:
        budget.complain(f"{name}: it is packed with the filter {min(codes - FILTERS)}")


class _Reader:
    """Reads groups into columns."""

    def __init__(self, budget: Budget, file: Group) -> None:
        self.budget, self.source, self.file = budget, budget.source, file
        self.names, self.digests = {}, {}
        self.hashed = self.has_state_ids = False
        self.count, self.width = 0, 0

    def complain(self, name: str, message: str) -> NoReturn:
        raise LogError(f"{self.source}, {name}: {message}")

    def rows(self) -> Rows:
        """All episodes, in the order of their numbers."""
        check_file(self.budget, self.file)
        numbers = sorted(int(match[1]) for name in self.file if (match := EPISODE.fullmatch(name)))
        if not numbers:
            raise LogError(f"{self.source} holds no group episode_0: this is no Minari dataset")
        parts = [self._episode(f"episode_{number}", number) for number in numbers]
        ends = np.cumsum([len(part["action"]) for part in parts])
        columns = self._joined(parts)
        rows = Rows(
            self.source,
            lambda row: f"episode_{numbers[int(np.searchsorted(ends, row, 'right'))]}",
            list(self.names),
            columns.pop("policy"),
            columns,
        )
        rows.digests, rows.task = self.digests, self._text(self.file, "task")
        sizes = {n: self._whole(self.file, n) for n in ("num_states", "num_actions")}
        rows.sizes = {name: value for name, value in sizes.items() if value is not None}
        if self.hashed:
            hashed_sizes(rows)
        return rows

    def _attribute(self, item: Item, name: str) -> Any:
        """A scalar number or string, or None where there is no such attribute."""
        if name not in item.attrs:
            return None
        attribute = item.attrs.get_id(name)
        string = h5py().check_string_dtype(attribute.dtype)
        if attribute.shape != () or (attribute.dtype.kind not in "biufS" and not string):
            self.complain(item.name, f"the attribute {name} is no single number or text")
        if attribute.get_storage_size() > LIMITS.log_text_bytes:
            self.complain(item.name, f"the attribute {name} is over the limit")
        value = item.attrs[name]
        value = value.decode() if isinstance(value, bytes) else value
        if isinstance(value, str) and len(value) > LIMITS.log_text_bytes:
            limit = f"over the limit of {LIMITS.log_text_bytes:,} bytes"
            self.complain(item.name, f"a {name} of {len(value):,} bytes is {limit}")
        return value

    def _text(self, item: Item, name: str) -> str | None:
        value = self._attribute(item, name)
        return None if value is None else str(value)

    def _whole(self, item: Item, name: str) -> int | None:
        value = self._attribute(item, name)
        if value is not None and not isinstance(value, np.integer | int):
            self.complain(item.name, f"the attribute {name} is not a whole number")
        return None if value is None else int(value)

    def _values(
        self, group: Group, part: str, kinds: str, sides: Collection[int], count: int | None = None
    ) -> NDArray[Any]:
        """The first ``count`` rows of a dataset, checked before they are read."""
        item, name = group[part], group.name.strip("/")
        if not isinstance(item, h5py().Dataset) or item.dtype.kind not in kinds:
            kind = item.dtype if isinstance(item, h5py().Dataset) else "a group"
            self.complain(name, f"{part} is {kind}, not {KINDS[kinds]}")
        if item.ndim not in sides:
            self.complain(name, f"{part} has {item.ndim} dimensions")
        if count is not None and len(item) < count:
            self.complain(name, f"{part} has {len(item)} entries, but there are {count} actions")
        values = item[:count]
        if values.dtype.kind == "u" and values.size and int(values.max()) >= 1 << 63:
            self.complain(name, f"{part} is too large")
        return values

    def _episode(self, name: str, number: int) -> dict[str, NDArray[Any]]:
        """{column: array} of one group."""
        group = self.file[name]
        absent = [part for part in NEEDED if part not in group]
        if absent:
            self.complain(name, f"{absent[0]} is missing")
        actions = self._values(group, "actions", WHOLE, (1,))
        count = len(actions)
        if not count:
            self.complain(name, "an episode has no steps")
        self.count += count
        self.budget.check_rows(self.count)
        level = self._info(group, "level_seed", WHOLE, 1, count)
        seed = self._whole(group, "seed") if level is None else None
        if level is None and seed is None:
            self.complain(name, "neither the attribute seed nor infos/level_seed is there")
        if seed is not None and not -(1 << 63) <= seed < 1 << 63:
            self.complain(name, "seed is too large")
        columns = {
            "policy": np.full(count, self._policy(group), np.int32),
            "episode": np.full(count, number),
            "level_seed": np.full(count, seed) if level is None else level.astype(np.int64),
            "step": np.arange(count),
            "action": actions.astype(np.int64),
            "terminated": self._steps(group, name, "terminations", count).astype(bool),
            "truncated": self._steps(group, name, "truncations", count).astype(bool),
        }
        columns |= self._states(group, name, count) | self._numbers(group, count)
        self.width = max(self.width, sum(array[0].size for array in columns.values()))
        self.budget.check_cells(self.count, self.width)
        return columns

    def _steps(self, group: Group, name: str, part: str, count: int) -> NDArray[Any]:
        values = self._values(group, part, "biu", (1,))
        if len(values) != count:
            self.complain(name, f"{part} has {len(values)} entries, but there are {count} actions")
        return values

    def _policy(self, group: Group) -> int:
        name = self._text(group, "policy")
        policy = str(name or self._text(self.file, "algorithm_name") or self.source)
        digest = self._text(group, "policy_sha256")
        if digest:
            self.digests[policy] = digest
        return self.names.setdefault(policy, len(self.names))

    def _info(
        self, group: Group, key: str, kinds: str, sides: int, count: int
    ) -> NDArray[Any] | None:
        """The first T rows of infos/key, or None."""
        infos = group.get("infos")
        if infos is None or not hasattr(infos, "keys"):
            return None
        return self._values(infos, key, kinds, (sides,), count) if key in infos else None

    def _states(self, group: Group, name: str, count: int) -> dict[str, NDArray[Any]]:
        """``state_id`` from infos, or hashes of the observations; small floats as features."""
        state_ids = self._info(group, "state_id", WHOLE, 1, count)
        observations = group.get("observations")
        if state_ids is not None:
            self.has_state_ids = True
            return {"state_id": state_ids.astype(np.int64)}
        if observations is None or hasattr(observations, "keys"):
            return {"state_id": np.full(count, NO_STATE)}
        values = self._values(group, "observations", NUMBERS, range(1, 33), count)
        self.hashed = True
        values = np.ascontiguousarray(values)
        columns = {"state_id": np.array([hash_of(row.tobytes()) for row in values], np.int64)}
        flat = values.reshape(count, -1)
        if values.dtype.kind == "f" and flat.shape[1] <= MOST_FEATURES:
            columns["features"] = flat.astype(np.float32)
        return columns

    def _numbers(self, group: Group, count: int) -> dict[str, NDArray[np.float32]]:
        """Columns that ``write_minari`` stores in infos."""
        sides = {"features": 2, "probabilities": 2, "proxy_reward": 1}
        infos = {n: self._info(group, n, NUMBERS, ndim, count) for n, ndim in sides.items()}
        arrays = {name: array for name, array in infos.items() if array is not None}
        for name in VECTORS:
            if name in arrays:
                check_width(self.source, name, arrays[name].shape[1])
        return {name: array.astype(np.float32) for name, array in arrays.items()}

    def _joined(self, parts: Sequence[Mapping[str, NDArray[Any]]]) -> dict[str, NDArray[Any]]:
        """Columns over all episodes; NaN where an episode lacks one that others have."""
        if self.has_state_ids:
            self.hashed = False
        columns = {}
        for name in dict.fromkeys(name for part in parts for name in part):
            first = next(part[name] for part in parts if name in part)
            arrays = [
                part[name]
                if name in part
                else np.full((len(part["action"]), *first.shape[1:]), np.nan, np.float32)
                for part in parts
            ]
            if len({array.shape[1:] for array in arrays}) > 1:
                raise LogError(f"{self.source}: {name} has rows of different lengths")
            columns[name] = np.concatenate(arrays)
        return columns


def write_minari(
    path: str | Path, policies: Sequence[Episodes], _kind: str, further: Further
) -> None:
    """Write Episodes in Minari's layout, all policies in one file.

    Observations are state indices (-1 after the last step, which Episodes do not hold);
    rewards are those of the proxy, NaN where unknown.
    """
    with h5py().File(path, "w", libver="latest") as file:
        first = policies[0]
        file.attrs["task"] = first.task
        file.attrs["num_states"], file.attrs["num_actions"] = first.num_states, first.num_actions
        file.attrs["total_episodes"] = sum(episodes.num_episodes for episodes in policies)
        file.attrs["total_steps"] = sum(episodes.num_steps for episodes in policies)
        number = 0
        for episodes in policies:
            own = further.get(episodes.policy, {})
            for index in range(episodes.num_episodes):
                group = file.create_group(f"episode_{number}")
                _write_episode(group, number, episodes, index)
                _write_further(group["infos"], episodes, index, own)
                number += 1


def write_metadata(path: str | Path, policies: Sequence[Episodes]) -> None:
    """Write ``metadata.json`` beside ``main_data.hdf5``, so that Minari opens the dataset.

    Observations are state indices and -1, see :func:`write_minari`.
    """
    path, first = Path(path), policies[0]
    folder, root = path.absolute().parent.parent, minari_root().absolute()
    name = folder.relative_to(root).as_posix() if root in folder.parents else folder.name
    record = {
        "dataset_id": name if VERSIONED.search(name) else f"{name}-v0",
        "minari_version": MINARI_VERSION,
        "data_format": "hdf5",
        "observation_space": _discrete(first.num_states + 1, NO_STATE),
        "action_space": _discrete(first.num_actions, 0),
        "jpeg_encoding": False,
        "total_episodes": sum(episodes.num_episodes for episodes in policies),
        "total_steps": sum(episodes.num_steps for episodes in policies),
        "dataset_size": path.stat().st_size / 1e6,
        "algorithm_name": "proxylab",
        "description": f"{len(policies)} policies of {first.task}, recorded by proxylab",
    }
    with whole_file(path.with_name("metadata.json")) as temporary:
        temporary.write_text(json.dumps(record))


def _discrete(count: int, start: int) -> str:
    """A space of whole numbers as Minari writes it."""
    return json.dumps({"type": "Discrete", "dtype": "int64", "start": start, "n": count})


def _write_episode(group: Group, number: int, episodes: Episodes, index: int) -> None:
    start, stop = episodes.episode_offsets[index : index + 2]
    count = int(stop - start)
    group.attrs["id"], group.attrs["total_steps"] = number, count
    group.attrs["seed"] = int(episodes.level_seed[index])
    group.attrs["policy"] = episodes.policy
    group.attrs["policy_sha256"] = getattr(episodes, "sha256", "")
    states = np.append(episodes.state_id[start:stop], NO_STATE)
    rewards = episodes.proxy_reward
    missing = np.full(count, np.nan, np.float32)
    last = np.arange(count) == count - 1
    group.create_dataset("observations", data=states)
    group.create_dataset("actions", data=episodes.action[start:stop])
    group.create_dataset("rewards", data=missing if rewards is None else rewards[start:stop])
    group.create_dataset("terminations", data=last & episodes.terminated[index])
    group.create_dataset("truncations", data=last & episodes.truncated[index])
    infos = group.create_group("infos")
    infos.create_dataset("state_id", data=states)
    for name in ("features", "probabilities", "proxy_reward"):
        values = getattr(episodes, name)
        if values is not None and values.shape[-1]:
            after = np.full((1, *values.shape[1:]), np.nan, np.float32)
            infos.create_dataset(name, data=np.concatenate([values[start:stop], after]))


def _write_further(
    infos: Group, episodes: Episodes, index: int, further: Mapping[str, NDArray[Any]]
) -> None:
    """Columns outside the schema; as Minari asks, with a last entry for the state after the end."""
    start, stop = episodes.episode_offsets[index : index + 2]
    for name, column in further.items():
        values = column[start:stop]
        own = values.astype(bytes) if values.dtype.kind == "U" else values.astype(np.float64)
        last = b"" if own.dtype.kind == "S" else np.nan
        infos.create_dataset(name, data=np.append(own, last))
