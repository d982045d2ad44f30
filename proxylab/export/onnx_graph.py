"""Building of ONNX models, encoded by the table with which foreign ones are checked.

Neither torch's exporter nor the package ``onnx`` is needed: the graphs are small, and
:func:`proxylab.untrusted.protobuf.encode` writes them.
"""

from typing import Any

import numpy as np

from proxylab.untrusted.onnx_schema import (
    ATTRIBUTE,
    ATTRIBUTE_VALUES,
    DIM,
    GRAPH,
    MODEL,
    NODE,
    OPSET,
    SCHEMA,
    SHAPE,
    TENSOR,
    TENSOR_TYPE,
    TYPE,
    VALUE_INFO,
)
from proxylab.untrusted.protobuf import Message, encode

IR_VERSION, OPSET_VERSION = 8, 17
"""Versions of the format and of its operators; readers since 2022 know both."""

ELEMENT_TYPES = {"float32": 1, "uint8": 2, "int64": 7}
"""NumPy data type: ``TensorProto.data_type``."""

_TYPE_OF_FIELD = {field: number for number, field in ATTRIBUTE_VALUES.items()}

BATCH = "N"
"""Name of the free first axis of input and output."""

Shape = tuple[int | str, ...]
Fields = dict[str, Any]
"""{name of a field: list of its values}."""


class GraphBuilder:
    """A graph that grows node by node; every method returns the name of a value."""

    def __init__(self) -> None:
        """Begin an empty graph."""
        self._nodes: list[Message] = []
        self._constants: dict[str, Message] = {}

    def constant(self, value: Any, name: str = "") -> str:
        """A tensor (float32, uint8 or int64) that is part of the model."""
        array = np.asarray(value)
        array = np.array(array, array.dtype.newbyteorder("<"), order="C")
        name = name or f"constant_{len(self._constants)}"
        self._constants[name] = Message(
            TENSOR,
            {
                "dims": list(array.shape),
                "data_type": [ELEMENT_TYPES[array.dtype.name]],
                "name": [name],
                "raw_data": [array.tobytes()],
            },
        )
        return name

    def node(self, op: str, *inputs: str, name: str = "", **attributes: int | list[int]) -> str:
        """The output of an operator; ``name`` is that of the output."""
        output = name or f"{op.lower()}_{len(self._nodes)}"
        fields: Fields = {"input": list(inputs), "output": [output], "op_type": [op]}
        fields["attribute"] = [_attribute(key, value) for key, value in attributes.items()]
        self._nodes.append(Message(NODE, fields))
        return output

    def model(
        self, given: tuple[str, str, Shape], result: tuple[str, str, Shape], graph: str
    ) -> bytes:
        """The encoded model.

        Args:
            given: (name, data type, shape) of the input; a text in a shape names a free axis.
            result: the same of the output.
            graph: name of the graph.
        """
        content: Fields = {
            "node": self._nodes,
            "name": [graph],
            "initializer": list(self._constants.values()),
            "input": [_value_info(*given)],
            "output": [_value_info(*result)],
        }
        operators = Message(OPSET, {"version": [OPSET_VERSION]})
        fields: Fields = {"ir_version": [IR_VERSION], "graph": [Message(GRAPH, content)]}
        fields["opset_import"] = [operators]
        return encode(Message(MODEL, fields), SCHEMA)


def _attribute(name: str, value: int | list[int]) -> Message:
    """An attribute that is a whole number or a list of them."""
    field, values = ("ints", value) if isinstance(value, list) else ("i", [value])
    fields: Fields = {"name": [name], "type": [_TYPE_OF_FIELD[field]], field: list(values)}
    return Message(ATTRIBUTE, fields)


def _value_info(name: str, dtype: str, shape: Shape) -> Message:
    sides = [
        Message(DIM, {"dim_param" if isinstance(side, str) else "dim_value": [side]})
        for side in shape
    ]
    shapes = [Message(SHAPE, {"dim": sides})]
    tensor: Fields = {"elem_type": [ELEMENT_TYPES[dtype]], "shape": shapes}
    kind = Message(TYPE, {"tensor_type": [Message(TENSOR_TYPE, tensor)]})
    return Message(VALUE_INFO, {"name": [name], "type": [kind]})
