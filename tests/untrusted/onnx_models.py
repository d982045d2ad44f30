"""ONNX models, made with the package onnx or bent from such."""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

OPSET = [helper.make_opsetid("", 17)]


def constant(name, value):
    return numpy_helper.from_array(np.asarray(value), name)


def model_bytes(nodes, inputs, outputs, constants=(), opsets=OPSET):
    """Bytes of a model; inputs and outputs are (name, type, shape)."""
    infos = [[helper.make_tensor_value_info(*row) for row in rows] for rows in (inputs, outputs)]
    graph = helper.make_graph(nodes, "policy", *infos, list(constants))
    return helper.make_model(graph, opset_imports=opsets, ir_version=8).SerializeToString()


def linear(size, num_actions, seed=0, output="logits", batch="N", softmax=False, shape=None):
    """(bytes, weight, bias) of a model that flattens, multiplies and adds."""
    rng = np.random.default_rng(seed)
    weight = rng.normal(size=(size, num_actions)).astype(np.float32)
    bias = rng.normal(size=num_actions).astype(np.float32)
    last = "raw" if softmax else output
    nodes = [
        helper.make_node("Flatten", ["obs"], ["flat"]),
        helper.make_node("Gemm", ["flat", "w", "b"], [last]),
    ]
    nodes += [helper.make_node("Softmax", ["raw"], [output], axis=1)] if softmax else []
    inputs = [("obs", TensorProto.FLOAT, [batch, *(shape or [size])])]
    outputs = [(output, TensorProto.FLOAT, [batch, num_actions])]
    given = [constant("w", weight), constant("b", bias)]
    return model_bytes(nodes, inputs, outputs, given), weight, bias


__all__ = ["OPSET", "constant", "helper", "linear", "model_bytes", "onnx"]
