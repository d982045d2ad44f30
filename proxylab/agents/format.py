"""The agent format: ``agent.json`` (specification) beside ``agent.safetensors`` (weights).

It contains no code: no class paths, no pickle, no expressions. The architecture is a name from
a closed registry, every size is a bounded number, and digest, shapes and finiteness of the
weights are checked before they are loaded into a network.
"""

import hashlib
import math
import struct
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load as parse_safetensors
from safetensors.numpy import save as serialise_safetensors

from proxylab.config import current_architecture
from proxylab.console.terminal import one_line
from proxylab.errors import AgentError
from proxylab.storage.limits import LIMITS, read_within
from proxylab.storage.store import write_json
from proxylab.storage.strict_json import parse_json
from proxylab.storage.whole_files import whole_file

SCHEMA = "proxylab.agent/1"
JSON_NAME, WEIGHTS_NAME = "agent.json", "agent.safetensors"
STORED_DTYPES = {"F16": "float16", "F32": "float32"}
OBSERVATION_DTYPES = ("uint8", "float32")
PREPROCESSING = ("none",)
NAME_CHARACTERS = 80
"""Length of a name from a file that is quoted in a message."""
TEXT_CHARACTERS = 256
"""Length of a name in a file."""
DEPTHS = ("depth", "blocks")
"""Sizes that count layers; their limit is lower."""


@dataclass(frozen=True)
class AgentSpec:
    """The specification of an agent, without its weights.

    Attributes:
        name: shown in tables.
        task: task it was trained for.
        role: ``proxy``, ``trusted`` or another of the task's roles.
        architecture: name in ``proxylab.networks.architectures.ARCHITECTURES``.
        sizes: keyword arguments of the architecture, numbers or lists of numbers.
        observation_shape: shape of one observation.
        observation_dtype: ``uint8`` or ``float32``.
        num_actions: number of discrete actions.
        preprocessing: of observations before the network; ``none``, since networks scale
            their inputs.
        training: facts about the training (seed, timesteps, reward, levels, command, …).
    """

    name: str
    task: str
    role: str
    architecture: str
    sizes: dict[str, Any]
    observation_shape: tuple[int, ...]
    observation_dtype: str
    num_actions: int
    preprocessing: str = "none"
    training: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Check every field; ``AgentError`` names the invalid one."""
        for name in ("name", "task", "role", "architecture"):
            value = getattr(self, name)
            short = isinstance(value, str) and len(value) <= TEXT_CHARACTERS
            require(short, name, f"a string of at most {TEXT_CHARACTERS} characters")
        object.__setattr__(self, "architecture", current_architecture(self.architecture))
        check_sizes(self.sizes)
        shape = self.observation_shape
        require(isinstance(shape, (tuple, list)) and len(shape) <= 4, "observation_shape", "a list")
        require(all(_is_count(n) for n in shape), "observation_shape", "a list of counts")
        object.__setattr__(self, "observation_shape", tuple(shape))
        dtype = self.observation_dtype
        require(dtype in OBSERVATION_DTYPES, "observation_dtype", " or ".join(OBSERVATION_DTYPES))
        require(_is_count(self.num_actions), "num_actions", "a count")
        require(self.preprocessing in PREPROCESSING, "preprocessing", " or ".join(PREPROCESSING))
        require(isinstance(self.training, dict), "training", "an object")


def check_sizes(sizes: Mapping[str, Any]) -> None:
    """``AgentError`` unless ``sizes`` are small numbers, or lists of them, by name."""
    require(isinstance(sizes, dict), "sizes", "an object")
    for name, value in sizes.items():
        fits = str(name).isidentifier() and _is_size(value)
        deep = name in DEPTHS and not (_is_count(value) and value <= LIMITS.depth)
        quoted = one_line(str(name)[:NAME_CHARACTERS])
        require(fits and not deep, f"sizes.{quoted}", "a small number")


def require(condition: bool, name: str, what: str) -> None:
    """``AgentError`` that a field is not ``what``, unless ``condition`` holds."""
    if not condition:
        raise AgentError(f"{name} is not {what}")


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= LIMITS.size


def _is_size(value: object) -> bool:
    if isinstance(value, (list, tuple)):
        return len(value) <= 16 and all(_is_count(item) for item in value)
    if isinstance(value, (bool, float)):
        return math.isfinite(value)
    return isinstance(value, int) and 0 <= value <= LIMITS.size


def save_agent(
    folder: str | Path, spec: AgentSpec, weights: Mapping[str, Any], dtype: str = "float32"
) -> str:
    """Write an agent into ``folder``, which is created if missing.

    Args:
        folder: path.
        spec: :class:`AgentSpec`.
        weights: {name: array or torch tensor}, float.
        dtype: ``float32``, or ``float16`` for half the size.

    Returns:
        str: sha256 of the weights.

    Raises:
        AgentError: the weights hold a number that is not finite.
    """
    folder = Path(folder)
    stored = stored_weights(weights, dtype)
    digest = weights_sha256(stored)
    with whole_file(folder / WEIGHTS_NAME) as temporary:
        temporary.write_bytes(serialise_safetensors(stored))
    record = {"schema": SCHEMA, **asdict(spec), "weights_dtype": dtype, "sha256": digest}
    write_json(folder / JSON_NAME, record)
    return digest


def read_agent(path: str | Path) -> tuple[AgentSpec, dict[str, NDArray[np.float32]], str]:
    """Read an agent without building its network.

    Args:
        path: its folder, or either of its two files.

    Returns:
        (AgentSpec, {name: float32 array}, str): specification, weights, sha256.

    Raises:
        AgentError: a file is missing, damaged, modified or over a limit.
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


def spec_of(record: Mapping[str, Any]) -> AgentSpec:
    """The :class:`AgentSpec` in a JSON object; ``AgentError`` when a field is missing."""
    return AgentSpec(**fields_of(record, AgentSpec))


def fields_of(record: Mapping[str, Any], kind: type[Any]) -> dict[str, Any]:
    """The fields of a dataclass in a JSON object; ``AgentError`` when one is missing."""
    names = [f.name for f in fields(kind)]
    missing = [name for name in names if name not in record]
    if missing:
        raise AgentError(f"the field {missing[0]!r} is missing")
    return {name: record[name] for name in names}


def read_json(path: str | Path, schema: str) -> dict[str, Any]:
    """A small JSON object with the given ``schema``; ``AgentError`` otherwise."""
    raw = read_within(path, LIMITS.json_bytes, AgentError)
    try:
        record = parse_json(raw)
    except ValueError:
        raise AgentError(f"{path}: this is not JSON: the file is damaged") from None
    stated = record.get("schema") if isinstance(record, dict) else None
    if stated != schema:
        quoted = _quoted(stated)
        raise AgentError(f"{path}: schema {quoted} is not {schema!r}: made by another version?")
    return record


def read_weights(path: str | Path) -> dict[str, NDArray[Any]]:
    """The tensors of a safetensors file, as stored: {name: float16 or float32 array}.

    Raises:
        AgentError: missing, too large, truncated, or of a type other than float16 and float32.
    """
    return parse_weights(read_within(path, LIMITS.weight_bytes, AgentError), path)[0]


def parse_weights(raw: bytes, source: str | Path) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """({name: array}, {name: text} of the metadata) of the bytes of a safetensors file."""
    header = _header(raw, source)
    metadata = header.pop("__metadata__", {})
    if len(header) > LIMITS.tensors:
        raise AgentError(
            f"{source}: {len(header):,} tensors are more than the limit of {LIMITS.tensors:,}"
        )
    for name, entry in header.items():
        if entry.get("dtype") not in tuple(STORED_DTYPES):  # a tuple: it may not be hashable
            reason = one_line(
                f"{name[:NAME_CHARACTERS]} is {str(entry.get('dtype'))[:NAME_CHARACTERS]}"
            )
            raise AgentError(f"{source}: {reason}, not {' or '.join(STORED_DTYPES)}")
    try:
        return parse_safetensors(raw), metadata
    except (SafetensorError, ValueError, KeyError, TypeError, OverflowError) as error:
        reason = one_line(error)
        raise AgentError(f"{source}: not a sound safetensors file ({reason})") from None


def _header(raw: bytes, path: str | Path) -> dict[str, Any]:
    """The header of a safetensors file, checked against the length of the file."""
    if len(raw) < 8:
        raise AgentError(f"{path}: the file is truncated: {len(raw)} bytes")
    (length,) = struct.unpack("<Q", raw[:8])
    if length > LIMITS.header_bytes:
        raise AgentError(f"{path}: a header of {length} bytes is over the limit: not an agent file")
    if len(raw) < 8 + length:
        raise AgentError(f"{path}: the file is truncated within its header")
    try:
        header = parse_json(raw[8 : 8 + length])
        ends = [_end(entry) for name, entry in header.items() if name != "__metadata__"]
    except (ValueError, AttributeError, KeyError, TypeError):
        raise AgentError(f"{path}: not a sound safetensors file (its header)") from None
    needed = 8 + length + max(ends, default=0)
    if len(raw) < needed:
        raise AgentError(f"{path}: the file is truncated: {len(raw)} bytes of {needed}")
    return header


def _end(entry: Mapping[str, Any]) -> int:
    """Offset of a tensor's end after the header; ``ValueError`` for impossible offsets."""
    begin, end = entry["data_offsets"]
    if type(begin) is not int or type(end) is not int or not 0 <= begin <= end < 1 << 63:
        raise ValueError("offsets that cannot be")
    return end


def _quoted(value: object) -> str:
    """A value from a file, shortened to one line for a message."""
    return one_line(repr(value)[: 2 * NAME_CHARACTERS])


def stored_weights(weights: Mapping[str, Any], dtype: str = "float32") -> dict[str, NDArray[Any]]:
    """Weights in the storage type: {name: array of ``dtype``}, every number finite."""
    if dtype not in STORED_DTYPES.values():
        raise AgentError(f"weights are stored as {' or '.join(STORED_DTYPES.values())}")
    with np.errstate(over="ignore"):
        arrays = {name: _array(value).astype(dtype) for name, value in weights.items()}
    for name, array in arrays.items():
        if not np.isfinite(array).all():
            raise AgentError(f"{name} holds a number that is missing or too large for {dtype}")
    return arrays


def _array(value: Any) -> NDArray[Any]:
    """A NumPy array, contiguous, from an array or a torch tensor on any device."""
    if hasattr(value, "detach"):
        value = value.detach().cpu().numpy()
    return np.ascontiguousarray(value)


def loaded_weights(
    weights: Mapping[str, NDArray[Any]], source: Path | str
) -> dict[str, NDArray[np.float32]]:
    """Stored weights as float32, every number finite: {name: float32 array}."""
    for name, array in weights.items():
        if not np.isfinite(array).all():
            raise AgentError(f"{source}: {name} holds NaN or infinite weights")
    return {name: array.astype(np.float32) for name, array in weights.items()}


def weights_sha256(weights: Mapping[str, NDArray[Any]]) -> str:
    """sha256 over names, types, shapes and bytes, in the order of the names: hex string."""
    digest = hashlib.sha256()
    for name in sorted(weights):
        array = np.ascontiguousarray(weights[name])
        digest.update(f"{name} {array.dtype.name} {list(array.shape)}\n".encode())
        digest.update(array.astype(array.dtype.newbyteorder("<"), copy=False).tobytes())
    return digest.hexdigest()


def check_sha256(weights: Mapping[str, NDArray[Any]], expected: object, source: Path | str) -> None:
    """``AgentError`` unless the stored weights have the expected sha256."""
    if weights_sha256(weights) != expected:
        raise AgentError(
            f"{source}: the weights do not have the recorded sha256: damaged or changed"
        )
