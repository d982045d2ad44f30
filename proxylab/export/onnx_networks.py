"""The architectures as ONNX graphs: each function repeats the ``forward`` of one trunk."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from proxylab.agents.format import AgentSpec
from proxylab.export.layers import MLPS, SEPARATE_MLPS, module_numbers
from proxylab.export.onnx_graph import BATCH, GraphBuilder

INPUT, OUTPUT = "observations", "logits"

Weights = dict[str, NDArray[np.float32]]
"""{name: array} of a network."""


class NetworkGraph(GraphBuilder):
    """A graph with the layers of torch, whose weights have the names of the agent's file."""

    def __init__(self, spec: AgentSpec, weights: Weights) -> None:
        """Begin the graph of an agent."""
        super().__init__()
        self.spec, self.weights = spec, weights

    def weight(self, name: str) -> str:
        """A tensor of the agent."""
        return self.constant(self.weights[name], name)

    def linear(self, value: str, layer: str, name: str = "") -> str:
        """``torch.nn.Linear``."""
        parts = (self.weight(f"{layer}.{part}") for part in ("weight", "bias"))
        return self.node("Gemm", value, *parts, name=name, transB=1)

    def convolution(self, value: str, layer: str, stride: int = 1, padding: int = 1) -> str:
        """``torch.nn.Conv2d``."""
        parts = (self.weight(f"{layer}.{part}") for part in ("weight", "bias"))
        return self.node("Conv", value, *parts, strides=[stride] * 2, pads=[padding] * 4)

    def layers(self, value: str, prefix: str, activation: str) -> str:
        """A ``torch.nn.Sequential`` of linear layers with an activation after each."""
        for layer in module_numbers(self.weights, prefix):
            value = self.node(activation, self.linear(value, f"{prefix}.{layer}"))
        return value

    def flat(self, value: str) -> str:
        """[N, …] -> [N, numbers]."""
        return self.node("Flatten", value, axis=1)

    def residual(self, value: str, block: str) -> str:
        """A residual block of ``impala``."""
        inner = self.convolution(self.node("Relu", value), f"{block}.first")
        return self.node(
            "Add", value, self.convolution(self.node("Relu", inner), f"{block}.second")
        )


def _mlp(graph: NetworkGraph, value: str) -> str:
    return _two(graph, graph.flat(value), MLPS, "Tanh")


def _two(graph: NetworkGraph, flat: str, prefixes: tuple[str, str], activation: str) -> str:
    """Two chains of layers, side by side."""
    ends = [graph.layers(flat, prefix, activation) for prefix in prefixes]
    return graph.node("Concat", *ends, axis=1)


def _separate(activation: str) -> "Trunk":
    return lambda graph, value: _two(graph, graph.flat(value), SEPARATE_MLPS, activation)


def _conv(graph: NetworkGraph, value: str) -> str:
    rooms = graph.node("Relu", graph.convolution(value, "trunk.rooms", stride=2, padding=0))
    for block in module_numbers(graph.weights, "trunk.blocks"):
        more = graph.node("Relu", graph.convolution(rooms, f"trunk.blocks.{block}"))
        rooms = graph.node("Add", rooms, more)
    return graph.node("Relu", graph.linear(graph.flat(rooms), "trunk.hidden"))


def _impala(graph: NetworkGraph, value: str) -> str:
    value = graph.node("Div", value, graph.constant(np.float32(255)))
    for stage in module_numbers(graph.weights, "trunk.stages"):
        layer = f"trunk.stages.{stage}"
        value = graph.convolution(value, f"{layer}.0")
        value = graph.node("MaxPool", value, kernel_shape=[3, 3], strides=[2, 2], pads=[1] * 4)
        for block in (2, 3):
            value = graph.residual(value, f"{layer}.{block}")
    value = graph.flat(graph.node("Relu", value))
    return graph.node("Relu", graph.linear(value, "trunk.hidden"))


def _nature(graph: NetworkGraph, value: str) -> str:
    value = graph.node("Div", value, graph.constant(np.float32(255)))
    for layer, stride in zip(module_numbers(graph.weights, "trunk.cnn"), (4, 2, 1), strict=True):
        convolved = graph.convolution(value, f"trunk.cnn.{layer}", stride, padding=0)
        value = graph.node("Relu", convolved)
    features = graph.node("Relu", graph.linear(graph.flat(value), "trunk.linear"))
    return _two(graph, features, SEPARATE_MLPS, "Relu" if graph.spec.sizes.get("relu") else "Tanh")


def _egocentric(graph: NetworkGraph, value: str) -> str:
    planes, rows, columns = graph.spec.observation_shape
    down, right = rows - 3, columns - 3
    agent = graph.node("Gather", value, graph.constant(np.int64(1)), axis=1)
    here = graph.node("ArgMax", graph.flat(agent), axis=1, keepdims=1)
    side = graph.constant(np.int64(columns))
    row = graph.node("Div", here, side)
    column = graph.node("Sub", here, graph.node("Mul", row, side))
    row = graph.node("Add", row, graph.constant(np.arange(2 * down + 1)))
    column = graph.node("Add", column, graph.constant(np.arange(2 * right + 1)))
    first, second = graph.constant(np.array([1])), graph.constant(np.array([2]))
    row = graph.node("Unsqueeze", row, second)
    start = graph.node("Mul", row, graph.constant(np.int64(columns + 2 * right)))
    cells = graph.flat(graph.node("Add", start, graph.node("Unsqueeze", column, first)))
    cells = graph.node("Unsqueeze", cells, first)
    cells = graph.node("Expand", cells, graph.constant(np.array([1, planes, 1])))
    border = graph.constant(np.array([0, 0, down, right] * 2))
    padded = graph.node("Pad", value, border)
    padded = graph.node("Reshape", padded, graph.constant(np.array([0, planes, -1])))
    view = graph.node("GatherElements", padded, cells, axis=2)
    return _two(graph, graph.flat(view), MLPS, "Tanh")


Trunk = Callable[[NetworkGraph, str], str]

TRUNKS: dict[str, Trunk] = {
    "conv": _conv,
    "mlp": _mlp,
    "egocentric-mlp": _egocentric,
    "impala": _impala,
    "nature-cnn": _nature,
    "mlp-tanh": _separate("Tanh"),
    "mlp-relu": _separate("Relu"),
}
"""Architecture: function (graph, name of the observations) -> name of the features."""


def onnx_bytes(spec: AgentSpec, weights: Weights) -> bytes:
    """The policy of an agent as an ONNX model: observations [N, …] -> logits [N, actions].

    Args:
        spec: with an architecture in :data:`TRUNKS`.
        weights: {name: float32 array}.
    """
    graph = NetworkGraph(spec, weights)
    value = INPUT
    if spec.observation_dtype != "float32":
        value = graph.node("Cast", INPUT, to=1)
    features = TRUNKS[spec.architecture](graph, value)
    graph.linear(features, "policy_head", name=OUTPUT)
    given = (INPUT, spec.observation_dtype, (BATCH, *spec.observation_shape))
    result = (OUTPUT, "float32", (BATCH, spec.num_actions))
    return graph.model(given, result, "policy")
