"""Checks of an ONNX file before ONNX Runtime loads it.

A separate reader parses the file by the table ``onnx_schema`` and refuses unknown fields and
non-canonical encodings. ONNX Runtime never receives the file, but :meth:`Checked.encoded`: the
checked graph, encoded again, so that both readers see the same model.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from proxylab.storage.limits import LIMITS
from proxylab.untrusted.confined import Refusal
from proxylab.untrusted.onnx_schema import (
    ATTRIBUTE_VALUES,
    MODEL,
    SCHEMA,
    TENSOR_TYPES,
)
from proxylab.untrusted.protobuf import Message, Reader, encode, odd

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

MAX_RANK = 16
MAX_SIDE = 1 << 40
NAME_CHARACTERS = 80
"""Length of a name quoted in a message."""


@dataclass(frozen=True)
class Checked:
    """A model that passed the checks.

    Attributes:
        model: the parsed message; it shares the file's bytes.
        softmax: names of the outputs of Softmax nodes.
    """

    model: Message
    softmax: frozenset[str]

    def encoded(self) -> bytes:
        """The model encoded again, for ONNX Runtime; without descriptions and metadata."""
        return encode(self.model, SCHEMA)


def check_model(raw: bytes) -> Checked:
    """Check an ONNX file (bytes).

    Raises:
        Refusal: it is not a plain feed-forward graph, or its encoding is not canonical.
    """
    if raw[4:8] == b"ORTM":
        raise Refusal("this is a model in ONNX Runtime's own format, not ONNX")
    model = Reader(SCHEMA, LIMITS.onnx_parts).message(memoryview(raw), MODEL)
    graph = model.one("graph")
    if graph is None:
        raise Refusal("this is no ONNX model: it holds no graph")
    _check_opsets(model.all("opset_import"))
    if len(graph.all("node")) > LIMITS.onnx_nodes:
        raise Refusal(f"more nodes than the limit of {LIMITS.onnx_nodes:,}")
    for node in graph.all("node"):
        _check_node(node)
    names = [tensor.one("name", "") for tensor in graph.all("initializer")]
    if len(set(names)) < len(names):
        odd("two initial tensors have the same name")
    for tensor in graph.all("initializer"):
        _check_tensor(tensor)
    for name in ("input", "output", "value_info"):
        for value in graph.all(name):
            _check_type(value)
    softmax = [n.all("output") for n in graph.all("node") if n.one("op_type") == "Softmax"]
    return Checked(model, frozenset(name for names in softmax for name in names))


def _check_domain(domain: str) -> None:
    if domain not in DOMAINS:
        quoted = domain[:NAME_CHARACTERS]
        raise Refusal(f"operators of the domain {quoted!r} are not run, only ai.onnx's")


def _check_opsets(opsets: Sequence[Message]) -> None:
    for opset in opsets:
        _check_domain(opset.one("domain", ""))
    if len(opsets) > 1:
        odd("the operator set comes twice")


def _check_node(node: Message) -> None:
    op = node.one("op_type", "")
    if op not in OPS:
        quoted = op[:NAME_CHARACTERS]
        raise Refusal(f"the operator {quoted!r} is not among those that are run")
    _check_domain(node.one("domain", ""))
    if node.one("overload", ""):
        raise Refusal("the model holds functions of its own, which is not read")
    names = [attribute.one("name", "") for attribute in node.all("attribute")]
    if len(set(names)) < len(names):
        odd(f"an attribute of {op} comes twice")
    for attribute in node.all("attribute"):
        _check_attribute(attribute)


def _check_attribute(attribute: Message) -> None:
    """Check that only the field of the attribute's type holds a value."""
    if attribute.one("ref_attr_name", ""):
        raise Refusal("the model holds functions of its own, which is not read")
    holds = ATTRIBUTE_VALUES.get(attribute.one("type", 0))
    filled = [name for name in ATTRIBUTE_VALUES.values() if attribute.all(name)]
    if holds is None or filled not in ([], [holds]):
        odd("the value of an attribute is not of the attribute's type")
    for name in ("t", "tensors"):
        for tensor in attribute.all(name):
            _check_tensor(tensor)


def _check_tensor(tensor: Message) -> None:
    """Check that the data are in the file, once, and match the tensor's shape."""
    if tensor.one("data_location", 0):
        raise Refusal("the model holds data that lies in another file, which is not read")
    dims = tensor.all("dims")
    if len(dims) > MAX_RANK or any(not 0 <= side < MAX_SIDE for side in dims):
        raise Refusal("a tensor has an impossible shape")
    size = math.prod(dims)
    if size > LIMITS.onnx_bytes:
        raise Refusal(f"a tensor of {size:,} numbers is over the limit")
    width, holds = TENSOR_TYPES.get(tensor.one("data_type", 0), (0, ""))
    if not width:
        raise Refusal("a tensor is of a type that is not read")
    fields = {field for _, field in TENSOR_TYPES.values()} | {"raw_data"}
    filled = [name for name in fields if tensor.all(name)]
    if filled not in ([], [holds], ["raw_data"]):
        odd("a tensor holds its data twice, or not as its type says")
    raw = tensor.one("raw_data")
    count = len(tensor.all(holds)) if raw is None else len(raw) / width
    if count != size:
        raise Refusal(f"a tensor holds {count:g} numbers, but its shape needs {size:,}")


def _check_type(value: Message) -> None:
    """Check that the type is a tensor of numbers, or is not given."""
    tensor = value.one("type") and value.one("type").one("tensor_type")
    if not tensor:
        return
    if tensor.one("elem_type", 0) not in TENSOR_TYPES:
        raise Refusal("a value is of a type that is not read")
    for side in tensor.one("shape").all("dim") if tensor.one("shape") else ():
        if side.all("dim_value") and side.all("dim_param"):
            odd("a side of a shape is a number and a name")
