"""Client of the confined process that reads logs.

The process starts with the first log and serves all later ones, so its start-up time (0.25 s)
is paid once; ``proxylab.logs.worker`` describes the protocol.
"""

import atexit
import json
import math
import os
import tempfile
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from proxylab.console.terminal import one_line
from proxylab.logs.budget import Budget
from proxylab.logs.rows import LogError, RecordedEpisodes, sizes_of_task
from proxylab.rollouts.episodes import ARRAYS, OPTIONAL_ARRAYS
from proxylab.untrusted.confined import Confined

SETTINGS = {"MALLOC_ARENA_MAX": "1", "OPENBLAS_NUM_THREADS": "1"}
"""Environment variables that keep the process's address space close to its memory use."""

MOST_FRAME_BYTES = 1 << 24

Take: TypeAlias = Callable[[RecordedEpisodes], object]
"""What is done with the episodes of a policy."""


class LogProcess(Confined):
    """The reading process; ``read`` is not thread-safe."""

    error = LogError

    def __init__(self, parent: str | None = None) -> None:
        """Start it; its temporary files lie in ``parent``, by default where the system's do."""
        self.owner, self.parent = os.getpid(), parent
        self.folder = tempfile.TemporaryDirectory(prefix="proxylab-log-", dir=parent)
        super().__init__("proxylab.logs.worker", self.folder.name, "", SETTINGS)

    @property
    def running(self) -> bool:
        """Whether it can read another log."""
        return self.owner == os.getpid() and self._process.poll() is None

    def read(self, path: str | Path, task: str | None, take: Take) -> None:
        """Give the RecordedEpisodes of a file to ``take``; ``LogError`` where it is refused."""
        large = self.parent is not None
        self.budget = budget = Budget(str(path), os.stat(path).st_size, large)
        self.source = budget.source
        self.cpu_seconds, self.wall_seconds = budget.cpu_seconds, budget.wall_seconds
        self._in_step = False
        try:
            self._timed(lambda: self._conversation(task, take))
        finally:
            if not self._in_step:  # such as Ctrl-C during a response
                self.close()

    def _conversation(self, task: str | None, take: Take) -> bool:
        request = {
            "source": self.source,
            "task": task,
            "path": os.path.abspath(self.source),
            "size": self.budget.size,
            "large": self.budget.large,
        }
        self._say(request)
        task_name = self._hear()["task"] or task
        self._say(sizes_of_task(task_name) if task_name else {})
        left = self.budget.array_bytes
        while record := self._hear():
            arrays = {}
            left = self.budget.array_bytes if self.budget.large else left
            for name, (kind, *shape) in record["arrays"].items():
                left -= self._check(name, kind, shape, left)
                arrays[name] = self._array(kind, shape)
            try:
                episodes = _episodes(record["facts"], arrays)
            except (ValueError, TypeError) as error:
                raise LogError(f"{self.source}: {error}") from None
            take(episodes)
        self._in_step = True
        return True

    def _check(self, name: str, kind: str, shape: list[int], left: int) -> int:
        """Bytes of an announced array, checked before memory is allocated."""
        sound = all(isinstance(n, int) and n >= 0 for n in shape) and len(shape) in (1, 2)
        if name not in ARRAYS or np.dtype(ARRAYS[name]).str != kind or not sound:
            raise BrokenPipeError(f"{name} is no array of {kind}{shape}")
        size = math.prod(shape) * np.dtype(kind).itemsize
        if size > left:
            raise LogError(f"{self.source}: its arrays are over the limit")
        return size

    def _array(self, kind: str, shape: list[int]) -> NDArray[Any]:
        array = np.empty(shape, kind)
        view = memoryview(array.reshape(-1).view("u1").data)
        while len(view):
            count = self._output.readinto(view)
            if not count:
                raise BrokenPipeError
            view = view[count:]
        return array

    def _say(self, record: Mapping[str, Any]) -> None:
        self._input.write(json.dumps(record).encode() + b"\n")
        self._input.flush()

    def _hear(self) -> dict[str, Any]:
        """Read a frame; ``LogError`` where it reports an error."""
        length = int.from_bytes(self._whole(4), "little")
        if length > MOST_FRAME_BYTES:
            raise BrokenPipeError
        record = json.loads(self._whole(length))
        if "error" in record:
            self._in_step = not record.get("last")
            raise LogError(one_line(record["error"]))
        return record

    def _whole(self, length: int) -> bytes:
        raw = self._output.read(length)
        if len(raw) < length:
            raise BrokenPipeError
        return raw

    def close(self) -> None:
        """Stop the process and remove its temporary files."""
        super().close()
        self.folder.cleanup()


def _episodes(facts: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> RecordedEpisodes:
    """Build the Episodes, which validates the arrays again."""
    return RecordedEpisodes(**facts, **(dict.fromkeys(OPTIONAL_ARRAYS) | arrays))


_lock = threading.Lock()
_process: LogProcess | None = None


def read_confined(
    path: str | Path, task: str | None, take: Take, parent: str | None = None
) -> None:
    """Give the RecordedEpisodes of a file, read by the shared process, to ``take``.

    With ``parent``, a folder for temporary files, the log may be large and a policy may come in
    parts.
    """
    global _process
    with _lock:
        if _process is not None and _process.parent != parent:
            _process.close()
        if _process is None or not _process.running:
            _process = LogProcess(parent)
        _process.read(path, task, take)


def close_process() -> None:
    """Stop the process if it is running; the next log starts a new one."""
    global _process
    with _lock:
        if _process is not None and _process.owner == os.getpid():
            _process.close()
        _process = None


atexit.register(close_process)
