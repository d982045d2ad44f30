"""Reading a rollout log that may still grow: JSON lines in, whole episodes out.

A line is an episode or a step. The columns have the names of
:class:`~proxylab.rollouts.episodes.Episodes`: in an episode's line ``state_id``, ``action``,
``features``, ``probabilities``, ``proxy_reward`` are lists with an entry a step, in a
step's line single values. ``level_seed`` stands in both. An episode of single steps ends
with the step that says ``terminated`` or ``truncated``, or before one with another
``episode``. What a detector may not see (any other name) is not read.
"""

import time
from typing import Any

import numpy as np

from proxylab.errors import UsageError
from proxylab.rollouts.episodes import NO_STATE, STEP_FIELDS, Episodes
from proxylab.storage.strict_json import parse_json

POLL_SECONDS = 0.5
"""How often a followed log is looked at."""


class Tail:
    """The whole lines of a file that have come since the last look."""

    def __init__(self, path):
        """Begin at the start of ``path``."""
        self.path = path
        self.number = 0
        self._position = 0

    def records(self, at_end=False):
        """[(line number, dict)]; a last line without an end only where nothing more will come.

        Raises:
            UsageError: the file cannot be read, has become shorter, or a line is no JSON object.
        """
        try:
            with open(self.path, "rb") as file:
                if file.seek(0, 2) < self._position:
                    raise UsageError(f"{self.path} has become shorter: start the monitor again")
                file.seek(self._position)
                raw = file.read()
        except OSError as error:
            raise UsageError(f"{self.path} cannot be read: {error.strerror}") from None
        whole = raw if at_end else raw[: raw.rfind(b"\n") + 1]
        self._position += len(whole)
        return [found for line in whole.splitlines() if (found := self._record(line))]

    def _record(self, line):
        self.number += 1
        if not line.strip():
            return None
        try:
            record = parse_json(line)
        except ValueError:
            record = None
        if not isinstance(record, dict):
            raise UsageError(f"{self.path}, line {self.number}: this is not a JSON object")
        return self.number, record


class EpisodeReader:
    """Records into Episodes of one policy.

    Attributes:
        facts: task, policy, num_states and num_actions of the Episodes made.
    """

    def __init__(self, source, **facts):
        """Name ``source`` in complaints; ``facts`` as of the attribute."""
        self.source = source
        self.facts = facts
        self._steps, self._key = [], None

    def take(self, records, at_end=False):
        """The episodes that ``records`` ([(line number, dict)]) bring to an end: list[Episodes]."""
        found = []
        for number, record in records:
            try:
                found += self._take(record)
            except (ValueError, TypeError, KeyError, OverflowError) as error:
                what = f"{error.args[0]!r} is missing" if isinstance(error, KeyError) else error
                raise UsageError(f"{self.source}, line {number}: {what}") from None
        return found + (self._close() if at_end else [])

    def _take(self, record):
        if "action" not in record:
            return []
        if isinstance(record["action"], list):
            return [*self._close(), self._episode(record)]
        key = (record.get("episode"), record["level_seed"])
        found = self._close() if self._steps and key != self._key else []
        self._key = key
        self._steps.append(record)
        if record.get("terminated") or record.get("truncated"):
            found += self._close()
        return found

    def _close(self):
        """The episode of the steps kept so far, if any."""
        steps, self._steps = self._steps, []
        if not steps:
            return []
        columns = {n: [s[n] for s in steps] for n in STEP_FIELDS if n in steps[0]}
        ends = {name: steps[-1].get(name, False) for name in ("terminated", "truncated")}
        return [self._episode({**columns, **ends, "level_seed": steps[-1]["level_seed"]})]

    def _episode(self, record):
        """One episode, checked as Episodes always are."""
        count = len(record["action"])
        if not count:
            raise ValueError("an episode has no steps")
        known = {n: np.array(record[n]) for n in STEP_FIELDS if record.get(n) is not None}
        columns: dict[str, Any] = dict.fromkeys(STEP_FIELDS)
        columns["state_id"] = np.full(count, NO_STATE)
        columns["features"] = np.zeros((count, 0), np.float32)
        columns |= known
        columns |= self.facts
        return Episodes(
            **columns,
            episode_offsets=np.array([0, count]),
            level_seed=np.array([int(record["level_seed"])]),
            terminated=np.array([bool(record.get("terminated"))]),
            truncated=np.array([bool(record.get("truncated"))]),
        )


def first_fact(path, name):
    """What the first line that has ``name`` says of it (the task, for instance), or None."""
    for _, record in Tail(path).records(at_end=True):
        if name in record:
            return record[name]
    return None


def episodes_of(tail, reader, follow=False, sleep=time.sleep):
    """Lists of Episodes as they come; ends with the file unless ``follow``."""
    while True:
        found = reader.take(tail.records(at_end=not follow), at_end=not follow)
        if found:
            yield found
        if not follow:
            return
        if not found:
            sleep(POLL_SECONDS)
