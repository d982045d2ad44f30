"""The process that runs an ONNX model: ``python -P -m proxylab.untrusted.onnx_worker FILE``.

It writes frames: the length in 4 bytes, little endian, then the content. The first is JSON
with the model's input and output. Each request is the number of rows (8 bytes) and the
observations; each response is a frame of float32, one number per row and action.
"""

import json
import struct
import sys
from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import TYPE_CHECKING, Any

from proxylab.storage.limits import LIMITS
from proxylab.untrusted.confined import Refusal, bound, bound_time, run
from proxylab.untrusted.onnx_model import check_model

if TYPE_CHECKING:
    import numpy.typing as npt

DTYPES = {"tensor(float)": "float32", "tensor(uint8)": "uint8"}


def main() -> None:
    """Load the model, describe it, and answer requests until stdin ends."""
    import numpy as np  # after the bounds are set
    import onnxruntime  # after the bounds are set

    onnxruntime.set_default_logger_severity(4)  # fatal only: errors are reported as one line
    bound()
    session, softmax = _session(onnxruntime, sys.argv[1])
    facts = _facts(session, softmax)
    _write(json.dumps(facts).encode())
    row_bytes = np.dtype(facts["dtype"]).itemsize * int(np.prod(facts["shape"], dtype=np.int64))
    while head := sys.stdin.buffer.read(8):
        bound_time()
        (count,) = struct.unpack("<Q", head)
        raw = sys.stdin.buffer.read(count * row_bytes)
        observations = np.frombuffer(raw, facts["dtype"]).reshape(count, *facts["shape"])
        _write(_answer(np, session, observations, facts).tobytes())


def _session(onnxruntime: ModuleType, path: str) -> tuple[Any, frozenset[str]]:
    with open(path, "rb") as file:
        raw = file.read(LIMITS.onnx_bytes + 1)
    if len(raw) > LIMITS.onnx_bytes:
        raise Refusal(f"larger than the limit of {LIMITS.onnx_bytes} bytes")
    checked = check_model(raw)
    raw = checked.encoded()  # not the file: the runtime may read it differently
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.enable_cpu_mem_arena = False
    options.log_severity_level = 4
    options.add_session_config_entry("session.load_model_format", "ONNX")
    try:
        providers = ["CPUExecutionProvider"]
        return onnxruntime.InferenceSession(raw, options, providers=providers), checked.softmax
    except Exception as error:
        _out_of_memory(error)
        raise Refusal(f"ONNX Runtime does not take it: {error}") from None


def _out_of_memory(error: Exception) -> None:
    message = str(error).lower()
    if "allocate" in message or "bad_alloc" in message or "bad allocation" in message:
        raise MemoryError from None


def _facts(session: Any, softmax: frozenset[str]) -> dict[str, Any]:
    """Shape and dtype of the input, fixed batch size or 0, and the output for actions."""
    inputs, outputs = session.get_inputs(), session.get_outputs()
    if len(inputs) != 1:
        raise Refusal(f"it has {len(inputs)} inputs, not one: the observations")
    shape, kind = inputs[0].shape, inputs[0].type
    if kind not in DTYPES:
        raise Refusal(f"its input is {kind}, not float32 or uint8")
    if len(shape) < 2 or not all(isinstance(n, int) and n > 0 for n in shape[1:]):
        raise Refusal(f"its input's shape {shape} is not [N, …] with fixed sizes after N")
    if max(shape[1:]) > LIMITS.size:
        raise Refusal(f"its input's shape {shape} is over the limit of {LIMITS.size} a side")
    batch = shape[0] if isinstance(shape[0], int) else 0
    name, meaning = _meaning(outputs, softmax)
    input_facts = {"input": inputs[0].name, "shape": shape[1:], "dtype": DTYPES[kind]}
    return {**input_facts, "batch": max(batch, 0), "output": name, "meaning": meaning}


MEANINGS = ("probabilities", "logits", "actions")
"""Kinds of outputs, and the names that select them."""


def _meaning(outputs: Sequence[Any], softmax: frozenset[str]) -> tuple[str, str]:
    """(name of the output for actions, one of MEANINGS)."""
    named = [(o.name, m) for m in MEANINGS for o in outputs if o.name in (m, m.removesuffix("s"))]
    if named:
        return named[0]
    only = outputs[0]
    if len(outputs) > 1:
        names = ", ".join(output.name for output in outputs)
        raise Refusal(f"it has the outputs {names}: name one logits, probabilities or actions")
    if only.type == "tensor(int64)":
        return only.name, "actions"
    return only.name, "probabilities" if only.name in softmax else "logits"


def _answer(
    np: ModuleType, session: Any, observations: "npt.NDArray[Any]", facts: Mapping[str, Any]
) -> "npt.NDArray[Any]":
    """The raw output for observations: float32[N, A], or [N, 1] for actions."""
    count, batch = len(observations), facts["batch"] or len(observations)
    rows = -(-count // batch) * batch
    padded = np.concatenate([observations, np.repeat(observations[-1:], rows - count, axis=0)])
    try:
        parts = [
            np.asarray(session.run([facts["output"]], {facts["input"]: padded[k : k + batch]})[0])
            for k in range(0, rows, batch)
        ]
    except Exception as error:
        _out_of_memory(error)
        raise Refusal(f"running it fails: {error}") from None
    for part in parts:
        if part.ndim not in (1, 2) or len(part) != batch or part[0].size > LIMITS.size:
            raise Refusal(f"its output has shape {list(part.shape)}, not [{batch}, actions]")
    return np.concatenate(parts)[:count].reshape(count, -1).astype(np.float32)


def _write(raw: bytes) -> None:
    sys.stdout.buffer.write(struct.pack("<I", len(raw)) + raw)
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    run(main)
