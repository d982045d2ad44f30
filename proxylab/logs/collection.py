"""The policies of many log files: in memory while they are small, else in temporary files."""

import os
import shutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

from proxylab.errors import UsageError
from proxylab.logs import format_of, readable_log, same_sizes
from proxylab.logs.rows import LogError, RecordedEpisodes
from proxylab.rollouts.episodes import Episodes, batches_of, concatenate
from proxylab.rollouts.stored import Scratch, StoredEpisodes, Writer, stored
from proxylab.storage.limits import LIMITS

EachFile: TypeAlias = Callable[[Callable[[Any], Any], Sequence[Any]], Iterable[Any]]
"""Calls a picklable function of every item: the results in the order of the items."""


def in_order(function: Callable[[Any], Any], items: Sequence[Any]) -> Iterable[Any]:
    """One after another, in this process."""
    return map(function, items)


@dataclass
class LogReader:
    """Reads the logs of one side of a comparison.

    Attributes:
        task: name of the task, where the files do not record it.
        large_logs: folder for temporary files, which allows large logs; or None.
        each: how many files are read: one after another, or in parallel; of large logs only.
        num_bytes: arrays in memory so far.
        file_bytes: size of the files read so far.
        disk_bytes: temporary files so far.
    """

    task: str | None = None
    large_logs: str | None = None
    each: EachFile = in_order
    num_bytes: int = 0
    file_bytes: int = 0
    disk_bytes: int = 0
    _scratch: Scratch | None = None

    def __post_init__(self) -> None:
        if self.large_logs is not None and not os.path.isdir(self.large_logs):
            raise UsageError(f"--large-logs {self.large_logs}: there is no such folder")

    def read(self, files: Sequence[Path], reference: str | Path) -> list[Episodes]:
        """The policies of a file, or of a folder's files: parts of a policy are put together.

        Args:
            files: what :func:`proxylab.logs.log_files` makes of ``reference``.
            reference: a path or a pattern.

        Raises:
            LogError: a file is not a valid log, or the logs are over a limit.
        """
        self.file_bytes += sum(os.stat(readable_log(file)).st_size for file in files)
        names = [(file, name_without_column(file, Path(reference))) for file in files]
        parts: dict[str, list[Episodes]] = {}
        for read in self._parts(names):
            for episodes in read:
                parts.setdefault(episodes.policy, []).append(episodes)
        return [self._joined(policy, parts.pop(policy)) for policy in list(parts)]

    def _parts(self, names: Sequence[tuple[Path, str]]) -> Iterable[list[Episodes]]:
        """The policies of every file."""
        from proxylab.logs.process import close_process  # each format loads its library

        if self.large_logs is None:
            for file in names:
                yield self._in_memory(*file)
            return
        self._scratch = self._scratch or Scratch(self.large_logs)
        read = partial(_to_disk, self._scratch, self.task)
        for policies in self.each(read, names):
            self.disk_bytes += sum(episodes.num_bytes for episodes in policies)
            self._check_disk()
            close_process()  # its folder lies in that of the caller
            yield [episodes.kept_by(self._scratch) for episodes in policies]

    def _in_memory(self, file: Path, name: str) -> list[Episodes]:
        from proxylab.logs.process import read_confined  # each format loads its library

        read: list[Episodes] = []

        def take(episodes: RecordedEpisodes) -> None:
            self.num_bytes += sum(array.nbytes for array in episodes.arrays().values())
            if self.num_bytes > LIMITS.log_kept_bytes:
                raise LogError(
                    f"the logs take more than {LIMITS.log_kept_bytes >> 20} MiB of memory: "
                    "--large-logs FOLDER reads them through temporary files in that folder"
                )
            read.append(_named(episodes, file, name))

        read_confined(file, self.task, take)
        return read

    def _check_disk(self) -> None:
        most = LIMITS.log_disk_bytes + LIMITS.log_large_ratio * self.file_bytes
        if self.disk_bytes > most:
            raise LogError(
                f"the temporary files of logs of {self.file_bytes:,} bytes are over the limit of "
                f"{most:,} bytes"
            )
        if self.disk_bytes > shutil.disk_usage(str(self.large_logs)).free:
            raise LogError(f"{self.large_logs}: temporary files would fill more than half of it")

    def _joined(self, policy: str, parts: list[Episodes]) -> Episodes:
        """The parts of a policy as one."""
        if len(parts) == 1:
            return parts[0]
        try:
            if self._scratch is not None:
                return stored(self._scratch, batches_of(parts))
            return concatenate(same_sizes(parts))
        except ValueError as error:
            raise LogError(f"{policy}: {error}") from None


def _to_disk(scratch: Scratch, task: str | None, named: tuple[Path, str]) -> list[StoredEpisodes]:
    """The policies of a file of a large log, written to files as they are read."""
    from proxylab.logs.process import read_confined  # each format loads its library

    file, name = named
    writers: dict[str, Writer] = {}

    def take(episodes: RecordedEpisodes) -> None:
        own = _named(episodes, file, name)
        if own.policy not in writers:
            writers[own.policy] = Writer(scratch)
        try:
            writers[own.policy].add(own)
        except ValueError as error:
            raise LogError(f"{file}: {error}") from None

    read_confined(file, task, take, str(scratch.folder.parent))
    return [writer.stored() for writer in writers.values()]


def _named(episodes: RecordedEpisodes, file: Path, name: str) -> RecordedEpisodes:
    return episodes.named(name) if episodes.policy == str(file) else episodes


def name_without_column(file: Path, reference: Path) -> str:
    """The policy of a file without a column ``policy``.

    The file's path; that of its folder where this is within ``reference``, a folder of folders.
    """
    if format_of(file) != "minari" and reference in file.parent.parents and reference.is_dir():
        return str(file.parent)
    return str(file)
