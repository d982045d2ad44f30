"""Forward passes on a CPU without torch, for the small networks that are played most.

Compiled loops with the rows of a batch innermost: ``[features, K]``, not ``[K, features]``. They
are about as fast as torch for large batches and faster for small ones, torch takes seconds to load,
and the result of a row does not depend on the others. The product of an egocentric view, which is
mostly zeros, adds the weights of the other inputs only.

:func:`forward_pass` returns the function of an agent; ``ARCHITECTURES`` in ``architectures.py``
defines the same networks for training, and their names and shapes of weights.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import pairwise
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
Weights = Mapping[str, Array]
Shapes = dict[str, tuple[int, ...]]
Trunk = tuple[Shapes, int]
"""({weight: shape}, number of features)."""
Forward = Callable[[NDArray[Any]], Array]
"""Function (observations [K, ...]) -> features float32[F, K]."""

KERNEL = 3
"""Side of every convolution's window, in cells."""


_COMPILED: dict[str, Any] = {"cache": True, "nogil": True, "fastmath": {"contract"}}
"""``contract`` lets a product and a sum be one instruction; sums keep their order."""


@numba.njit(**_COMPILED)
def affine(inputs: Array, weight: Array, bias: Array) -> Array:
    """W x + b: float32[M, K] from float32[N, K], float32[M, N] and float32[M]."""
    count, rows = inputs.shape
    out = np.empty((len(bias), rows), np.float32)
    fours = count - count % 4
    for m in range(len(bias)):
        sums = out[m]
        sums[:] = bias[m]
        for n in range(0, fours, 4):  # four inputs at once: a quarter of the loads and stores
            wa, wb, wc, wd = weight[m, n], weight[m, n + 1], weight[m, n + 2], weight[m, n + 3]
            a, b, c, d = inputs[n], inputs[n + 1], inputs[n + 2], inputs[n + 3]
            for k in range(rows):
                sums[k] += (wa * a[k] + wb * b[k]) + (wc * c[k] + wd * d[k])
        for n in range(fours, count):
            for k in range(rows):
                sums[k] += weight[m, n] * inputs[n, k]
    return out


@numba.njit(**_COMPILED)
def convolution(planes: Array, weight: Array, bias: Array, stride: int) -> Array:
    """A 3×3 convolution without padding: float32[C, H', W', K].

    Args:
        planes: float32[P, H, W, K].
        weight: float32[C, P, 3, 3].
        bias: float32[C].
        stride: cells from one window to the next.
    """
    count, height, width, rows = planes.shape
    shape = (len(bias), (height - KERNEL) // stride + 1, (width - KERNEL) // stride + 1, rows)
    out = np.empty(shape, np.float32)
    for c in range(shape[0]):
        for i in range(shape[1]):
            for j in range(shape[2]):
                out[c, i, j] = bias[c]
                for p in range(count):
                    top, left = i * stride, j * stride
                    _add_window(out[c, i, j], planes[p], top, left, weight[c, p])
    return out


@numba.njit(inline="always", **_COMPILED)
def _add_window(sums: Array, plane: Array, top: int, left: int, weight: Array) -> None:
    """Add the products of one window, in place: all nine at once, for few loads and stores."""
    above, middle, below = weight
    first, second, third = plane[top], plane[top + 1], plane[top + 2]
    a, b, c = first[left], first[left + 1], first[left + 2]
    d, e, f = second[left], second[left + 1], second[left + 2]
    g, h, i = third[left], third[left + 1], third[left + 2]
    for k in range(len(sums)):
        upper = (above[0] * a[k] + above[1] * b[k]) + above[2] * c[k]
        centre = (middle[0] * d[k] + middle[1] * e[k]) + middle[2] * f[k]
        lower = (below[0] * g[k] + below[1] * h[k]) + below[2] * i[k]
        sums[k] += (upper + centre) + lower


@numba.njit(cache=True, nogil=True)
def egocentric_product(planes: NDArray[Any], weight: Array) -> Array:
    """The product of the view from the agent (plane 1) and a layer's weights: float32[K, M].

    Args:
        planes: uint8 or float32[K, P, H, W].
        weight: float32[P, 2·(H − 3) + 1, 2·(W − 3) + 1, M], by offset from the agent.
    """
    rows, columns = planes.shape[2:]
    out = np.zeros((planes.shape[0], weight.shape[3]), np.float32)
    for k in range(planes.shape[0]):
        here = np.argmax(planes[k, 1])
        down, right = rows - 3 - here // columns, columns - 3 - here % columns
        for plane in range(planes.shape[1]):
            for i in range(max(0, -down), min(rows, weight.shape[1] - down)):
                for j in range(max(0, -right), min(columns, weight.shape[2] - right)):
                    value = np.float32(planes[k, plane, i, j])
                    if value != 0:
                        for m in range(out.shape[1]):
                            out[k, m] += value * weight[plane, i + down, j + right, m]
    return out


def _conv_shapes(
    observation: Sequence[int], channels: int = 16, blocks: int = 3, width: int = 128
) -> Trunk:
    planes, rows, _ = observation
    counts = channels, blocks, width
    if not all(isinstance(count, int) for count in counts):
        raise ValueError(f"channels, blocks and width are counts, not {counts}")
    shapes: Shapes = {"rooms.weight": (channels, planes, KERNEL, KERNEL), "rooms.bias": (channels,)}
    for n in range(blocks):
        shapes[f"blocks.{n}.weight"] = (channels, channels, KERNEL, KERNEL)
        shapes[f"blocks.{n}.bias"] = (channels,)
    return shapes | _layer("hidden", channels * ((rows - 1) // 2) ** 2, width), width


def _layer(name: str, inputs: int, outputs: int) -> Shapes:
    return {f"{name}.weight": (outputs, inputs), f"{name}.bias": (outputs,)}


def _tower_shapes(name: str, sizes: Sequence[int]) -> Shapes:
    """Linear layers with an activation after each: every other module has weights."""
    shapes: Shapes = {}
    for n, (inputs, outputs) in enumerate(pairwise(sizes)):
        shapes |= _layer(f"{name}.{2 * n}", inputs, outputs)
    return shapes


def _mlp_shapes(observation: Sequence[int], width: int = 64, depth: int = 2) -> Trunk:
    return _two_towers(math.prod(observation), width, depth)


def _egocentric_shapes(observation: Sequence[int], width: int = 64, depth: int = 2) -> Trunk:
    planes, rows, columns = observation
    if planes < 2 or min(rows, columns) < 4:
        raise ValueError(f"egocentric-mlp takes planes [P, H, W], not {list(observation)}")
    return _two_towers(planes * (2 * rows - 5) * (2 * columns - 5), width, depth)


def _two_towers(size: int, width: int, depth: int) -> Trunk:
    sizes = [size] + [width] * depth
    return _tower_shapes("towers.0", sizes) | _tower_shapes("towers.1", sizes), 2 * width


def _separate_shapes(
    observation: Sequence[int], policy: Sequence[int] = (64, 64), value: Sequence[int] = (64, 64)
) -> Trunk:
    first, second = ([math.prod(observation), *widths] for widths in (policy, value))
    shapes = _tower_shapes("policy", first) | _tower_shapes("value", second)
    return shapes, first[-1] + second[-1]


def _conv(trunk: Weights) -> Forward:
    """The features of ``conv``."""
    blocks = sum(name.startswith("blocks.") for name in trunk) // 2
    names = ("rooms", *(f"blocks.{n}" for n in range(blocks)), "hidden")
    first, *rest, last = ((trunk[f"{name}.weight"], trunk[f"{name}.bias"]) for name in names)

    def features(observations: NDArray[Any]) -> Array:
        rooms = _relu(convolution(_rows_last(observations), *first, 2))
        for block in rest:
            padded = np.pad(rooms, ((0, 0), (1, 1), (1, 1), (0, 0)))
            rooms = rooms + _relu(convolution(padded, *block, 1))
        return _relu(affine(rooms.reshape(-1, rooms.shape[3]), *last))

    return features


def _rows_last(values: NDArray[Any]) -> Array:
    """[K, ...] -> float32[..., K]."""
    return np.ascontiguousarray(np.moveaxis(values, 0, -1), np.float32)


def _relu(values: Array) -> Array:
    return np.maximum(values, 0, out=values)


def _tanh(values: Array) -> Array:
    return np.tanh(values, out=values)


Layers = list[tuple[Array, Array]]
"""[(weight float32[out, in], bias float32[out])]."""


def _towers(names: Sequence[str], activation: Callable[[Array], Array], trunk: Weights) -> Forward:
    """Parallel multilayer perceptrons, whose features are concatenated."""
    towers = [_layers_of(trunk, name) for name in names]

    def features(observations: NDArray[Any]) -> Array:
        flat = _rows_last(observations.reshape(len(observations), -1))
        return np.concatenate([_through(tower, flat, activation) for tower in towers])

    return features


def _egocentric(trunk: Weights, observation: Sequence[int]) -> Forward:
    """The features of ``egocentric-mlp``."""
    planes, rows, columns = observation
    view = planes, 2 * rows - 5, 2 * columns - 5
    towers = []
    for name in _PARALLEL:
        (weight, bias), *rest = _layers_of(trunk, name)
        towers.append((np.ascontiguousarray(weight.T).reshape(*view, -1), bias, rest))

    def features(observations: NDArray[Any]) -> Array:
        parts = []
        for weight, bias, rest in towers:
            first = _tanh(egocentric_product(observations, weight) + bias)
            parts.append(_through(rest, _rows_last(first), _tanh))
        return np.concatenate(parts)

    return features


def _layers_of(trunk: Weights, name: str) -> Layers:
    """The layers of a tower, in order."""
    ends = (key.removeprefix(f"{name}.") for key in trunk if key.startswith(f"{name}."))
    numbers = sorted({int(end.split(".")[0]) for end in ends})
    return [(trunk[f"{name}.{n}.weight"], trunk[f"{name}.{n}.bias"]) for n in numbers]


def _through(layers: Layers, values: Array, activation: Callable[[Array], Array]) -> Array:
    for weight, bias in layers:
        values = activation(affine(values, weight, bias))
    return values


def _on_any(build: Callable[[Weights], Forward]) -> Callable[[Weights, Sequence[int]], Forward]:
    return lambda trunk, observation: build(trunk)


_PARALLEL, _SEPARATE = ("towers.0", "towers.1"), ("policy", "value")
BUILDERS: dict[str, tuple[Callable[..., Trunk], Callable[[Weights, Sequence[int]], Forward]]] = {
    "conv": (_conv_shapes, _on_any(_conv)),
    "mlp": (_mlp_shapes, _on_any(partial(_towers, _PARALLEL, _tanh))),
    "egocentric-mlp": (_egocentric_shapes, _egocentric),
    "mlp-tanh": (_separate_shapes, _on_any(partial(_towers, _SEPARATE, _tanh))),
    "mlp-relu": (_separate_shapes, _on_any(partial(_towers, _SEPARATE, _relu))),
}
"""{architecture: (shapes of its trunk's weights, function of its trunk's features)}."""


def weight_shapes(
    architecture: str, observation: Sequence[int], num_actions: int, **sizes: Any
) -> Shapes:
    """{weight: shape} of an architecture in ``BUILDERS``.

    Raises:
        TypeError: an unknown size.
        ValueError: an observation of another number of dimensions.
    """
    trunk, width = BUILDERS[architecture][0](observation, **sizes)
    shapes = {f"trunk.{name}": shape for name, shape in trunk.items()}
    heads = _layer("policy_head", width, num_actions) | _layer("value_head", width, 1)
    return shapes | heads


def forward_pass(
    architecture: str, weights: Weights, observation: Sequence[int]
) -> Callable[[NDArray[Any]], tuple[Array, Array, Array]]:
    """A network of ``BUILDERS`` as a function.

    Args:
        architecture: its name.
        weights: {name: float32 array} with the shapes of :func:`weight_shapes`.
        observation: shape of one observation.

    Returns:
        Function (observations [K, ...]) -> (features float32[K, F] of the trunk, logits
        float32[K, num_actions], values float32[K]).
    """
    arrays = {name: np.ascontiguousarray(array) for name, array in weights.items()}
    trunk = {name[6:]: array for name, array in arrays.items() if name.startswith("trunk.")}
    features_of = BUILDERS[architecture][1](trunk, observation)
    policy, value = (
        (arrays[f"{head}.weight"], arrays[f"{head}.bias"]) for head in ("policy_head", "value_head")
    )

    def run(observations: NDArray[Any]) -> tuple[Array, Array, Array]:
        features = features_of(np.ascontiguousarray(observations))
        return features.T, affine(features, *policy).T, affine(features, *value)[0]

    return run
