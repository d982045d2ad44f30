"""Rollout logs: files with the recorded behaviour of policies that cannot be run here.

One schema (``docs/logs.md``) in four formats: Parquet, JSONL, CSV, and the HDF5 layout of
Minari datasets. A file may hold several policies. Columns outside the schema, such as a
true reward, are not read.
"""

import glob
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

from proxylab.errors import UsageError
from proxylab.logs.rows import Further, LogError, RecordedEpisodes
from proxylab.rollouts.episodes import Episodes
from proxylab.storage.limits import regular_file
from proxylab.storage.whole_files import whole_file

AnyEpisodes = TypeVar("AnyEpisodes", bound=Episodes)

__all__ = [
    "FORMATS",
    "LogError",
    "RecordedEpisodes",
    "format_of",
    "log_files",
    "log_path",
    "minari_root",
    "read_log",
    "same_sizes",
    "write_log",
]

FORMATS = {
    ".parquet": "parquet",
    ".jsonl": "jsonl",
    ".csv": "csv",
    ".hdf5": "minari",
    ".h5": "minari",
}
"""File extension: format."""

MINARI_FILE = Path("data") / "main_data.hdf5"
"""File with the episodes, relative to the folder of a Minari dataset."""


MINARI_ID = re.compile(r"minari:((?:[\w.-]+/)*[\w-]+-v\d+)")
"""A Minari dataset by its id, such as ``minari:maze/honest-v0``."""


def log_path(reference: str | Path) -> str:
    """The path of a log; that of the file with the episodes for ``minari:ID``.

    Raises:
        UsageError: an id that names no dataset.
    """
    text = str(reference)
    if not text.startswith("minari:"):
        return text
    match = MINARI_ID.fullmatch(text)
    if match is None or ".." in text:
        raise UsageError(f"{text}: a Minari id ends in a version, such as minari:maze/honest-v0")
    return str(minari_root() / match[1] / MINARI_FILE)


def minari_root() -> Path:
    """The folder of Minari's datasets: ``MINARI_DATASETS_PATH``, or in the home folder."""
    default = Path.home() / ".minari" / "datasets"
    return Path(os.environ.get("MINARI_DATASETS_PATH") or default)


def format_of(path: str | Path) -> str:
    """``parquet``, ``jsonl``, ``csv`` or ``minari``, by a file's extension.

    Raises:
        UsageError: another extension.
    """
    ending = Path(path).suffix.lower()
    if ending not in FORMATS:
        known = ", ".join(FORMATS)
        raise UsageError(f"{path}: a log ends in {known}, so that its format is known")
    return FORMATS[ending]


def log_files(reference: str | Path) -> list[Path]:
    """The log files of a path (a file, a folder or a Minari dataset) or of a glob pattern.

    An existing path is taken literally, even with wildcards in its name (``log[1].csv``).

    Returns:
        list[Path]; empty where the reference names something else, such as an agent.
    """
    text = log_path(reference)
    pattern = glob.has_magic(text) and not os.path.lexists(text)
    paths = sorted(glob.glob(text, recursive=True)) if pattern else [text]
    groups = [_files_of(Path(path)) for path in paths]
    return [file for files in groups for file in files] if all(groups) else []


def _files_of(path: Path) -> list[Path]:
    if path.suffix.lower() in FORMATS and not path.is_dir():
        return [path]
    if (path / MINARI_FILE).is_file():
        return [path / MINARI_FILE]
    if not path.is_dir() or next(path.rglob("agent.json"), None):
        return []
    inside = sorted(file for file in path.iterdir() if file.suffix.lower() in FORMATS)
    folders = sorted(folder for folder in path.iterdir() if folder.is_dir())
    return [*inside, *(file for folder in folders for file in _files_within(folder))]


def _files_within(folder: Path) -> list[Path]:
    """The files of a folder in a folder of logs: a Minari dataset, or parts of policies."""
    if (folder / MINARI_FILE).is_file():
        return [folder / MINARI_FILE]
    return sorted(file for file in folder.iterdir() if file.suffix.lower() in FORMATS)


def read_log(path: str | Path, task: str | None = None) -> list[RecordedEpisodes]:
    """The policies of one log file, read in a confined process (``docs/strangers.md``).

    Args:
        path: of the file.
        task: name of the task, where the file does not record it.

    Returns:
        list[RecordedEpisodes], one a policy, in the order of their first rows.

    Raises:
        LogError: the file cannot be read or is not a valid log; one line with the file, the
            row and the column.
    """
    from proxylab.logs.process import read_confined  # each format loads its library

    policies: list[RecordedEpisodes] = []
    read_confined(readable_log(path), task, policies.append)
    return policies


def readable_log(path: str | Path) -> Path:
    """The path of a log, if it is a regular file that may be read, of a format that can be.

    Raises:
        UsageError: it is not.
    """
    if format_of(path) == "minari":
        from proxylab.logs.minari import h5py  # an optional extra

        h5py()  # raises where it is not installed
    path = regular_file(path, LogError)
    if not os.access(path, os.R_OK):
        raise LogError(f"{path}: cannot be read (Permission denied)")
    return path


def write_log(
    path: str | Path,
    policies: Sequence[Episodes],
    further: Further | None = None,
) -> None:
    """Write the Episodes of one or more policies, atomically.

    Args:
        path: its extension selects the format.
        policies: Episodes of different policies, all on one task.
        further: {policy: {column: array[T]}} of texts or numbers, NaN for none: columns of steps
            outside the schema, which readers skip.

    Raises:
        UsageError: unknown extension, no episodes, or policies that cannot share a file.
    """
    kind = format_of(path)
    if not policies or not all(episodes.num_episodes for episodes in policies):
        raise UsageError(f"{path}: there are no episodes to write")
    for name in ("task", "num_states", "num_actions"):
        if len({getattr(episodes, name) for episodes in policies}) > 1:
            raise UsageError(f"{path}: a log holds one task, these policies differ in {name}")
    if len({episodes.policy for episodes in policies}) < len(policies):
        raise UsageError(f"{path}: two policies have the same name")
    if kind == "jsonl":
        from proxylab.logs.lines import write_lines as write  # each format loads its library
    elif kind == "minari":
        from proxylab.logs.minari import write_minari as write  # each format loads its library
    else:
        from proxylab.logs.tables import write_table as write  # each format loads its library
    with whole_file(path) as temporary:
        write(temporary, policies, kind, further or {})
    if kind == "minari" and Path(path).parts[-2:] == MINARI_FILE.parts:
        from proxylab.logs.minari import write_metadata  # each format loads its library

        write_metadata(path, policies)


def same_sizes(policies: Sequence[AnyEpisodes]) -> list[AnyEpisodes]:
    """Set unknown numbers of states and actions to the largest among all policies.

    Args:
        policies: Episodes of one task.

    Returns:
        A list in the same order; Episodes with known sizes are unchanged.
    """
    most = {
        name: max((getattr(e, name) for e in policies), default=0)
        for name in ("num_states", "num_actions")
    }
    return [e if getattr(e, "sizes_known", True) else e.resized(**most) for e in policies]
