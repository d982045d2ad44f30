"""Rollout logs: what policies did, as files, when there are no agents to run.

One schema (``docs/logs.md``) in four formats: Parquet, JSONL, CSV, and the HDF5 layout of
Minari datasets. A file may hold several policies. Whatever is not in the schema, a true
reward for instance, is not read.
"""

import glob
from dataclasses import replace
from pathlib import Path

from proxylab.errors import UsageError
from proxylab.logs.rows import LogError, RecordedEpisodes, assemble
from proxylab.storage.store import whole_file

__all__ = [
    "FORMATS",
    "LogError",
    "RecordedEpisodes",
    "format_of",
    "log_files",
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
"""ending: format."""

MINARI_FILE = Path("data") / "main_data.hdf5"
"""Where the episodes of a Minari dataset lie in its folder."""


def format_of(path):
    """``parquet``, ``jsonl``, ``csv`` or ``minari``, by a file's ending.

    Raises:
        UsageError: another ending.
    """
    ending = Path(path).suffix.lower()
    if ending not in FORMATS:
        known = ", ".join(FORMATS)
        raise UsageError(f"{path}: a log ends in {known}, so that its format is known")
    return FORMATS[ending]


def log_files(reference):
    """The log files that a file's, folder's or Minari dataset's path or a pattern names.

    Returns:
        list[Path]; empty where the reference names something else, an agent for instance.
    """
    text = str(reference)
    paths = sorted(glob.glob(text, recursive=True)) if glob.has_magic(text) else [text]
    found = [_files_of(Path(path)) for path in paths]
    return [file for files in found for file in files] if all(found) else []


def _files_of(path):
    if path.suffix.lower() in FORMATS and not path.is_dir():
        return [path]
    if (path / MINARI_FILE).is_file():
        return [path / MINARI_FILE]
    if not path.is_dir() or next(path.rglob("agent.json"), None):
        return []
    inside = sorted(file for file in path.iterdir() if file.suffix.lower() in FORMATS)
    datasets = sorted(folder.parent.parent for folder in path.glob(f"*/{MINARI_FILE}"))
    return [*inside, *(folder / MINARI_FILE for folder in datasets)]


def read_log(path, task=None):
    """The policies of one log file.

    Args:
        path: of the file.
        task: name of the task, where the file does not say.

    Returns:
        list[RecordedEpisodes], one a policy, in the order of their first rows.

    Raises:
        LogError: the file cannot be read or is no such log; one line with the file, the row
            and the column.
    """
    path = Path(path)
    reader = _reader(format_of(path))
    try:
        with open(path, "rb"):
            pass
    except OSError as error:
        raise LogError(f"{path} cannot be read: {error.strerror}") from None
    return assemble(reader(path), task)


def _reader(kind):
    if kind == "jsonl":
        from proxylab.logs.lines import read_lines as read  # each format loads its library
    elif kind == "minari":
        from proxylab.logs.minari import read_minari as read  # each format loads its library
    else:
        from proxylab.logs.tables import read_table as read  # each format loads its library
    return read


def write_log(path, policies):
    """Write the Episodes of one policy or more, whole or not at all.

    Args:
        path: its ending decides the format.
        policies: list of Episodes, all of one task, each of another policy.

    Raises:
        UsageError: the ending says no format, or nothing to write, or the policies do not
            go into one file.
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
        write(temporary, policies, kind)


def same_sizes(policies):
    """Give logs that do not say how many states and actions there are the most that anybody has.

    Args:
        policies: list of Episodes of one task.

    Returns:
        The same list; Episodes whose sizes are known are as they were.
    """
    most = {
        name: max((getattr(e, name) for e in policies), default=0)
        for name in ("num_states", "num_actions")
    }
    return [replace(e, **most) if not getattr(e, "sizes_known", True) else e for e in policies]
