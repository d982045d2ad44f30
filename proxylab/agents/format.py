"""The agent format: ``agent.json`` (what it is) beside ``agent.safetensors`` (weights).

Nothing in it can run: no class paths, no pickle, no expressions. The architecture is a
name from a closed registry, every size is a bounded number, and the weights are checked
against their digest, their shapes and for missing numbers before a network sees them.
"""

import hashlib
import math
import struct
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load as parse_safetensors
from safetensors.numpy import save as serialise_safetensors

from proxylab.errors import AgentError
from proxylab.storage.limits import LIMITS, read_within
from proxylab.storage.store import whole_file, write_json
from proxylab.storage.strict_json import parse_json

SCHEMA = "proxylab.agent/1"
JSON_NAME, WEIGHTS_NAME = "agent.json", "agent.safetensors"
STORED_DTYPES = {"F16": "float16", "F32": "float32"}
OBSERVATION_DTYPES = ("uint8", "float32")
PREPROCESSING = ("none",)
DEPTHS = ("depth", "blocks")
"""Sizes that count layers, of which fewer are allowed."""


@dataclass(frozen=True)
class AgentSpec:
    """What an agent is, apart from its weights.

    Attributes:
        name: for people, shown in tables.
        task: task it was trained for.
        role: ``proxy``, ``trusted`` or another of the task's roles.
        architecture: name in ``proxylab.networks.architectures.ARCHITECTURES``.
        sizes: keyword arguments of the architecture, numbers or lists of numbers.
        observation_shape: shape of one observation.
        observation_dtype: ``uint8`` or ``float32``.
        num_actions: number of discrete actions.
        preprocessing: what happens to an observation before the network; ``none``, as
            networks scale what they get themselves.
        training: facts about the training (seed, timesteps, reward, levels, command, …).
    """

    name: str
    task: str
    role: str
    architecture: str
    sizes: dict
    observation_shape: tuple[int, ...]
    observation_dtype: str
    num_actions: int
    preprocessing: str = "none"
    training: dict = field(default_factory=dict)

    def __post_init__(self):
        """Check every field; ``AgentError`` names the one that is wrong."""
        for name in ("name", "task", "role", "architecture"):
            _require(isinstance(getattr(self, name), str), name, "a string")
        check_sizes(self.sizes)
        shape = self.observation_shape
        _require(
            isinstance(shape, (tuple, list)) and len(shape) <= 4, "observation_shape", "a list"
        )
        _require(all(_is_count(n) for n in shape), "observation_shape", "a list of counts")
        object.__setattr__(self, "observation_shape", tuple(shape))
        dtype = self.observation_dtype
        _require(dtype in OBSERVATION_DTYPES, "observation_dtype", " or ".join(OBSERVATION_DTYPES))
        _require(_is_count(self.num_actions), "num_actions", "a count")
        _require(self.preprocessing in PREPROCESSING, "preprocessing", " or ".join(PREPROCESSING))
        _require(isinstance(self.training, dict), "training", "an object")


def check_sizes(sizes):
    """``AgentError`` unless ``sizes`` are small numbers, or lists of them, by name."""
    _require(isinstance(sizes, dict), "sizes", "an object")
    for name, value in sizes.items():
        fits = str(name).isidentifier() and _is_size(value)
        deep = name in DEPTHS and not (isinstance(value, int) and value <= LIMITS.depth)
        _require(fits and not deep, f"sizes.{name}", "a small number")


def _require(condition, name, what):
    if not condition:
        raise AgentError(f"{name} is not {what}")


def _is_count(value):
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= LIMITS.size


def _is_shape(value):
    return isinstance(value, (tuple, list)) and 1 <= len(value) <= 4 and all(map(_is_count, value))


def _is_size(value):
    if isinstance(value, (list, tuple)):
        return len(value) <= 16 and all(_is_count(item) for item in value)
    if isinstance(value, (bool, float)):
        return math.isfinite(value)
    return isinstance(value, int) and 0 <= value <= LIMITS.size


def save_agent(folder, spec, weights, dtype="float32"):
    """Write an agent into ``folder``, which is made when missing.

    Args:
        folder: path.
        spec: :class:`AgentSpec`.
        weights: {name: array or torch tensor}, float.
        dtype: ``float32``, or ``float16`` for half the size.

    Returns:
        str: sha256 of the weights.

    Raises:
        AgentError: the weights hold something that is no finite number.
    """
    folder = Path(folder)
    stored = stored_weights(weights, dtype)
    digest = weights_sha256(stored)
    with whole_file(folder / WEIGHTS_NAME) as temporary:
        temporary.write_bytes(serialise_safetensors(stored))
    record = {"schema": SCHEMA, **asdict(spec), "weights_dtype": dtype, "sha256": digest}
    write_json(folder / JSON_NAME, record)
    return digest


def read_agent(path):
    """Read an agent without building its network.

    Args:
        path: its folder, or either of its two files.

    Returns:
        (AgentSpec, {name: float32 array}, str): what it is, weights, sha256.

    Raises:
        AgentError: something is missing, damaged, changed or out of bounds.
    """
    folder = Path(path)
    if folder.name in (JSON_NAME, WEIGHTS_NAME):
        folder = folder.parent
    record = read_json(folder / JSON_NAME, SCHEMA)
    try:
        spec = spec_of(record)
    except AgentError as error:
        raise AgentError(f"{folder / JSON_NAME}: {error}") from None
    weights = read_weights(folder / WEIGHTS_NAME)
    check_sha256(weights, record.get("sha256"), folder / WEIGHTS_NAME)
    return spec, loaded_weights(weights, folder / WEIGHTS_NAME), record["sha256"]


def spec_of(record):
    """The :class:`AgentSpec` in a JSON object; ``AgentError`` when a field is missing."""
    missing = [f.name for f in fields(AgentSpec) if f.name not in record]
    if missing:
        raise AgentError(f"the field {missing[0]!r} is missing")
    return AgentSpec(**{f.name: record[f.name] for f in fields(AgentSpec)})


def read_json(path, schema):
    """A small JSON object with the ``schema`` asked for; ``AgentError`` otherwise."""
    raw = read_within(path, LIMITS.json_bytes, AgentError)
    try:
        record = parse_json(raw)
    except ValueError:
        raise AgentError(f"{path}: this is not JSON: the file is damaged") from None
    found = record.get("schema") if isinstance(record, dict) else None
    if found != schema:
        raise AgentError(f"{path}: schema {found!r} is not {schema!r}: made by another version?")
    return record


def read_weights(path):
    """The tensors of a safetensors file, as stored: {name: float16 or float32 array}.

    Raises:
        AgentError: missing, too large, truncated, or of a type other than float16 and float32.
    """
    return parse_weights(read_within(path, LIMITS.weight_bytes, AgentError), path)[0]


def parse_weights(raw, source):
    """({name: array}, {name: text} of the metadata) of the bytes of a safetensors file."""
    header = _header(raw, source)
    for name, entry in header.items():
        dtype = entry.get("dtype") if isinstance(entry, dict) else None
        if name != "__metadata__" and dtype not in STORED_DTYPES:
            raise AgentError(f"{source}: {name} is {dtype}, not {' or '.join(STORED_DTYPES)}")
    try:
        return parse_safetensors(raw), header.get("__metadata__", {})
    except (SafetensorError, ValueError, KeyError, TypeError) as error:
        raise AgentError(f"{source}: not a sound safetensors file ({error})") from None


def _header(raw, path):
    """The header of a safetensors file, its length and the file's checked against each other."""
    if len(raw) < 8:
        raise AgentError(f"{path}: the file is truncated: {len(raw)} bytes")
    (length,) = struct.unpack("<Q", raw[:8])
    if length > LIMITS.header_bytes:
        raise AgentError(f"{path}: a header of {length} bytes is over the limit: no agent of ours")
    if len(raw) < 8 + length:
        raise AgentError(f"{path}: the file is truncated within its header")
    try:
        header = parse_json(raw[8 : 8 + length])
        ends = [entry["data_offsets"][1] for k, entry in header.items() if k != "__metadata__"]
        needed = 8 + length + max(ends, default=0)
    except (ValueError, AttributeError, KeyError, IndexError, TypeError):
        raise AgentError(f"{path}: not a sound safetensors file (its header)") from None
    if len(raw) < needed:
        raise AgentError(f"{path}: the file is truncated: {len(raw)} bytes of {needed}")
    return header


def stored_weights(weights, dtype="float32"):
    """Weights as they are stored: {name: array of ``dtype``}, every number finite."""
    if dtype not in STORED_DTYPES.values():
        raise AgentError(f"weights are stored as {' or '.join(STORED_DTYPES.values())}")
    with np.errstate(over="ignore"):
        arrays = {name: _array(value).astype(dtype) for name, value in weights.items()}
    for name, array in arrays.items():
        if not np.isfinite(array).all():
            raise AgentError(f"{name} holds a number that is missing or too large for {dtype}")
    return arrays


def _array(value):
    """A NumPy array, contiguous, from an array or a torch tensor on any device."""
    if hasattr(value, "detach"):
        value = value.detach().cpu().numpy()
    return np.ascontiguousarray(value)


def loaded_weights(weights, source):
    """Stored weights as float32, every number finite: {name: float32 array}."""
    for name, array in weights.items():
        if not np.isfinite(array).all():
            raise AgentError(f"{source}: {name} holds NaN or infinite weights")
    return {name: array.astype(np.float32) for name, array in weights.items()}


def weights_sha256(weights):
    """sha256 over names, types, shapes and bytes, in the order of the names: hex string."""
    digest = hashlib.sha256()
    for name in sorted(weights):
        array = np.ascontiguousarray(weights[name])
        digest.update(f"{name} {array.dtype.name} {list(array.shape)}\n".encode())
        digest.update(array.astype(array.dtype.newbyteorder("<"), copy=False).tobytes())
    return digest.hexdigest()


def check_sha256(weights, expected, source):
    """``AgentError`` unless the stored weights have the sha256 expected."""
    if weights_sha256(weights) != expected:
        raise AgentError(
            f"{source}: the weights do not have the recorded sha256: damaged or changed"
        )
