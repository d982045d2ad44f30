"""The table of limits on file contents: sizes, counts and shapes.

A value over its limit is refused in one line. ``docs/strangers.md`` shows the table; the limits
of levels are beside their parsers, in ``proxylab_envs.grid.ascii``, since the environments do
not depend on this package.
"""

import os
import stat
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from proxylab.errors import UsageError

MIB = 1 << 20


def _limit(value: int, unit: str, what: str) -> Any:
    return field(default=value, metadata={"unit": unit, "what": what})


@dataclass(frozen=True)
class Limits:
    """Largest values; each field's unit and meaning are in its metadata (:func:`rows`)."""

    json_bytes: int = _limit(MIB, "bytes", "`agent.json`, and the index of a zoo")
    header_bytes: int = _limit(MIB, "bytes", "header of a safetensors file")
    weight_bytes: int = _limit(64 * MIB, "bytes", "weights of an agent (safetensors)")
    tensors: int = _limit(4096, "", "tensors of an agent")
    size: int = _limit(8192, "", "any size of a network, an observation's side, number of actions")
    depth: int = _limit(64, "layers", "blocks, or layers of a tower")
    config_bytes: int = _limit(64 << 10, "bytes", "configuration file (TOML)")
    config_dots: int = _limit(64, "", "dots in a line of a configuration file")
    config_depth: int = _limit(4, "tables", "tables within tables of a configuration file")
    record_bytes: int = _limit(64 * MIB, "bytes", "JSON file of a run, or of measurements")
    report_bytes: int = _limit(16 * MIB, "bytes", "record or JSON of a detection (`report`)")
    num_envs: int = _limit(65_536, "", "environments stepped at once")
    threads: int = _limit(256, "", "threads of torch")
    total_timesteps: int = _limit(10**12, "steps", "environment steps of a run")
    n_epochs: int = _limit(1000, "", "passes over a rollout")
    rollout_steps: int = _limit(1 << 26, "steps", "`num_envs` times `n_steps`; `batch_size`")
    training_bytes: int = _limit(
        4 << 30, "bytes", "network with its gradients and moments, rollout and environments"
    )
    demonstration_bytes: int = _limit(
        1 << 30, "bytes", "observations of a log of demonstrations (`bc.expert`)"
    )
    level_bytes: int = _limit(64 << 10, "bytes", "text file of a level")
    log_rows: int = _limit(20_000_000, "rows", "steps in one log")
    log_rows_per_byte: int = _limit(64, "rows", "steps for every byte of a log over 1,000 rows")
    log_step_bytes: int = _limit(64, "bytes", "arrays of a log, times `log_rows`")
    log_array_bytes: int = _limit(64 * MIB, "bytes", "arrays of a log, however small its file")
    log_ratio: int = _limit(128, "", "bytes of arrays over that, for every byte of the file")
    log_line_bytes: int = _limit(8 * MIB, "bytes", "line of a JSONL log")
    log_episode_numbers: int = _limit(
        1 << 22, "", "numbers in the steps of one episode of `monitor`, and 16 for each step"
    )
    log_text_bytes: int = _limit(4096, "bytes", "name, hash or task in a log")
    log_width: int = _limit(4096, "", "features or probabilities a step, number of actions")
    log_policies: int = _limit(10_000, "", "policies in one log")
    log_kept_bytes: int = _limit(
        1536 * MIB,
        "bytes",
        "arrays of all logs of one side of a comparison, without `--large-logs`",
    )
    log_large_rows: int = _limit(2_000_000_000, "rows", "steps in one log with `--large-logs`")
    log_large_ratio: int = _limit(
        16, "", "bytes of temporary files for every byte of the logs with `--large-logs`"
    )
    log_large_seconds_bytes: int = _limit(
        256 << 10, "bytes", "the same as `log_seconds_bytes` with `--large-logs`"
    )
    log_memory_bytes: int = _limit(
        832 * MIB, "bytes", "memory of the process that reads logs, over its own; see below"
    )
    log_most_memory_bytes: int = _limit(2048 * MIB, "bytes", "the same for the largest log")
    log_disk_bytes: int = _limit(
        200_000_000, "bytes", "temporary files of that process, or the log's size where larger"
    )
    log_seconds_bytes: int = _limit(
        2 * MIB, "bytes", "of a log, for each second more than `cpu_seconds` and `wall_seconds`"
    )
    preference_pairs: int = _limit(100_000, "answers", "a preferences file")
    preference_bytes: int = _limit(128 * MIB, "bytes", "all clips of a preferences file")
    sb3_bytes: int = _limit(64 * MIB, "bytes", "Stable-Baselines3 zip, and its members unpacked")
    sb3_members: int = _limit(1000, "", "members of a zip")
    zip_ratio: int = _limit(100, "", "size of a zip's member over its compressed size")
    sb3_tensors: int = _limit(64, "", "tensors in a policy's state")
    onnx_bytes: int = _limit(64 * MIB, "bytes", "ONNX file, and each of its tensors")
    onnx_nodes: int = _limit(10_000, "", "nodes of an ONNX graph")
    onnx_parts: int = _limit(200_000, "", "fields of an ONNX file, all messages together")
    memory_bytes: int = _limit(512 * MIB, "bytes", "memory of a confined process, over its own")
    cpu_seconds: int = _limit(3, "s", "processor time of a confined process, for each request")
    cpu_total: int = _limit(1800, "s", "processor time of a confined process, in its whole life")
    wall_seconds: int = _limit(60, "s", "waiting for a confined process, for each request")


LIMITS = Limits()


def regular_file(path: str | Path, error: type[UsageError] = UsageError) -> Path:
    """``path`` as a ``Path``, if it is a regular file (or a link to one).

    Opening a named pipe waits for a writer, and a device such as ``/dev/zero`` has no end, so
    paths from callers are checked here before they are opened.

    Raises:
        UsageError: or ``error``: it is missing, a folder, a pipe, a device or a socket.
    """
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError:
        raise error(f"{path}: there is no such file") from None
    except (OSError, ValueError) as problem:  # ValueError: a NUL in the name
        what = getattr(problem, "strerror", None) or problem
        raise error(f"{path}: cannot be read ({what})") from None
    if not stat.S_ISREG(mode):
        raise error(f"{path}: this is no file")
    return Path(path)


def read_within(path: str | Path, limit: int, error: type[UsageError] = UsageError) -> bytes:
    """A whole regular file of at most ``limit`` bytes: bytes.

    Raises:
        UsageError: or ``error``: it is missing, not a regular file, not readable or larger.
    """
    path = regular_file(path, error)
    try:
        with open(path, "rb") as stream:
            raw = stream.read(limit + 1)
    except OSError as problem:
        raise error(f"{path}: cannot be read ({problem.strerror})") from None
    if len(raw) > limit:
        raise error(f"{path}: larger than the limit of {limit} bytes")
    return raw


def rows() -> list[dict[str, Any]]:
    """[{"limit", "value", "unit", "what"}] of all limits, including those of levels."""
    from proxylab_envs.grid.ascii import MAX_SIDE  # numba is slow to load

    table = [
        {"limit": f.name, "value": getattr(LIMITS, f.name), **f.metadata} for f in fields(Limits)
    ]
    side = {"limit": "level_side", "value": MAX_SIDE, "unit": "cells", "what": "rows of a level"}
    return [*table, side]


def as_markdown() -> str:
    """The table in ``docs/strangers.md``, as Markdown."""
    lines = ["| limit | largest | of what |", "|---|---|---|"]
    for row in rows():
        lines.append(f"| `{row['limit']}` | {row['value']:,} {row['unit']} | {row['what']} |")
    return "\n".join(line.replace("  |", " |") for line in lines)


MAX_EPISODES = 1_000_000
"""Most episodes of one run of ``evaluate``, ``detect`` or ``record``."""


def check_episodes(episodes: int) -> None:
    """``UsageError`` unless a number of episodes is between 1 and :data:`MAX_EPISODES`."""
    if not 1 <= episodes <= MAX_EPISODES:
        raise UsageError(f"episodes {episodes} is not between 1 and {MAX_EPISODES}")
