"""Looking through an ONNX file before a runtime sees it.

An own reader of the protobuf wire format walks every message that can hold something
dangerous, at every depth, as often as it occurs: a file cannot hide a part from it by giving
that part twice. Field numbers are those of ``onnx.proto`` (ONNX 1.19, IR version 12).
"""

import math

from proxylab.storage.limits import LIMITS
from proxylab.untrusted.confined import Refusal

DOMAINS = ("", "ai.onnx")

_NETWORK_OPS = """
    Abs Add And ArgMax ArgMin AveragePool BatchNormalization Cast CastLike Ceil Celu Clip Concat
    Constant ConstantOfShape Conv Cos Div Dropout Einsum Elu Equal Erf Exp Expand Flatten Floor
    Gather GatherElements Gelu Gemm GlobalAveragePool GlobalMaxPool Greater GreaterOrEqual
    HardSigmoid HardSwish Identity LayerNormalization LeakyRelu Less LessOrEqual Log LogSoftmax
    MatMul Max MaxPool Mean Min Mish Mul Neg Not OneHot Or PRelu Pad Pow Range Reciprocal
    ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum ReduceSumSquare Relu Reshape Round Selu
    Shape Sigmoid Sign Sin Size Slice Softmax Softplus Softsign Split Sqrt Squeeze Sub Sum Tanh
    Tile Transpose Trilu Unsqueeze Where Xor
"""
OPS = frozenset(_NETWORK_OPS.split())
"""Operators of feed-forward networks: no loops, no branches, no randomness, no strings."""

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
EXTERNAL = 1
"""``TensorProto.DataLocation`` of data that lies in another file."""

MODEL, GRAPH, NODE, ATTRIBUTE, TENSOR = "model", "graph", "node", "attribute", "tensor"
INSIDE = {
    MODEL: {7: GRAPH},
    GRAPH: {1: NODE, 5: TENSOR},
    NODE: {5: ATTRIBUTE},
    ATTRIBUTE: {5: TENSOR, 10: TENSOR},
    TENSOR: {},
}
"""message: {field: message that it holds}."""

REFUSED = {
    MODEL: {20: "training information", 25: "functions of its own"},
    GRAPH: {15: "sparse tensors"},
    NODE: {},
    ATTRIBUTE: {6: "a graph within a node", 11: "a graph within a node", 22: "sparse tensors"}
    | {23: "sparse tensors"},
    TENSOR: {13: "data that lies in another file"},
}
"""message: {field: what it is}: parts that no network needs here."""

TENSOR_DIMS, TENSOR_LOCATION = 1, 14
NODE_OUTPUT, NODE_OP, NODE_DOMAIN = 2, 4, 7
OPSETS, OPSET_DOMAIN = 8, 1


def check_model(raw):
    """Look through an ONNX file (bytes).

    Returns:
        Set of the names that Softmax nodes give their outputs.

    Raises:
        Refusal: it holds something else than a plain feed-forward graph.
    """
    if raw[4:8] == b"ORTM":
        raise Refusal("this is a model in ONNX Runtime's own format, not ONNX")
    walk = _Walk()
    walk.message(memoryview(raw), MODEL)
    if not walk.graphs:
        raise Refusal("this is no ONNX model: it holds no graph")
    return walk.softmax


class _Walk:
    """Through all messages of a file, counting."""

    def __init__(self):
        self.parts = self.nodes = self.graphs = 0
        self.softmax = set()

    def message(self, view, kind):
        dims, outputs, ops = [], [], []
        for number, wire, value in self.fields(view):
            if number in REFUSED[kind]:
                raise Refusal(f"the model holds {REFUSED[kind][number]}, which is not read")
            inside = INSIDE[kind].get(number)
            if inside:
                self.enter(value, wire, inside)
            elif kind == TENSOR:
                self.tensor(number, wire, value, dims)
            elif kind == NODE:
                self.node(number, value, outputs, ops)
            elif kind == MODEL and number == OPSETS:
                self.opset(value, wire)
        self.softmax.update(outputs if ops == ["Softmax"] else ())
        size = math.prod(dims)
        if size > LIMITS.onnx_bytes:
            raise Refusal(f"a tensor of {size:,} numbers is over the limit")

    def enter(self, value, wire, kind):
        if wire != BYTES:
            raise Refusal("this is no ONNX model (a message of the wrong type)")
        self.graphs += kind == GRAPH
        self.nodes += kind == NODE
        if self.nodes > LIMITS.onnx_nodes:
            raise Refusal(f"more nodes than the limit of {LIMITS.onnx_nodes:,}")
        self.message(value, kind)

    def tensor(self, number, wire, value, dims):
        if number == TENSOR_LOCATION and value == EXTERNAL:
            raise Refusal("the model holds data that lies in another file, which is not read")
        if number == TENSOR_DIMS:
            dims += [value] if wire == VARINT else list(_varints(value))
            if len(dims) > 16 or any(not 0 <= d < 1 << 40 for d in dims):
                raise Refusal("a tensor has an impossible shape")

    def node(self, number, value, outputs, ops):
        if number == NODE_OUTPUT:
            outputs.append(_text(value))
        if number == NODE_OP:
            ops.append(_text(value))
            if ops[-1] not in OPS:
                raise Refusal(f"the operator {ops[-1]!r} is not among those that are run")
        if number == NODE_DOMAIN and (domain := _text(value)) not in DOMAINS:
            raise Refusal(f"operators of the domain {domain!r} are not run, only ai.onnx's")

    def opset(self, value, wire):
        if wire != BYTES:
            raise Refusal("this is no ONNX model (a message of the wrong type)")
        for number, _, inside in self.fields(value):
            if number == OPSET_DOMAIN and (domain := _text(inside)) not in DOMAINS:
                raise Refusal(f"operators of the domain {domain!r} are not run, only ai.onnx's")

    def fields(self, view):
        """(field number, wire type, value) of each field: int, or memoryview for bytes."""
        position = 0
        while position < len(view):
            self.parts += 1
            if self.parts > LIMITS.onnx_parts:
                raise Refusal(f"more parts than the limit of {LIMITS.onnx_parts:,}")
            tag, position = _varint(view, position)
            wire = tag & 7
            if wire == VARINT:
                value, position = _varint(view, position)
            else:
                if wire == BYTES:
                    length, position = _varint(view, position)
                elif wire in (FIXED64, FIXED32):
                    length = 8 if wire == FIXED64 else 4
                else:
                    raise Refusal("this is no ONNX model (an unknown wire type)")
                value, position = view[position : position + length], position + length
            if position > len(view) or not tag >> 3:
                raise Refusal("this is no ONNX model, or it is truncated")
            yield tag >> 3, wire, value


def _varint(view, position):
    value = shift = 0
    while position < len(view) and shift < 70:
        octet = view[position]
        value |= (octet & 0x7F) << shift
        position, shift = position + 1, shift + 7
        if octet < 0x80:
            return value, position
    raise Refusal("this is no ONNX model, or it is truncated")


def _varints(view):
    position = 0
    while position < len(view):
        value, position = _varint(view, position)
        yield value


def _text(value):
    if isinstance(value, int):
        raise Refusal("this is no ONNX model (a name of the wrong type)")
    return bytes(value[:80]).decode("utf-8", "replace")
