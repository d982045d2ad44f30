"""The files of a report: the HTML page, and the record from which it is drawn again.

A record holds what ``detect --json`` prints, and the evidence that the page shows besides: a few
levels with the paths on them, the shares of visits, the curves of divergence. It needs no agent
and no log. From the JSON alone the page is drawn without this evidence.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from proxylab.detection.kinds import Difference
from proxylab.detection.population import Outlier
from proxylab.detection.records import SCHEMA as DETECTION
from proxylab.detection.records import Detection
from proxylab.errors import DiskFullError, UsageError
from proxylab.report import Evidence, Facts, ReportData, page
from proxylab.storage.limits import LIMITS, read_within
from proxylab.storage.store import write_json
from proxylab.storage.strict_json import parse_json
from proxylab.storage.typed_json import as_plain, as_type
from proxylab.storage.whole_files import whole_file
from proxylab.tasks import TASKS

SCHEMA = "proxylab.report/1"
RECORD = "proxylab.detection-record/1"

NAMES = {"Difference": Difference, "Outlier": Outlier}
"""Forward references of :class:`Detection`."""


@dataclass(frozen=True)
class Drawn:
    """A report that was drawn from a file.

    Attributes:
        report: path of the page.
        suspects: names of the suspects.
        drawings: whether the file holds the evidence that the page draws.
        num_bytes: size of the page.
    """

    report: str
    suspects: list[str]
    drawings: bool
    num_bytes: int

    def as_json(self) -> dict[str, Any]:
        """The object that ``report --json`` prints."""
        return {"schema": SCHEMA, **as_plain(self)}


def report_path(path: str | Path) -> Path:
    """The path of a report, checked before any rollout.

    Raises:
        UsageError: the file cannot be written, or the name does not end in .html or .htm.
    """
    return _writable(path, (".html", ".htm"), "--report", ".html")


def record_path(path: str | Path) -> Path:
    """The path of a record, checked before any rollout; ``UsageError`` as above, for .json."""
    return _writable(path, (".json",), "--save", ".json")


def _writable(path: str | Path, endings: tuple[str, ...], option: str, ending: str) -> Path:
    path = Path(path)
    if path.suffix.lower() not in endings:
        raise UsageError(f"{option} {path}: name a file that ends in {ending}")
    if path.is_dir():
        raise UsageError(f"{option} {path}: this is a folder, name a file")
    folder = next(parent for parent in path.absolute().parents if parent.exists())
    if not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
        raise UsageError(f"{option} {path}: {folder} is no folder that can be written to")
    return path


def write_page(path: Path, data: ReportData) -> int:
    """Write the page of a report atomically; its size in bytes.

    Raises:
        UsageError: the file cannot be written.
    """
    text = page(data.detection, data.evidence, data.facts)
    try:
        with whole_file(path) as temporary:
            temporary.write_text(text, encoding="utf-8", errors="backslashreplace")
            temporary.chmod(0o644)  # readable by others, unlike a temporary file (600)
    except DiskFullError:
        raise
    except OSError as error:
        raise UsageError(f"--report {path} cannot be written: {error.strerror}") from None
    return path.stat().st_size


def write_record(path: Path, data: ReportData) -> None:
    """Write the record of a report: all that its page needs."""
    write_json(path, {"schema": RECORD, **as_plain(data)})


def read_record(path: str | Path) -> tuple[ReportData, bool]:
    """What a report needs, from a record or from what ``detect --json`` printed.

    Returns:
        (data, whether the file holds evidence to draw).

    Raises:
        UsageError: no such file, too large, or of another kind.
    """
    raw = read_within(path, LIMITS.report_bytes)
    try:
        found = parse_json(raw)
        schema = found.get("schema") if isinstance(found, dict) else None
        if schema == DETECTION:
            return _without_evidence(_detection(found)), False
        if schema != RECORD:
            raise ValueError("this is neither detect --json nor a record of detect --save")
        detection = _detection(found.get("detection"))
        evidence = as_type(dict[str, Evidence], found.get("evidence"))
        return ReportData(detection, evidence, as_type(Facts, found.get("facts"))), True
    except ValueError as error:
        raise UsageError(f"{path}: {error}") from None


def _detection(found: Any) -> dict[str, Any]:
    """The JSON of a detection, each of its values of the type that it must have."""
    return as_type(Detection, found, NAMES).as_json()


def _without_evidence(detection: dict[str, Any]) -> ReportData:
    """The data of a report from the JSON alone; settings come from its provenance."""
    settings = detection["provenance"].get("settings")
    given: dict[str, Any] = settings if isinstance(settings, dict) else {}
    task = TASKS.get(detection["task"])
    env = given.get("env") or (task.env_id if task else "not recorded")
    correlation = given.get("correlation")
    facts = Facts(
        str(env),
        greedy=given.get("greedy") is True,
        fdr=given.get("fdr") is True,
        correlation=correlation if isinstance(correlation, float) else None,
    )
    return ReportData(detection, {}, facts)


def draw_report(source: str | Path, out: str | Path | None = None) -> Drawn:
    """Draw the report of a finished detection from its record or JSON; no agent runs.

    Args:
        source: what ``detect --save`` wrote, or what ``detect --json`` printed.
        out: path of the page; by default that of the source, ending in .html.

    Returns:
        :class:`Drawn`.

    Raises:
        UsageError: another kind of file, or a page that cannot be written.
    """
    path = report_path(out or Path(source).with_suffix(".html"))
    data, drawings = read_record(source)
    try:
        size = write_page(path, data)
    except (ArithmeticError, LookupError, TypeError, ValueError) as error:
        if isinstance(error, UsageError):
            raise
        raise UsageError(f"{source}: its parts do not fit together ({error})") from None
    suspects = [report["agent"] for report in data.detection["suspects"]]
    return Drawn(str(path), suspects, drawings, size)
