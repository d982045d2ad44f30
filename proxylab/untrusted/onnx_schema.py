"""The fields of ``onnx.proto`` that are read (ONNX 1.23, IR version 14), as a table.

A test compares it with the table of the package ``onnx``.
"""

from proxylab.untrusted.protobuf import (
    DOUBLE,
    DROPPED,
    FLOAT,
    INT32,
    INT64,
    RAW,
    REFUSED,
    STRING,
    UINT64,
    Field,
)

MODEL, GRAPH, NODE, ATTRIBUTE, TENSOR = "model", "graph", "node", "attribute", "tensor"
OPSET, VALUE_INFO, TYPE, TENSOR_TYPE, SHAPE, DIM = (
    "operator set",
    "value",
    "type",
    "tensor type",
    "shape",
    "dimension",
)

_ELSEWHERE = Field("data that lies in another file", REFUSED)
_SPARSE = Field("sparse tensors", REFUSED)
_INNER_GRAPH = Field("a graph within a node", REFUSED)
_OTHER_TYPE = Field("values that are no tensors", REFUSED)
_TYPE = Field("a type as an attribute", REFUSED)
_DEVICES = Field("a choice of devices", REFUSED)


def _doc(name: str = "doc_string") -> Field:
    return Field(name, DROPPED)


_PROPS = Field("metadata_props", DROPPED, many=True)

SCHEMA: dict[str, dict[int, Field]] = {
    MODEL: {
        1: Field("ir_version", INT64),
        2: _doc("producer_name"),
        3: _doc("producer_version"),
        4: _doc("domain"),
        5: Field("model_version", INT64),
        6: _doc(),
        7: Field("graph", GRAPH),
        8: Field("opset_import", OPSET, many=True),
        14: _PROPS,
        20: Field("training information", REFUSED),
        25: Field("functions of its own", REFUSED),
        26: _DEVICES,
    },
    GRAPH: {
        1: Field("node", NODE, many=True),
        2: Field("name", STRING),
        5: Field("initializer", TENSOR, many=True),
        10: _doc(),
        11: Field("input", VALUE_INFO, many=True),
        12: Field("output", VALUE_INFO, many=True),
        13: Field("value_info", VALUE_INFO, many=True),
        14: Field("quantization", REFUSED),
        15: _SPARSE,
        16: _PROPS,
    },
    NODE: {
        1: Field("input", STRING, many=True),
        2: Field("output", STRING, many=True),
        3: Field("name", STRING),
        4: Field("op_type", STRING),
        5: Field("attribute", ATTRIBUTE, many=True),
        6: _doc(),
        7: Field("domain", STRING),
        8: Field("overload", STRING),
        9: _PROPS,
        10: _DEVICES,
    },
    ATTRIBUTE: {
        1: Field("name", STRING),
        2: Field("f", FLOAT),
        3: Field("i", INT64),
        4: Field("s", RAW),
        5: Field("t", TENSOR),
        6: _INNER_GRAPH,
        7: Field("floats", FLOAT, many=True),
        8: Field("ints", INT64, many=True),
        9: Field("strings", RAW, many=True),
        10: Field("tensors", TENSOR, many=True),
        11: _INNER_GRAPH,
        13: _doc(),
        14: _TYPE,
        15: _TYPE,
        20: Field("type", INT32),
        21: Field("ref_attr_name", STRING),
        22: _SPARSE,
        23: _SPARSE,
    },
    TENSOR: {
        1: Field("dims", INT64, many=True),
        2: Field("data_type", INT32),
        3: Field("a tensor in segments", REFUSED),
        4: Field("float_data", FLOAT, many=True, packed=True),
        5: Field("int32_data", INT32, many=True, packed=True),
        6: Field("a tensor of texts", REFUSED),
        7: Field("int64_data", INT64, many=True, packed=True),
        8: Field("name", STRING),
        9: Field("raw_data", RAW),
        10: Field("double_data", DOUBLE, many=True, packed=True),
        11: Field("uint64_data", UINT64, many=True, packed=True),
        12: _doc(),
        13: _ELSEWHERE,
        14: Field("data_location", INT32),
        16: _PROPS,
    },
    OPSET: {1: Field("domain", STRING), 2: Field("version", INT64)},
    VALUE_INFO: {1: Field("name", STRING), 2: Field("type", TYPE), 3: _doc(), 4: _PROPS},
    TYPE: {
        1: Field("tensor_type", TENSOR_TYPE),
        **dict.fromkeys((4, 5, 7, 8, 9), _OTHER_TYPE),
        6: _doc("denotation"),
    },
    TENSOR_TYPE: {1: Field("elem_type", INT32), 2: Field("shape", SHAPE)},
    SHAPE: {1: Field("dim", DIM, many=True)},
    DIM: {1: Field("dim_value", INT64), 2: Field("dim_param", STRING), 3: _doc("denotation")},
}
"""{message: {field number: field}}; fields without a row are refused as unknown."""

ATTRIBUTE_VALUES = {
    1: "f",
    2: "i",
    3: "s",
    4: "t",
    6: "floats",
    7: "ints",
    8: "strings",
    9: "tensors",
}
"""``AttributeProto.type``: the one field that holds the value."""

TENSOR_TYPES = {
    1: (4, "float_data"),
    2: (1, "int32_data"),
    3: (1, "int32_data"),
    4: (2, "int32_data"),
    5: (2, "int32_data"),
    6: (4, "int32_data"),
    7: (8, "int64_data"),
    9: (1, "int32_data"),
    10: (2, "int32_data"),
    11: (8, "double_data"),
    12: (4, "uint64_data"),
    13: (8, "uint64_data"),
    16: (2, "int32_data"),
}
"""``TensorProto.data_type``: (bytes of a number, the field that holds numbers one by one)."""
