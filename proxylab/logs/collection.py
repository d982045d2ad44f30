"""The policies of many log files: in memory while they are small, else in temporary files."""

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from proxylab.errors import UsageError
from proxylab.logs import format_of, readable_log
from proxylab.logs.rows import LogError, RecordedEpisodes
from proxylab.rollouts.episodes import Episodes, concatenate
from proxylab.rollouts.stored import Scratch, Writer
from proxylab.storage.limits import LIMITS, MIB

MOST_IN_MEMORY = 64 * MIB
"""Bytes of arrays from which on the episodes of large logs are written to files."""


@dataclass
class LogReader:
    """Reads the logs of one side of a comparison.

    Attributes:
        task: name of the task, where the files do not record it.
        large_logs: folder for temporary files, which allows large logs; or None.
        num_bytes: arrays read so far.
        file_bytes: size of the files read so far.
    """

    task: str | None = None
    large_logs: str | None = None
    num_bytes: int = 0
    file_bytes: int = 0
    _scratch: Scratch | None = None
    _writers: list[Writer] = field(default_factory=list)

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
        from proxylab.logs.process import read_confined  # each format loads its library

        policies: dict[str, _Parts] = {}
        for file in files:
            self.file_bytes += os.stat(readable_log(file)).st_size
            name = name_without_column(file, Path(reference))

            def take(episodes: RecordedEpisodes, file: Path = file, name: str = name) -> None:
                own = episodes.named(name) if episodes.policy == str(file) else episodes
                policies.setdefault(own.policy, _Parts()).add(own, file)
                self._count(episodes, policies)

            read_confined(file, self.task, take, self.large_logs)
        return [parts.episodes() for parts in policies.values()]

    def _count(self, episodes: RecordedEpisodes, policies: "dict[str, _Parts]") -> None:
        """Enforce the limits after ``episodes`` were added."""
        self.num_bytes += sum(array.nbytes for array in episodes.arrays().values())
        if self.large_logs is None:
            if self.num_bytes > LIMITS.log_kept_bytes:
                raise LogError(
                    f"the logs take more than {LIMITS.log_kept_bytes >> 20} MiB of memory: "
                    "--large-logs FOLDER reads them through temporary files in that folder"
                )
            return
        if self.num_bytes > MOST_IN_MEMORY:
            self._scratch = self._scratch or Scratch(self.large_logs)
            for parts in policies.values():
                parts.to_disk(self._scratch, self._writers)
            self._check_disk()

    def _check_disk(self) -> None:
        assert self.large_logs is not None
        used = sum(writer.num_bytes for writer in self._writers)
        most = LIMITS.log_disk_bytes + LIMITS.log_large_ratio * self.file_bytes
        free = shutil.disk_usage(self.large_logs).free
        if used > most:
            raise LogError(
                f"the temporary files of logs of {self.file_bytes:,} bytes are over the limit of "
                f"{most:,} bytes"
            )
        if used > free:
            raise LogError(f"{self.large_logs}: temporary files would fill more than half of it")


class _Parts:
    """The parts of one policy, in the order in which they are read."""

    def __init__(self) -> None:
        self.parts: list[Episodes] = []
        self.writer: Writer | None = None
        self.file: Path | None = None

    def add(self, episodes: Episodes, file: Path) -> None:
        self.parts.append(episodes)
        self.file = file

    def to_disk(self, scratch: Scratch, writers: list[Writer]) -> None:
        """Move the parts in memory to files."""
        if self.parts and self.writer is None:
            self.writer = Writer(scratch, f"{len(writers)}")
            writers.append(self.writer)
        while self.parts and self.writer:
            try:
                self.writer.add(self.parts.pop(0))
            except ValueError as error:
                raise LogError(f"{self.file}: {error}") from None

    def episodes(self) -> Episodes:
        """All parts as one."""
        if self.writer is not None:
            return self.writer.stored()
        if len(self.parts) == 1:
            return self.parts[0]
        most = {n: max(getattr(p, n) for p in self.parts) for n in ("num_states", "num_actions")}
        try:
            known = [getattr(part, "sizes_known", True) for part in self.parts]
            sized = zip(self.parts, known, strict=True)
            return concatenate([p if sure else p.resized(**most) for p, sure in sized])
        except ValueError as error:
            raise LogError(f"{self.file}: {error}") from None


def name_without_column(file: Path, reference: Path) -> str:
    """The policy of a file without a column ``policy``.

    The file's path; that of its folder where this is within ``reference``, a folder of folders.
    """
    if format_of(file) != "minari" and reference in file.parent.parents and reference.is_dir():
        return str(file.parent)
    return str(file)
