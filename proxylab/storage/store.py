"""Everything that knows paths under ``results/``: runs, tables, and writing without halves.

A run's folder is ``results/runs/<task>/<variant>/seed-<n>``: the same configuration has
the same path, always. A file appears under its name only when it is whole, and
``complete`` is written last.
"""

import glob
import json
import os
import secrets
import time
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

from proxylab.errors import UsageError

COMPLETE, CONFIG, RUN, METRICS = "complete", "config.json", "run.json", "metrics.parquet"
CHECKPOINT = "checkpoint.pt"


def results_folder():
    """``PROXYLAB_RESULTS``, or ``results`` in the current folder."""
    return Path(os.environ.get("PROXYLAB_RESULTS", "results"))


def run_folder(config, preset):
    """Where a run of ``config`` lies; ``preset`` is the task's own configuration of the role.

    The variant is the role where nothing but the seed differs from the preset, else the
    role and the fingerprint of what does.
    """
    return results_folder() / "runs" / config.task / variant(config, preset) / f"seed-{config.seed}"


def variant(config, preset):
    """Role, or role and eight digits of the fingerprint where more than the seed differs."""
    alike = replace(config, seed=preset.seed)
    if alike == preset:
        return config.role
    return f"{config.role}-{alike.fingerprint[:8]}"


def cache_folder():
    """Where ``detect`` keeps rollouts of trusted agents; it may be deleted at any time."""
    return results_folder() / "cache"


def leaderboard_folder():
    """Where ``bench detectors`` keeps rollouts, labels and scores."""
    return results_folder() / "runs" / "leaderboard"


def measures_folder(experiment):
    """Where the measurements of an experiment's runs are kept, a file a run."""
    return results_folder() / "runs" / "measures" / experiment


def shown_folder(kind, budget="laptop"):
    """Where ``tables`` or ``figures`` go: only those of the laptop budget are committed."""
    folder = results_folder()
    return folder / kind if budget == "laptop" else folder / "runs" / budget / kind


PART = ".part"
"""Ending of what is still being written."""

STALE = 3_600
"""Seconds after which such a file counts as left by a process that was killed."""


@contextmanager
def whole_file(path):
    """A temporary path beside ``path`` that takes its name when the block ends well."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    _remove_parts(path.parent, f".{glob.escape(path.name)}.", time.time() - STALE)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}{PART}")
    temporary.touch(exist_ok=False)
    try:
        yield temporary
        _to_disk(temporary)
        os.replace(temporary, path)
        _to_disk(path.parent)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _to_disk(path):
    """Wait until a file, or the names in a folder, would survive a power failure."""
    if os.name == "nt" and path.is_dir():
        return  # Windows opens no folders
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _remove_parts(folder, prefix, before):
    """Remove what killed processes left half-written; ``before`` is a time in seconds."""
    for part in folder.glob(f"{prefix}*{PART}"):
        with suppress(OSError):
            if part.stat().st_mtime <= before:
                part.unlink()


@contextmanager
def only_writer(folder):
    """Hold a folder against a second writer, and tidy up after one that was killed.

    The lock is the operating system's: it goes with the process that holds it.

    Raises:
        UsageError: another process holds the folder.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    handle = _locked(folder)
    try:
        _remove_parts(folder, ".", time.time())
        yield
    finally:
        if handle is not None:
            os.close(handle)


PATIENCE = 5.0
"""Seconds to wait for another writer: one whose driver was killed may just be ending."""


def _locked(folder):
    """Handle of a folder under an exclusive lock; None where the system has no such locks."""
    try:
        import fcntl  # Unix only
    except ImportError:  # Windows
        return None
    handle, until = os.open(folder, os.O_RDONLY), time.monotonic() + PATIENCE
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return handle
        except BlockingIOError:
            if time.monotonic() > until:
                os.close(handle)
                raise UsageError(f"{folder}: another process is writing there") from None
            time.sleep(0.1)
        except OSError:  # some network file systems lock no folders
            os.close(handle)
            return None


def write_json(path, record):
    """Write a JSON object, whole or not at all."""
    with whole_file(path) as temporary:
        temporary.write_text(json.dumps(record, indent=1) + "\n")


def read_json(path):
    """A JSON object; ``UsageError`` where the file is missing or damaged."""
    try:
        return json.loads(Path(path).read_text())
    except (OSError, ValueError) as error:
        raise UsageError(f"{path} cannot be read: {error}") from None


def open_database():
    """A DuckDB in memory that draws no progress bar: it would go to stdout."""
    import duckdb  # slow to load

    database = duckdb.connect()
    with suppress(duckdb.InvalidInputException):  # a notebook without ipywidgets has none to set
        database.execute("set enable_progress_bar = false")
    return database


def write_table(rows, path):
    """Write a list of dicts with the same keys as Parquet (or CSV, by the file's ending)."""
    if not rows:
        raise UsageError(f"{path}: there are no rows to write")
    columns = list(rows[0])
    kind = "csv" if str(path).endswith(".csv") else "parquet"
    with open_database() as database, whole_file(path) as temporary:
        kinds = ", ".join(f'"{name}" {_sql_type(rows, name)}' for name in columns)
        database.execute(f"create table t ({kinds})")
        marks = ", ".join("?" for _ in columns)
        values = [[as_plain(row[name]) for name in columns] for row in rows]
        database.executemany(f"insert into t values ({marks})", values)
        database.execute(f"copy t to {_quoted(temporary)} (format {kind})")


def _quoted(path):
    """A path as an SQL string."""
    return "'" + str(path).replace("'", "''") + "'"


def as_plain(value):
    """A number of Python for a number of numpy; anything else as it is."""
    return value.item() if hasattr(value, "item") else value


def _sql_type(rows, name):
    kinds = {type(as_plain(row[name])) for row in rows} - {type(None)}
    if kinds <= {bool}:
        return "boolean"
    if kinds <= {int, bool}:
        return "bigint"
    return "double" if kinds <= {int, bool, float} else "varchar"


def read_table(path):
    """The rows of a Parquet or CSV file: list of dicts."""
    if not Path(path).is_file():
        raise UsageError(f"there is no table {path}")
    with open_database() as database:
        cursor = database.execute(f"select * from {_quoted(path)}")
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def is_complete(folder):
    """Whether a run has ended well."""
    return (Path(folder) / COMPLETE).is_file()


def run_folders():
    """Folders of all runs under the results folder, newest first by their last change."""
    found = [path.parent for path in (results_folder() / "runs").glob(f"**/{RUN}")]
    return sorted(found, key=lambda folder: (folder / RUN).stat().st_mtime, reverse=True)


def newest_run():
    """Folder of the newest complete run, or None."""
    return next((folder for folder in run_folders() if is_complete(folder)), None)


def rates(task):
    """Results (see ``training.TrainResult``) of all complete runs of a task, as dicts."""
    folders = (path.parent for path in (results_folder() / "runs" / task).glob(f"**/{RUN}"))
    return [read_json(folder / RUN)["result"] for folder in folders if is_complete(folder)]


def runs():
    """One row per run for ``proxylab list runs``."""
    rows = []
    for folder in run_folders():
        record = read_json(folder / RUN)
        rows.append(
            {
                "run": str(folder),
                "task": record.get("task"),
                "role": record.get("role"),
                "seed": record.get("seed"),
                "status": "complete" if is_complete(folder) else record.get("status", "unfinished"),
                "timesteps": record.get("timesteps"),
                "iid_success": record.get("iid_success"),
            }
        )
    return rows
