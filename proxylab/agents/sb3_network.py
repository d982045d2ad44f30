"""The network of a Stable-Baselines3 zip as one of the registry, from its tensors alone.

PPO and A2C become a policy that draws its actions. DQN's Q-values become logits times ``GREEDY``:
a policy that takes the action of the highest value, without exploration.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from proxylab.console.terminal import one_line
from proxylab.errors import AgentError
from proxylab.untrusted.sb3_tensors import DEFAULT

Arrays = Mapping[str, NDArray[Any]]
Layers = dict[int, dict[str, NDArray[Any]]]
"""{number of the layer: {"weight" or "bias": array}}."""

ACTIVATIONS = ("Tanh", "ReLU")
GREEDY = 2.0**30
"""Factor on Q-values: actions whose values differ by more than 1e-7 get probability 0 or 1."""

NUMBER = r"(0|[1-9][0-9]{0,2})\.(weight|bias)"
LAYER = re.compile(rf"mlp_extractor\.(policy|value)_net\.{NUMBER}")
CNN = re.compile(r"(?:(pi|vf)_)?features_extractor\.(cnn\.[024]|linear\.0)\.(weight|bias)")
HEADS = {"action_net": "policy_head", "value_net": "value_head"}
HEAD_NAMES = {f"{head}.{kind}" for head in HEADS for kind in ("weight", "bias")}
Q_NET, Q_TARGET = "q_net.", "q_net_target."
Q_LAYER = re.compile(rf"q_net\.{NUMBER}")
KNOWN = (
    "only PPO, A2C and DQN with MlpPolicy or CnnPolicy, one features extractor and discrete "
    "actions are converted"
)


@dataclass(frozen=True)
class Network:
    """A network of the registry.

    Attributes:
        architecture: its name.
        sizes: its keyword arguments.
        weights: {name: float32 array}.
        observation_shape: shape of an observation.
        observation_dtype: ``uint8`` for images, else ``float32``.
        num_actions: number of actions.
    """

    architecture: str
    sizes: dict[str, Any]
    weights: dict[str, NDArray[Any]]
    observation_shape: tuple[int, ...]
    observation_dtype: str
    num_actions: int


def network_of(
    state: Arrays, facts: Mapping[str, str], file: Path, activation: str | None = None
) -> Network:
    """The :class:`Network` of a zip.

    Args:
        state: {name: array} of its policy.
        facts: see ``proxylab.untrusted.sb3_tensors``.
        file: the zip, for messages.
        activation: ``tanh`` or ``relu``, in place of what the zip says.

    Raises:
        AgentError: its tensors are those of no network of the registry.
    """
    if facts.get("actions") == "Box" or "log_std" in state:
        raise AgentError(f"{file}: its actions are continuous: only discrete ones are compared")
    if facts.get("action_start", "0") != "0":
        raise AgentError(f"{file}: its actions do not begin with 0")
    greedy = any(name.startswith(Q_NET) for name in state)
    parts = _q_parts(state, file) if greedy else _actor_critic_parts(state, file)
    named = activation or facts.get("activation", "another")
    relu = _is_relu(file, ("ReLU" if greedy else "Tanh") if named == DEFAULT else named)
    return _built(parts, facts, relu, file)


def _is_relu(file: Path, named: str) -> bool:
    """Whether an activation is ReLU; ``AgentError`` unless it is Tanh or ReLU."""
    for name in ACTIVATIONS:
        if named.lower() == name.lower():
            return name == "ReLU"
    raise AgentError(
        f"{file}: its activation is {one_line(named)!r}, not Tanh or ReLU; if you know that it "
        "is one of them, say --activation tanh or --activation relu"
    )


@dataclass(frozen=True)
class _Parts:
    """The tensors by their use.

    Attributes:
        image: {name below the features extractor: array}; empty for ``MlpPolicy``.
        nets: {"policy" or "value": hidden layers}.
        heads: {"policy" or "value": (weight, bias)}; None where the zip has no such head.
    """

    image: dict[str, NDArray[Any]]
    nets: dict[str, Layers]
    heads: dict[str, tuple[NDArray[Any], NDArray[Any]] | None]


def _refuse(file: Path, name: str) -> NoReturn:
    raise AgentError(f"{file}: it holds {one_line(name)!r}: {KNOWN}")


def _actor_critic_parts(state: Arrays, file: Path) -> _Parts:
    """Those of PPO and A2C."""
    nets: dict[str, Layers] = {"policy": {}, "value": {}}
    image: dict[str, NDArray[Any]] = {}
    for name, array in state.items():
        if match := LAYER.fullmatch(name):
            nets[match[1]].setdefault(int(match[2]), {})[match[3]] = array
        elif match := CNN.fullmatch(name):
            known = image.setdefault(f"{match[2]}.{match[3]}", array)
            if known is not array and not np.array_equal(known, array):
                raise AgentError(f"{file}: separate features extractors: {KNOWN}")
        elif name not in HEAD_NAMES:
            _refuse(file, name)
    heads = {}
    for sb3_name, net in zip(HEADS, nets, strict=True):
        weight, bias = state.get(f"{sb3_name}.weight"), state.get(f"{sb3_name}.bias")
        if weight is None or bias is None:
            raise AgentError(f"{file}: {sb3_name} is missing")
        heads[net] = weight, bias
    return _Parts(image, nets, heads)


def _q_parts(state: Arrays, file: Path) -> _Parts:
    """Those of DQN: its last layer is the head; the target network is not used."""
    layers: Layers = {}
    image: dict[str, NDArray[Any]] = {}
    for name, array in state.items():
        below = name.removeprefix(Q_NET)
        if match := Q_LAYER.fullmatch(below):
            layers.setdefault(int(match[1]), {})[match[2]] = array
        elif (match := CNN.fullmatch(below)) and match[1] is None:
            image[f"{match[2]}.{match[3]}"] = array
        elif not name.startswith(Q_TARGET):
            _refuse(file, name)
    last = layers.pop(max(layers, default=0), {})
    weight, bias = last.get("weight"), last.get("bias")
    if weight is None or bias is None:
        raise AgentError(f"{file}: q_net has no last layer")
    head = weight * np.float32(GREEDY), bias * np.float32(GREEDY)
    return _Parts(image, {"policy": layers, "value": {}}, {"policy": head, "value": None})


def _built(parts: _Parts, facts: Mapping[str, str], relu: bool, file: Path) -> Network:
    """The :class:`Network`; every shape that the registry does not check is checked here."""
    told = tuple(int(n) for n in re.findall(r"\d{1,9}", facts.get("observation_shape", "")))
    inputs, weights, sizes = _image(parts, told, file)
    if not parts.image:
        inputs = _inputs(parts, file)
    for net, layers in parts.nets.items():
        sizes[net] = _check_layers(layers, inputs, f"{file}: {net}_net")
        for number, layer in layers.items():
            weights |= {f"trunk.{net}.{number}.{kind}": a for kind, a in layer.items()}
    widths = [[inputs, *sizes[net]][-1] for net in parts.nets]
    weights |= _heads(parts, widths, file)
    scaled = facts.get("scaled") == "yes"
    if parts.image:
        _rescale(weights, ["trunk.cnn.0"], 1.0 if scaled else 255.0)
        return Network("nature-cnn", {**sizes, "relu": relu}, weights, told, "uint8", _count(parts))
    if scaled:
        first = [f"trunk.{net}.0" for net in parts.nets if parts.nets[net]]
        _rescale(weights, first, 1 / 255)
        if not parts.nets["policy"]:  # a head without hidden layers reads the image itself
            raise AgentError(f"{file}: a network without hidden layers on images: {KNOWN}")
    if told and prod(told) != inputs:
        raise AgentError(
            f"{file}: it takes observations {list(told)}, but its first layer {inputs} numbers"
        )
    shape = told or (inputs,)
    dtype = "uint8" if scaled else "float32"
    name = "mlp-relu" if relu else "mlp-tanh"
    return Network(name, sizes, weights, shape, dtype, _count(parts))


def _image(
    parts: _Parts, told: tuple[int, ...], file: Path
) -> tuple[int, dict[str, NDArray[Any]], dict[str, Any]]:
    """(features, weights, sizes) of the convolutions; (0, {}, {}) without."""
    if not parts.image:
        return 0, {}, {}
    linear = parts.image.get("linear.0.weight")
    if linear is None or linear.ndim != 2 or len(told) != 3:
        raise AgentError(f"{file}: its convolutions are not those of CnnPolicy: {KNOWN}")
    names = {name: name.replace("linear.0", "linear") for name in parts.image}
    weights = {f"trunk.{names[name]}": array for name, array in parts.image.items()}
    return len(linear), weights, {"width": len(linear)}


def _inputs(parts: _Parts, file: Path) -> int:
    """Numbers of an observation, by the first layer of the policy."""
    head = parts.heads["policy"]
    first = parts.nets["policy"].get(0, {}).get("weight", head[0] if head else None)
    if first is None or first.ndim != 2:
        raise AgentError(f"{file}: its first layer is no linear layer")
    return int(first.shape[1])


def _count(parts: _Parts) -> int:
    """Number of actions."""
    head = parts.heads["policy"]
    return len(head[1]) if head else 0


def _rescale(weights: dict[str, NDArray[Any]], layers: Sequence[str], factor: float) -> None:
    """Multiply the weights of first layers, in place of a scaled observation."""
    for layer in layers:
        if f"{layer}.weight" in weights:
            weights[f"{layer}.weight"] = weights[f"{layer}.weight"] * np.float32(factor)


def _check_layers(layers: Layers, size: int, where: str) -> list[int]:
    """Widths of consecutive linear layers, numbered 0, 2, 4, …, each with a bias."""
    if sorted(layers) != list(range(0, 2 * len(layers), 2)):
        raise AgentError(f"{where} is no chain of linear layers")
    widths = []
    for number in sorted(layers):
        weight, bias = (layers[number].get(kind) for kind in ("weight", "bias"))
        if weight is None or bias is None or weight.ndim != 2 or bias.shape != weight.shape[:1]:
            raise AgentError(f"{where}.{number} is no linear layer")
        if weight.shape[1] != size:
            raise AgentError(f"{where}.{number} takes {weight.shape[1]} numbers, but gets {size}")
        size = weight.shape[0]
        widths.append(size)
    return widths


def _heads(parts: _Parts, widths: Sequence[int], file: Path) -> dict[str, NDArray[Any]]:
    """Weights of the two heads over the features of both nets, zero for the other net."""
    weights, start = {}, 0
    counts = _count(parts), 1
    for (net, head), name, width, count in zip(
        parts.heads.items(), HEADS.values(), widths, counts, strict=True
    ):
        wide = np.zeros((count, sum(widths)), np.float32)
        bias = np.zeros(count, np.float32)
        if head is not None:
            weight, bias = head
            if weight.shape != (count, width) or bias.shape != (count,) or not count:
                raise AgentError(f"{file}: {net} head has shape {weight.shape}: {[count, width]}")
            wide[:, start : start + width] = weight
        weights |= {f"{name}.weight": wide, f"{name}.bias": bias}
        start += width
    return weights
