"""Logs that grow by whole files: a folder to which somebody adds Parquet (or other) files.

Every file is read once, in a confined process, when it is complete. A file that cannot be read is
tried again while it changes, since its writer may not have finished.
"""

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from proxylab.errors import UsageError
from proxylab.logs import log_files, read_log
from proxylab.logs.live import POLL_SECONDS
from proxylab.logs.rows import NO_TASK, LogError, RecordedEpisodes
from proxylab.rollouts.episodes import Episodes


def files_are_whole(log: str | Path) -> bool:
    """Whether a log is a folder, or a file that is read as a whole rather than line by line."""
    return Path(log).is_dir() or Path(log).suffix.lower() in (".parquet", ".hdf5", ".h5")


def task_of_files(log: str | Path) -> str | None:
    """The task that the first file records, or None."""
    for file in log_files(log)[:1]:
        task = _one_policy(file, None).task
        return None if task == NO_TASK else task
    return None


def episodes_of_files(
    log: str | Path,
    facts: dict[str, Any],
    follow: bool = False,
    sleep: Callable[[float], Any] = time.sleep,
) -> Iterator[list[Episodes]]:
    """Yield the episodes of each file in the order of names, and with ``follow`` of new files.

    Args:
        log: a folder, or a file.
        facts: task, num_states and num_actions that the episodes must have.
        follow: wait for more files; of a folder only.
        sleep: function (seconds).

    Raises:
        UsageError: a file is no valid log or holds several policies, or a single file is followed.
    """
    if follow and not Path(log).is_dir():
        raise UsageError(f"{log}: such a file is written as a whole; follow the folder of files")
    done: set[Path] = set()
    failed: dict[Path, tuple[int, int]] = {}
    while True:
        new = [file for file in log_files(log) if file not in done]
        for file in new:
            before = _version(file)
            try:
                episodes = _one_policy(file, facts["task"])
            except LogError:
                if not follow or failed.get(file) == before:
                    raise
                failed[file] = before
                continue
            done.add(file)
            yield [_sized(episodes, facts)]
        if not follow:
            return
        if not set(new) & done:
            sleep(POLL_SECONDS)


def _one_policy(file: Path, task: str | None) -> RecordedEpisodes:
    policies = read_log(file, task)
    if len(policies) > 1:
        raise UsageError(f"{file} holds {len(policies)} policies; a monitor watches one")
    return policies[0]


def _sized(episodes: RecordedEpisodes, facts: dict[str, Any]) -> Episodes:
    """The episodes with the numbers of states and actions where the file does not give them."""
    sizes = {name: facts[name] for name in ("num_states", "num_actions")}
    fits = all(getattr(episodes, name) <= size for name, size in sizes.items())
    return episodes if episodes.sizes_known or not fits else episodes.resized(**sizes)


def _version(file: Path) -> tuple[int, int]:
    facts = os.stat(file)
    return facts.st_size, facts.st_mtime_ns
