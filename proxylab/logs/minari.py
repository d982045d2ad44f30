"""The HDF5 layout of Minari datasets, read and written with h5py alone.

A file holds a group ``episode_0``, ``episode_1``, … with ``actions`` [T], ``rewards`` [T],
``terminations`` [T], ``truncations`` [T], ``observations`` [T + 1] and, as a group,
``infos`` [T + 1] each; the attribute ``seed`` of an episode is what the environment was reset
with, and is taken for the level seed (as laid out in Minari's "Dataset Standards", 0.5).
"""

import os

import numpy as np

from proxylab.environments.state_hash import hash_of
from proxylab.errors import UsageError
from proxylab.logs.rows import LogError, Rows, hashed_sizes
from proxylab.rollouts.episodes import NO_STATE
from proxylab.storage.limits import LIMITS, MIB

MOST_FEATURES = 64
"""Largest observation of floats that is taken as features."""

NEEDED = ("actions", "terminations", "truncations")


def h5py():
    """The package h5py; ``UsageError`` where it is not installed."""
    try:
        import h5py as package  # an optional extra
    except ImportError:
        raise UsageError("Minari's HDF5 files need h5py: pip install 'proxylab[minari]'") from None
    return package


def read_minari(path):
    """:class:`Rows` of a Minari file; ``LogError`` where it is damaged or no such file."""
    package = h5py()
    try:
        with package.File(path, "r") as file:
            return _Reader(str(path), file).rows()
    except (OSError, RuntimeError, KeyError) as error:
        what = " ".join(str(error).split())
        raise LogError(f"{path} cannot be read: {what}") from None


def check_file(source, file):
    """``LogError`` where a link leads out of the file, or its arrays say they are too large.

    A dataset's shape is a claim: an array of a billion steps may take no room in the file.
    """
    package, total = h5py(), 0
    groups, seen = [file], set()
    while groups:
        group = groups.pop()
        for name in group:
            if not isinstance(group.get(name, getlink=True), package.HardLink):
                raise LogError(f"{source}, {name}: a link, which is not followed")
            item = group[name]
            if isinstance(item, package.Group):
                if item.id in seen:
                    raise LogError(f"{source}, {name}: a group comes twice")
                seen.add(item.id)
                groups.append(item)
                continue
            if not isinstance(item, package.Dataset):
                raise LogError(f"{source}, {name}: neither an array nor a group")
            if item.external or item.is_virtual:
                raise LogError(f"{source}, {name}: its data lie in another file")
            total += item.size * item.dtype.itemsize
            if total > LIMITS.log_rows * LIMITS.log_step_bytes:
                raise LogError(f"{source}, {name}: its arrays are over the limit")
            if total > MIB + LIMITS.log_ratio * os.stat(source).st_size:
                raise LogError(f"{source}, {name}: {total:,} bytes in so small a file: a bomb?")


class _Reader:
    """Groups in, columns out."""

    def __init__(self, source, file):
        self.source, self.file = source, file
        self.names, self.digests = {}, {}
        self.hashed = self.told = False

    def complain(self, name, message):
        raise LogError(f"{self.source}, {name}: {message}")

    def rows(self):
        """All episodes, in the order of their numbers."""
        check_file(self.source, self.file)
        numbers = sorted(int(n[8:]) for n in self.file if n[:8] == "episode_" and n[8:].isdigit())
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
        rows.digests, rows.task = self.digests, self._text("task")
        known = {n: self.file.attrs.get(n) for n in ("num_states", "num_actions")}
        rows.sizes = {name: int(value) for name, value in known.items() if value is not None}
        if self.hashed:
            hashed_sizes(rows)
        return rows

    def _text(self, name):
        value = self.file.attrs.get(name)
        return value.decode() if isinstance(value, bytes) else value

    def _episode(self, name, number):
        """{column: array} of one group."""
        group = self.file[name]
        absent = [part for part in NEEDED if part not in group]
        if absent:
            self.complain(name, f"{absent[0]} is missing")
        actions = group["actions"][()]
        count = len(actions)
        if not count:
            self.complain(name, "an episode has no steps")
        if actions.ndim != 1 or actions.dtype.kind not in "iu":
            self.complain(
                name, f"actions are {actions.dtype}{actions.shape[1:]}, not whole numbers"
            )
        seed = group.attrs.get("seed")
        level = self._info(group, "level_seed", count)
        if level is None and seed is None:
            self.complain(name, "neither the attribute seed nor infos/level_seed is there")
        found = {
            "policy": np.full(count, self._policy(group), np.int32),
            "episode": np.full(count, number),
            "level_seed": np.full(count, int(seed)) if level is None else level.astype(np.int64),
            "step": np.arange(count),
            "action": actions.astype(np.int64),
            "terminated": self._steps(group, name, "terminations", count).astype(bool),
            "truncated": self._steps(group, name, "truncations", count).astype(bool),
        }
        return found | self._states(group, name, count) | self._numbers(group, count)

    def _steps(self, group, name, part, count):
        values = group[part][()]
        if values.shape[:1] != (count,):
            self.complain(name, f"{part} has {len(values)} entries, but there are {count} actions")
        return values

    def _policy(self, group):
        told = group.attrs.get("policy")
        told = told.decode() if isinstance(told, bytes) else told
        policy = str(told or self._text("algorithm_name") or self.source)
        digest = group.attrs.get("policy_sha256")
        if digest:
            self.digests[policy] = digest.decode() if isinstance(digest, bytes) else str(digest)
        return self.names.setdefault(policy, len(self.names))

    def _info(self, group, key, count):
        """The first T rows of infos/key, or None."""
        infos = group.get("infos")
        if infos is None or not hasattr(infos, "keys") or key not in infos:
            return None
        return infos[key][()][:count]

    def _states(self, group, name, count):
        """``state_id`` from infos, or hashes of the observations; small floats as features."""
        told = self._info(group, "state_id", count)
        observations = group.get("observations")
        if told is not None:
            self.told = True
            return {"state_id": told.astype(np.int64)}
        if observations is None or hasattr(observations, "keys"):
            return {"state_id": np.full(count, NO_STATE)}
        values = observations[()]
        if len(values) < count:
            self.complain(name, f"observations has {len(values)} entries for {count} actions")
        self.hashed = True
        values = np.ascontiguousarray(values[:count])
        found = {"state_id": np.array([hash_of(row.tobytes()) for row in values], np.int64)}
        flat = values.reshape(count, -1)
        if values.dtype.kind == "f" and flat.shape[1] <= MOST_FEATURES:
            found["features"] = flat.astype(np.float32)
        return found

    def _numbers(self, group, count):
        """What ``write_minari`` puts into infos."""
        names = ("features", "probabilities", "proxy_reward")
        given = {name: self._info(group, name, count) for name in names}
        return {name: a.astype(np.float32) for name, a in given.items() if a is not None}

    def _joined(self, parts):
        """Columns over all episodes; NaN where an episode lacks one that others have."""
        if self.told:
            self.hashed = False
        found = {}
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
            found[name] = np.concatenate(arrays)
        return found


def write_minari(path, policies, _kind):
    """Write Episodes in Minari's layout, all policies in one file.

    Observations are state indices (-1 after the last step, which Episodes do not hold);
    rewards are the proxy's, NaN where it is not known.
    """
    with h5py().File(path, "w", libver="latest") as file:
        first = policies[0]
        file.attrs["task"] = first.task
        file.attrs["num_states"], file.attrs["num_actions"] = first.num_states, first.num_actions
        file.attrs["total_episodes"] = sum(episodes.num_episodes for episodes in policies)
        file.attrs["total_steps"] = sum(episodes.num_steps for episodes in policies)
        number = 0
        for episodes in policies:
            for index in range(episodes.num_episodes):
                _write_episode(file.create_group(f"episode_{number}"), number, episodes, index)
                number += 1


def _write_episode(group, number, episodes, index):
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
