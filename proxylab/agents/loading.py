"""Networks as policies: from an agent's spec and weights to action probabilities."""

import json
import re
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from proxylab.agents.format import AgentSpec
from proxylab.errors import AgentError, UsageError
from proxylab.networks.channels_first import network_input
from proxylab.networks.forward import BUILDERS, forward_pass, weight_shapes
from proxylab_envs.batch import BatchedEnv

if TYPE_CHECKING:
    from proxylab.networks.architectures import ActorCritic  # imports torch

BLOCK_ROWS = 64
"""Network calls are padded to a multiple of this many rows, to limit the number of shapes."""

CALL_ROWS = 256
"""Largest number of rows in a call. With these sizes the outputs of the tested networks are
bitwise independent of the batch."""

Outputs = Callable[[NDArray[Any]], tuple[NDArray[np.float32], ...]]
"""Function (observations [K, ...]) -> (features [K, F], logits [K, num_actions], values [K])."""


class LearnedPolicy:
    """A network's policy.

    Attributes:
        name: reference or name of the agent, for tables.
        task: task it was trained for; None where it runs in any (a zip of SB3's).
        role: its role there.
        sha256: of its weights.
        spec: :class:`AgentSpec`.
        weights: {name: float32 array}.
        device: torch device.
        uses_torch: that torch has to be loaded to run it.
    """

    def __init__(
        self,
        spec: AgentSpec,
        weights: Mapping[str, NDArray[np.float32]],
        *,
        name: str | None = None,
        sha256: str = "",
        device: str = "cpu",
    ) -> None:
        """Wrap an agent; nothing is built or checked before its first use."""
        self.spec = spec
        self.weights = weights
        self.name = name or spec.name
        self.task: str | None = spec.task or None
        self.role = spec.role
        self.sha256 = sha256
        self.device = device
        self.uses_torch = device != "cpu" or spec.architecture not in BUILDERS

    @cached_property
    def network(self) -> "ActorCritic":
        """The network, on the policy's device, in evaluation mode and without gradients."""
        self.check()
        network = _built(self.spec, self.weights, self.name)
        return network.to(self.device).eval().requires_grad_(False)

    def check(self) -> None:
        """``AgentError`` unless the weights fit a network of the registry."""
        shapes = {name: array.shape for name, array in self.weights.items()}
        _check_shapes(_shapes(self.spec, self.name), shapes, self.name)

    @cached_property
    def _forward(self) -> Outputs:
        """The forward pass: the compiled one where there is one, else torch's."""
        if self.uses_torch:
            return self._by_torch
        self.check()
        return forward_pass(self.spec.architecture, self.weights, self.spec.observation_shape)

    def _by_torch(self, observations: NDArray[Any]) -> tuple[NDArray[np.float32], ...]:
        import torch  # torch takes a second to load

        network = self.network
        with torch.inference_mode():
            features = network.trunk(torch.from_numpy(observations).to(self.device).float())
            values = network.value_head(features).squeeze(1)
            outputs = features, network.policy_head(features), values
            return tuple(output.cpu().numpy() for output in outputs)

    def probabilities(
        self, env: BatchedEnv[Any], indices: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        """float32[K, num_actions] in the environments ``indices``."""
        return self.action_probabilities(self._observations(env, indices))

    def probabilities_and_values(
        self, env: BatchedEnv[Any], indices: NDArray[np.int64]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """(float32[K, num_actions], float32[K]) in the environments ``indices``.

        The values are the estimates of the value head, in units of the (possibly scaled)
        training reward.
        """
        return self._outputs(self._observations(env, indices))

    def features(self, env: BatchedEnv[Any], indices: NDArray[np.int64]) -> NDArray[np.float32]:
        """float32[K, width]: the features of the trunk in the environments ``indices``."""
        return self.activations(self._observations(env, indices))[0]

    def action_probabilities(self, observations: NDArray[Any]) -> NDArray[np.float32]:
        """float32[K, num_actions] for observations [K, ...]."""
        return self._outputs(observations)[0]

    def activations(
        self, observations: NDArray[Any]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """(features float32[K, width] of the trunk, float32[K, num_actions] probabilities)."""
        features, logits, _ = self._forward(observations)
        return features, _softmax(logits)

    def _observations(self, env: BatchedEnv[Any], indices: NDArray[np.int64]) -> NDArray[Any]:
        observations = network_input(env.observe()[indices], env.single_observation_space)
        if observations.shape[1:] != self.spec.observation_shape:
            raise AgentError(
                f"{self.name} expects observations {self.spec.observation_shape}, "
                f"{env.env_id} gives {observations.shape[1:]}: it was trained for another setting"
            )
        return observations

    def _outputs(
        self, observations: NDArray[Any]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """(probabilities float32[K, num_actions], values float32[K]); padded to whole blocks."""
        count = len(observations)
        rows = -(-count // BLOCK_ROWS) * BLOCK_ROWS
        padded = np.empty((rows, *observations.shape[1:]), observations.dtype)
        padded[:count] = observations
        padded[count:] = observations[
            :1
        ]  # a value iteration network is ten times slower on all zeros
        blocks = (padded[start : start + CALL_ROWS] for start in range(0, rows, CALL_ROWS))
        _, logits, values = zip(*(self._forward(block) for block in blocks), strict=True)
        return _softmax(np.concatenate(logits))[:count], np.concatenate(values)[:count]


def _softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """float32[K, num_actions], rows that sum to 1."""
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def policy_of(
    spec: AgentSpec,
    weights: Mapping[str, NDArray[np.float32]],
    *,
    name: str | None = None,
    sha256: str = "",
    device: str = "cpu",
    lazy: bool = False,
) -> LearnedPolicy:
    """The policy of an agent's network.

    Args:
        spec: :class:`AgentSpec`.
        weights: {name: float32 array}.
        name: shown in tables.
        sha256: of the weights.
        device: ``cpu``, ``cuda`` or ``auto``.
        lazy: find only on first use what is wrong with it.

    Raises:
        AgentError: unknown architecture, or weights that do not fit it.
    """
    policy = LearnedPolicy(spec, weights, name=name, sha256=sha256, device=torch_device(device))
    if not lazy:
        policy.check()
    return policy


def _built(
    spec: AgentSpec, weights: Mapping[str, NDArray[np.float32]], shown: str
) -> "ActorCritic":
    """The network of an agent with its weights."""
    import torch  # torch takes a second to load

    network = _network(spec, shown)
    network.load_state_dict({key: torch.from_numpy(array) for key, array in weights.items()})
    return network


_SHAPES: dict[tuple[Any, ...], dict[str, tuple[int, ...]]] = {}
"""{network: shapes of its weights}; a population has one network."""


def _shapes(spec: AgentSpec, name: str) -> dict[str, tuple[int, ...]]:
    """{weight: shape} of an agent's network; no memory is allocated for the weights."""
    sizes = json.dumps(spec.sizes, sort_keys=True)
    key = spec.architecture, sizes, tuple(spec.observation_shape), spec.num_actions
    if key not in _SHAPES:
        _SHAPES[key] = _new_shapes(spec, name)
    return _SHAPES[key]


def _new_shapes(spec: AgentSpec, name: str) -> dict[str, tuple[int, ...]]:
    if spec.architecture in BUILDERS:
        shape, actions = spec.observation_shape, spec.num_actions
        try:
            return weight_shapes(spec.architecture, shape, actions, **spec.sizes)
        except (TypeError, ValueError) as error:
            raise _no_such_network(spec, name, error) from None
    import torch  # torch takes a second to load

    with torch.device("meta"):
        weights = _network(spec, name).state_dict()
    return {part: tuple(tensor.shape) for part, tensor in weights.items()}


def _no_such_network(spec: AgentSpec, name: str, error: Exception) -> AgentError:
    return AgentError(f"{name}: {spec.architecture} cannot have these sizes ({error})")


def _network(spec: AgentSpec, name: str) -> "ActorCritic":
    """A network with arbitrary weights, from the closed registry."""
    from proxylab.networks.architectures import ARCHITECTURES, build_network  # imports torch

    if spec.architecture not in ARCHITECTURES:
        known = ", ".join(ARCHITECTURES)
        raise AgentError(f"{name}: unknown architecture {spec.architecture!r}: known are {known}")
    shape, actions = spec.observation_shape, spec.num_actions
    try:
        return build_network(spec.architecture, shape, actions, **spec.sizes)
    except (TypeError, ValueError, RuntimeError) as error:
        raise _no_such_network(spec, name, error) from None


def _check_shapes(
    expected: Mapping[str, tuple[int, ...]], shapes: Mapping[str, tuple[int, ...]], name: str
) -> None:
    for key in expected.keys() | shapes.keys():
        if key not in shapes:
            raise AgentError(f"{name}: the weights lack {key}")
        if key not in expected:
            raise AgentError(
                f"{name}: the weights hold {key}, which the architecture does not have"
            )
        if expected[key] != shapes[key]:
            raise AgentError(f"{name}: {key} has shape {shapes[key]}, not {expected[key]}")


def torch_device(device: str) -> str:
    """A torch device from ``auto``, ``cpu`` or ``cuda``; ``UsageError`` if not available."""
    if device == "cpu":
        return device
    import torch  # torch takes a second to load

    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    known = re.fullmatch(r"(cpu|cuda)(?::(\d{1,3}))?", str(device))
    if known is None:
        raise UsageError(f"unknown device {str(device)!r}: choose auto, cpu or cuda")
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if known[1] == "cuda" and not count:
        raise UsageError("no CUDA device here: use --device cpu")
    if known[1] == "cuda" and int(known[2] or 0) >= count:
        raise UsageError(f"no CUDA device {known[2]} here: there are {count}")
    return device
