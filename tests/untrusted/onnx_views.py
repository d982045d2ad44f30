"""What a checker, the package onnx and ONNX Runtime each read in an ONNX model."""

import struct

import onnx
import onnxruntime
from google.protobuf.message import DecodeError
from onnx import numpy_helper

from proxylab.untrusted.onnx_model import DOMAINS, OPS
from proxylab.untrusted.onnx_schema import MODEL, SCHEMA
from proxylab.untrusted.protobuf import DROPPED, FORMATS, REFUSED, Message

onnxruntime.set_default_logger_severity(4)


def _plain(value, known):
    if known.kind in FORMATS:
        return struct.pack(FORMATS[known.kind], value)
    return bytes(value) if isinstance(value, memoryview) else value


def checkers_view(message):
    """{name of a field: list of values} of a ``Message``, at every depth."""
    found = {}
    for known in SCHEMA[message.kind].values():
        values = message.values.get(known.name)
        if values and known.kind not in (DROPPED, REFUSED):
            found[known.name] = [
                checkers_view(v) if isinstance(v, Message) else _plain(v, known) for v in values
            ]
    return found


def view_of(proto, kind=MODEL):
    """The same of a message of the package onnx; fields that no table has stand under "else"."""
    found = {}
    for descriptor, value in proto.ListFields():
        known = SCHEMA[kind].get(descriptor.number)
        if known is None or known.kind == REFUSED:
            found.setdefault("else", []).append(descriptor.name)
        elif known.kind != DROPPED:
            values = value if descriptor.is_repeated else [value]
            inner = known.kind in SCHEMA
            found[known.name] = [
                view_of(v, known.kind) if inner else _plain(v, known) for v in values
            ]
    return found


def parsed(raw):
    """The package onnx's ``ModelProto``, or None where it does not take the bytes."""
    try:
        return onnx.load_from_string(raw)
    except (DecodeError, UnicodeDecodeError):
        return None


def forbidden_parts(proto):
    """What must not be in a model, by the names that the package onnx gives: list of str."""
    found = [f"domain {o.domain}" for o in proto.opset_import if o.domain not in DOMAINS]
    found += ["functions"] * bool(proto.functions) + ["training"] * bool(proto.training_info)
    return found + _forbidden_in(proto.graph)


def _forbidden_in(graph):
    found = ["sparse"] * bool(graph.sparse_initializer)
    tensors = list(graph.initializer)
    for node in graph.node:
        found += [f"operator {node.op_type}"] * (node.op_type not in OPS)
        found += [f"domain {node.domain}"] * (node.domain not in DOMAINS)
        for attribute in node.attribute:
            tensors += [*attribute.tensors, attribute.t]
            found += ["sparse"] * (
                attribute.HasField("sparse_tensor") or bool(attribute.sparse_tensors)
            )
            found += ["graph"] * (attribute.HasField("g") or bool(attribute.graphs))
    elsewhere = any(t.external_data or t.data_location for t in tensors)
    return found + ["external data"] * elsewhere


def as_run(raw, path):
    """(sorted operators with domains, {initial tensor: (shape, bytes)}) as ONNX Runtime has them.

    None where it does not take the model. It writes the model that it has read to ``path``;
    Constant nodes become initial tensors in it.
    """
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    options.optimized_model_filepath = str(path)
    try:
        onnxruntime.InferenceSession(raw, options, providers=["CPUExecutionProvider"])
    except Exception:  # the runtime's own complaint about a model
        return None
    return graph_facts(onnx.load(path))


def graph_facts(proto):
    """The same two facts of a ``ModelProto``, whose Constant nodes count as initial tensors.

    Initial tensors that nobody uses are left out, as the runtime does.
    """
    ops = sorted((n.op_type, n.domain.removeprefix("ai.onnx")) for n in proto.graph.node)
    tensors = {t.name: _content(t) for t in proto.graph.initializer}
    for node in proto.graph.node:
        if node.op_type == "Constant" and node.attribute and node.attribute[0].HasField("t"):
            tensors[node.output[0]] = _content(node.attribute[0].t)
    used = {name for node in proto.graph.node for name in node.input}
    used |= {output.name for output in proto.graph.output}
    kept = {name: content for name, content in tensors.items() if name in used}
    return [op for op in ops if op[0] != "Constant"], kept


def _content(tensor):
    array = numpy_helper.to_array(tensor)
    return array.shape, array.dtype.name, array.tobytes()
