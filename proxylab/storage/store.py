"""Paths under ``results/``, and reading and writing of runs and tables.

A run's folder is ``results/runs/<task>/<variant>/seed-<n>``: the same configuration always has
the same path. Files are written atomically (see ``whole_files``), and ``complete`` is written
last.
"""

import json
import os
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from proxylab.config import TrainConfig
from proxylab.errors import UsageError
from proxylab.storage.limits import LIMITS, read_within
from proxylab.storage.user_cache import cache_root
from proxylab.storage.whole_files import PART as PART
from proxylab.storage.whole_files import remove_parts, whole_file

if TYPE_CHECKING:
    import duckdb

COMPLETE, CONFIG, RUN, METRICS = "complete", "config.json", "run.json", "metrics.parquet"
CHECKPOINT = "checkpoint.pt"


SHOWN_CHARACTERS = 200
"""Length of a string from ``run.json`` in lists of runs."""


def results_folder() -> Path:
    """``PROXYLAB_RESULTS``, or ``results`` in the current folder."""
    return Path(os.environ.get("PROXYLAB_RESULTS", "results"))


def run_folder(config: TrainConfig, preset: TrainConfig) -> Path:
    """Folder of a run of ``config``; ``preset`` is the task's configuration of the role.

    The variant is the role where only the seed differs from the preset, else the role and
    part of the fingerprint; an algorithm other than PPO is part of it.
    """
    return results_folder() / "runs" / config.task / variant(config, preset) / f"seed-{config.seed}"


def variant(config: TrainConfig, preset: TrainConfig) -> str:
    """The role and an algorithm other than PPO.

    Where more than the seed differs, eight digits of the fingerprint follow.
    """
    alike = replace(config, seed=preset.seed)
    name = config.role if config.algorithm == "ppo" else f"{config.role}-{config.algorithm}"
    return name if alike == preset else f"{name}-{alike.fingerprint[:8]}"


def cache_folder() -> Path:
    """Folder where ``detect`` caches rollouts of trusted agents; safe to delete."""
    return cache_root() / "rollouts"


def leaderboard_folder() -> Path:
    """Folder where ``bench detectors`` stores rollouts, labels and scores."""
    return results_folder() / "runs" / "leaderboard"


def measures_folder(experiment: str) -> Path:
    """Folder of the measurements of an experiment's runs, one file per run."""
    return results_folder() / "runs" / "measures" / experiment


def shown_folder(kind: str, budget: str = "laptop") -> Path:
    """Folder of ``tables`` or ``figures``; only those of the laptop budget are committed."""
    folder = results_folder()
    return folder / kind if budget == "laptop" else folder / "runs" / budget / kind


@contextmanager
def only_writer(folder: str | Path) -> Generator[None]:
    """Lock a folder against a second writer, and remove partial files of a killed one.

    The operating system releases the lock when the process ends.

    Raises:
        UsageError: another process holds the folder.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    handle = _locked(folder)
    try:
        remove_parts(folder, ".", time.time())
        yield
    finally:
        if handle is not None:
            os.close(handle)


PATIENCE = 5.0
"""Seconds to wait for another writer, which may be about to exit."""


def _locked(folder: Path) -> int | None:
    """Handle of a folder under an exclusive lock; None where locks are not supported."""
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
        except OSError:  # some network file systems do not support it
            os.close(handle)
            return None


def write_json(path: str | Path, record: Mapping[str, Any]) -> None:
    """Write a JSON object atomically."""
    with whole_file(path) as temporary:
        temporary.write_text(json.dumps(record, indent=1) + "\n")


def read_json(path: str | Path) -> dict[str, Any]:
    """A JSON object; ``UsageError`` where the file is missing, damaged or too large."""
    raw = read_within(path, LIMITS.record_bytes)
    try:
        record = json.loads(raw)
    except RecursionError:
        raise UsageError(f"{path} cannot be read: it is nested too deeply") from None
    except ValueError as error:
        raise UsageError(f"{path} cannot be read: {error}") from None
    if not isinstance(record, dict):
        raise UsageError(f"{path} cannot be read: it holds no JSON object")
    return record


NO_EXTENSIONS = {
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
    "allow_community_extensions": False,
    "allow_persistent_secrets": False,
}
"""No query and no file can make DuckDB download or load extensions."""


def open_database(**settings: Any) -> "duckdb.DuckDBPyConnection":
    """An in-memory DuckDB without its progress bar, which would go to stdout.

    Args:
        settings: of DuckDB, such as ``memory_limit``.
    """
    import duckdb  # slow to load

    database = duckdb.connect(config=NO_EXTENSIONS | settings)
    with suppress(
        duckdb.InvalidInputException
    ):  # a notebook without ipywidgets has no such setting
        database.execute("set enable_progress_bar = false")
    return database


def open_confined(path: str | Path, **settings: Any) -> "duckdb.DuckDBPyConnection":
    """A DuckDB that can read only the file ``path``, with locked settings.

    Its tables are compressed in memory.
    """
    database = open_database(async_threads=0, **settings)
    database.execute("attach ':memory:' as packed (compress)")
    database.execute("use packed")
    database.execute(f"set allowed_paths = [{_quoted(path)}]")
    database.execute("set enable_external_access = false")
    database.execute("set lock_configuration = true")
    return database


def write_table(rows: Sequence[Mapping[str, Any]], path: str | Path) -> None:
    """Write a list of dicts with the same keys as Parquet (or CSV, by the file's extension)."""
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


def _quoted(path: str | Path) -> str:
    """A path as an SQL string."""
    return "'" + str(path).replace("'", "''") + "'"


def as_plain(value: Any) -> Any:
    """A Python number for a NumPy number; other values unchanged."""
    return value.item() if hasattr(value, "item") else value


def _sql_type(rows: Sequence[Mapping[str, Any]], name: str) -> str:
    kinds = {type(as_plain(row[name])) for row in rows} - {type(None)}
    if kinds <= {bool}:
        return "boolean"
    if kinds <= {int, bool}:
        return "bigint"
    return "double" if kinds <= {int, bool, float} else "varchar"


def read_table(path: str | Path) -> list[dict[str, Any]]:
    """The rows of a Parquet or CSV file: list of dicts."""
    if not Path(path).is_file():
        raise UsageError(f"there is no table {path}")
    with open_database() as database:
        cursor = database.execute(f"select * from {_quoted(path)}")
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def is_complete(folder: str | Path) -> bool:
    """Whether a run has completed."""
    return (Path(folder) / COMPLETE).is_file()


def run_folders() -> list[Path]:
    """Folders of all runs under the results folder, most recently changed first."""
    folders = [path.parent for path in (results_folder() / "runs").glob(f"**/{RUN}")]
    return sorted(folders, key=lambda folder: (folder / RUN).stat().st_mtime, reverse=True)


def newest_run() -> Path | None:
    """Folder of the newest complete run, or None."""
    return next((folder for folder in run_folders() if is_complete(folder)), None)


def rates(task: str) -> list[dict[str, Any]]:
    """Results (see ``training.TrainResult``) of all complete runs of a task, as dicts."""
    folders = (path.parent for path in (results_folder() / "runs" / task).glob(f"**/{RUN}"))
    return [result_of(folder) for folder in folders if is_complete(folder)]


def result_of(folder: str | Path) -> dict[str, Any]:
    """The result of a run; ``UsageError`` where ``run.json`` has none."""
    result = read_json(Path(folder) / RUN).get("result")
    if not isinstance(result, dict):
        raise UsageError(f"{Path(folder) / RUN}: there is no result of a complete run")
    return result


def runs() -> list[dict[str, Any]]:
    """One row per run for ``proxylab list runs``."""
    rows = []
    for folder in run_folders():
        try:
            record = read_json(folder / RUN)
        except UsageError:
            record = {"status": "damaged"}
        names = ("task", "role", "seed", "status", "timesteps", "iid_success")
        row = {"run": str(folder), **{name: _short(record.get(name)) for name in names}}
        if record.get("status") != "damaged":
            row["status"] = "complete" if is_complete(folder) else row["status"] or "unfinished"
        rows.append(row)
    return rows


def _short(value: object) -> int | float | str | None:
    """A number, or a string cut to ``SHOWN_CHARACTERS``; None for anything else."""
    if isinstance(value, str):
        return value[:SHOWN_CHARACTERS]
    return value if isinstance(value, (int, float)) and abs(value) < 1e300 else None
