"""What ``detect`` keeps between calls: rollouts of trusted agents, scores of calibration policies.

An entry's name is a hash of everything it depends on: weights, network, environment and
its env_kwargs, levels, action draws, the sources of the code and the versions of what they
import. So an entry is never out of date, only unused; the longest unused go when there
are more than ``LIMIT_BYTES``. An entry that is damaged counts as missing and is written
anew. Nothing in an entry can run.
"""

import hashlib
import json
import os
import platform
import zipfile
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np

from proxylab.rollouts.episodes import Episodes, column_names
from proxylab.storage import store
from proxylab.storage.provenance import versions
from proxylab.storage.sources import source_digest

LIMIT_BYTES = 1 << 30
"""Size of the whole cache."""

DAMAGED = (
    *(OSError, EOFError, ValueError, KeyError, TypeError, AttributeError),
    *(zipfile.BadZipFile, zlib.error),
)
"""What reading a damaged or missing entry raises."""

ROLLOUT_SOURCES = ("proxylab.rollouts.rollout", "proxylab.agents.loading")
SCORE_SOURCES = ("proxylab.detection.judge",)
"""Modules that rollouts and scores depend on, with all that they import; a rollout depends on
its environment's module too."""

FACTS = ("task", "num_states", "num_actions")


class DetectionCache:
    """A folder of rollouts (``<hash>.npz``) and of calibration scores (``<hash>.json``)."""

    def __init__(self, folder=None, limit=LIMIT_BYTES):
        """Keep entries in ``folder``, by default in the results folder."""
        self.folder = Path(folder or store.cache_folder())
        self.limit = limit

    def episodes(self, facts, policy, play):
        """The Episodes that ``play()`` would give: from the cache, or played and kept.

        Args:
            facts: JSON object of all that the rollout depends on (:func:`rollout_facts`).
            policy: name that they get.
            play: function () -> Episodes.
        """
        path = self._path(facts, "npz")
        found = _read(path, _read_episodes)
        if found is None:
            found = play()
            self._write(path, lambda temporary: _write_episodes(temporary, found))
        return replace(found, policy=policy)

    def scores(self, reference, calibration, task):
        """{detector: list of float} known of these very episodes; may be empty.

        Args:
            reference: list of Episodes that detectors are fitted on.
            calibration: list of Episodes that are scored.
            task: TaskView.
        """
        path = self._score_path(reference, calibration, task)
        return _read(path, lambda path: _checked(json.loads(path.read_text()), calibration)) or {}

    def keep(self, reference, calibration, task, scores):
        """Keep ``scores`` ({detector: list of float}) for :meth:`scores`."""
        path = self._score_path(reference, calibration, task)
        self._write(path, lambda temporary: temporary.write_text(json.dumps(scores)))

    def _score_path(self, reference, calibration, task):
        played = [[content(e) for e in part] for part in (reference, calibration)]
        facts = [*played, _view_content(task), source_digest(*SCORE_SOURCES)]
        return self._path(facts, "json")

    def _path(self, facts, kind):
        known = [facts, versions(), platform.machine()]
        key = hashlib.sha256(json.dumps(known, sort_keys=True).encode()).hexdigest()
        return self.folder / f"{key}.{kind}"

    def _write(self, path, write):
        """Write an entry and make room; a folder that cannot be written is none of our business."""
        try:
            with store.whole_file(path) as temporary:
                write(temporary)
            self._make_room()
        except OSError:
            return

    def _make_room(self):
        """Remove the entries unused for longest until the rest fits."""
        entries = [(e.stat(), e.path) for e in os.scandir(self.folder) if e.name[0] != "."]
        total = sum(stat.st_size for stat, _ in entries)
        for stat, path in sorted(entries, key=lambda entry: entry[0].st_mtime_ns):
            if total <= self.limit:
                return
            Path(path).unlink(missing_ok=True)
            total -= stat.st_size


def rollout_facts(policy, env, level_seeds, seed, greedy=False):
    """All that an agent's rollout depends on; None where that is not known.

    Args:
        policy: a policy, or Episodes.
        env: the BatchedEnv.
        level_seeds: int64[E].
        seed: of the action draws.
        greedy: whether the most probable action is taken instead.
    """
    weights = getattr(policy, "sha256", "")
    if not is_ours(env) or not weights or type(policy).__module__ != "proxylab.agents.loading":
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


def is_ours(env):
    """Whether an environment is one of ``proxylab_envs``, whose sources are known."""
    return type(env).__module__.startswith("proxylab_envs.")


def content(episodes):
    """Hash of everything in Episodes but the policy's name."""
    digest = hashlib.sha256(repr([getattr(episodes, name) for name in FACTS]).encode())
    for name in column_names():
        array = getattr(episodes, name)
        digest.update(f"{name} {None if array is None else array.shape}".encode())
        if array is not None and array.size:
            digest.update(_octets(array))
    return digest.hexdigest()


def _view_content(task):
    """Hash of a TaskView."""
    if task is None:
        return None
    digest = hashlib.sha256()
    for name, value in vars(task).items():
        digest.update(f"{name} {getattr(value, 'shape', value)}".encode())
        if isinstance(value, np.ndarray) and value.size:
            digest.update(_octets(value))
    return digest.hexdigest()


def _octets(array):
    """The bytes of an array that holds any."""
    return np.ascontiguousarray(array).data.cast("B")


def _read(path, read):
    """What an entry holds, marked as used; None where it is missing or damaged."""
    try:
        found = read(path)
        os.utime(path)
    except DAMAGED:
        return None
    return found


def _checked(scores, calibration):
    """Scores as read; ``ValueError`` where they are not one number a calibration policy."""
    for values in scores.values():
        if len(values) != len(calibration) or not all(isinstance(v, float) for v in values):
            raise ValueError("not one score a policy")
    return scores


def _write_episodes(path, episodes):
    """Integers in the fewest bytes that hold them; nothing is rounded."""
    arrays = {name: getattr(episodes, name) for name in column_names()}
    arrays = {name: _narrow(a) for name, a in arrays.items() if a is not None}
    facts = json.dumps({name: getattr(episodes, name) for name in ("policy", *FACTS)})
    with open(path, "wb") as file:
        np.savez(file, facts=np.array(facts), **arrays)


def _narrow(array):
    if array.dtype.kind != "i" or not array.size:
        return array
    low, high = int(array.min()), int(array.max())
    kinds = (np.int8, np.int16, np.int32)
    fits = (k for k in kinds if np.iinfo(k).min <= low and high <= np.iinfo(k).max)
    return array.astype(next(fits, np.int64))


def _read_episodes(path):
    """Episodes, checked as they always are."""
    with np.load(path, allow_pickle=False) as entry:
        arrays = {name: entry[name] for name in entry.files}
    facts = json.loads(str(arrays.pop("facts")))
    return Episodes(**dict.fromkeys(column_names()) | arrays | facts)
