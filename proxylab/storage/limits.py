"""The one table of limits on what comes from files: sizes, counts and shapes.

What is over a limit is refused with one line. ``docs/strangers.md`` shows the table; levels
have theirs beside their parsers, in ``proxylab_envs.grid.ascii``, since environments do
without this package.
"""

import os
import stat
from dataclasses import dataclass, field, fields

from proxylab.errors import UsageError

MIB = 1 << 20


def _limit(value, unit, what):
    return field(default=value, metadata={"unit": unit, "what": what})


@dataclass(frozen=True)
class Limits:
    """Largest values; each field's unit and meaning stand in its metadata (:func:`rows`)."""

    json_bytes: int = _limit(MIB, "bytes", "`agent.json`, and the index of a zoo")
    header_bytes: int = _limit(MIB, "bytes", "header of a safetensors file")
    weight_bytes: int = _limit(64 * MIB, "bytes", "weights of an agent (safetensors)")
    size: int = _limit(8192, "", "any size of a network, an observation's side, number of actions")
    depth: int = _limit(64, "layers", "blocks, or layers of a tower")
    config_bytes: int = _limit(MIB, "bytes", "configuration file (TOML)")
    num_envs: int = _limit(65_536, "", "environments stepped at once")
    threads: int = _limit(1024, "", "threads of torch")
    rollout_steps: int = _limit(1 << 26, "steps", "`num_envs` times `n_steps`")
    level_bytes: int = _limit(64 << 10, "bytes", "text file of a level")
    log_rows: int = _limit(20_000_000, "rows", "steps in one log")
    log_rows_per_byte: int = _limit(64, "rows", "steps for every byte of a log over 1,000 rows")
    log_step_bytes: int = _limit(64, "bytes", "arrays of an HDF5 log, times `log_rows`")
    log_ratio: int = _limit(1000, "", "bytes of HDF5 arrays for every byte of the file")
    log_line_bytes: int = _limit(8 * MIB, "bytes", "line of a JSONL log")
    log_width: int = _limit(4096, "", "features or probabilities a step, number of actions")
    log_policies: int = _limit(10_000, "", "policies in one log")
    sb3_bytes: int = _limit(64 * MIB, "bytes", "Stable-Baselines3 zip, and its members unpacked")
    sb3_members: int = _limit(1000, "", "members of a zip")
    zip_ratio: int = _limit(100, "", "size of a zip's member over its compressed size")
    sb3_tensors: int = _limit(64, "", "tensors in a policy's state")
    onnx_bytes: int = _limit(64 * MIB, "bytes", "ONNX file, and each of its tensors")
    onnx_nodes: int = _limit(10_000, "", "nodes of an ONNX graph")
    onnx_parts: int = _limit(200_000, "", "fields of an ONNX file, all messages together")
    memory_bytes: int = _limit(512 * MIB, "bytes", "memory of a confined process, over its own")
    cpu_seconds: int = _limit(5, "s", "processor time of a confined process, for each request")
    wall_seconds: int = _limit(60, "s", "waiting for a confined process, for each request")


LIMITS = Limits()


def read_within(path, limit, error=UsageError):
    """A whole regular file of at most ``limit`` bytes: bytes.

    Raises:
        UsageError: or ``error``: it is missing, no file, not readable or larger.
    """
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):  # a pipe would keep us waiting
            raise error(f"{path}: this is no file")
        with open(path, "rb") as stream:
            raw = stream.read(limit + 1)
    except FileNotFoundError:
        raise error(f"{path}: there is no such file") from None
    except OSError as problem:
        raise error(f"{path}: cannot be read ({problem.strerror})") from None
    if len(raw) > limit:
        raise error(f"{path}: larger than the limit of {limit} bytes")
    return raw


def rows():
    """[{"limit", "value", "unit", "what"}] of all limits, those of levels included."""
    from proxylab_envs.grid.ascii import MAX_SIDE  # numba is slow to load

    found = [
        {"limit": f.name, "value": getattr(LIMITS, f.name), **f.metadata} for f in fields(Limits)
    ]
    side = {"limit": "level_side", "value": MAX_SIDE, "unit": "cells", "what": "rows of a level"}
    return [*found, side]


def as_markdown():
    """The table as it stands in ``docs/strangers.md``."""
    lines = ["| limit | largest | of what |", "|---|---|---|"]
    for row in rows():
        lines.append(f"| `{row['limit']}` | {row['value']:,} {row['unit']} | {row['what']} |")
    return "\n".join(line.replace("  |", " |") for line in lines)
