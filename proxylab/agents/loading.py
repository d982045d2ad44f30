"""Networks as policies: from an agent's spec and weights to action probabilities."""

import json
import re
from collections.abc import Callable, Mapping
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from proxylab.agents.format import AgentSpec
from proxylab.errors import AgentError, UsageError
from proxylab.networks.channels_first import channels_first
from proxylab_envs.batch import BatchedEnv

if TYPE_CHECKING:
    from proxylab.networks.architectures import ActorCritic  # imports torch

BLOCK_ROWS = 64
"""Network calls are padded to a multiple of this many rows, to limit the number of shapes."""

CALL_ROWS = 256
"""Largest number of rows in a call. With these sizes the outputs of the tested networks are
bitwise independent of the batch."""


class LearnedPolicy:
    """A network's policy.

    Attributes:
        name: reference or name of the agent, for tables.
        task: task it was trained for.
        role: its role there.
        sha256: of its weights.
        spec: :class:`AgentSpec`.
        network: ``torch.nn.Module``, in evaluation mode and without gradients; built on first use.
        device: torch device.
        uses_torch: that torch has to be loaded for it.
    """

    uses_torch = True

    def __init__(
        self,
        spec: AgentSpec,
        build: "Callable[[], ActorCritic]",
        *,
        name: str | None = None,
        sha256: str = "",
        device: str = "cpu",
    ) -> None:
        """Wrap a network that fits ``spec``, which ``build`` returns (torch is slow to load)."""
        self.spec = spec
        self.name = name or spec.name
        self.task = spec.task
        self.role = spec.role
        self.sha256 = sha256
        self.device = device
        self._build = build

    @cached_property
    def network(self) -> "ActorCritic":
        """The network, on the policy's device."""
        return self._build().to(self.device).eval().requires_grad_(False)

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

    def action_probabilities(self, observations: NDArray[Any]) -> NDArray[np.float32]:
        """float32[K, num_actions] for observations [K, ...]."""
        return self._outputs(observations)[0]

    def activations(
        self, observations: NDArray[Any]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """(features float32[K, width] of the trunk, float32[K, num_actions] probabilities)."""
        import torch  # torch takes a second to load

        with torch.inference_mode():
            inputs = torch.from_numpy(observations).to(self.device).float()
            features = self.network.trunk(inputs)
            probabilities = torch.softmax(self.network.policy_head(features), dim=-1)
            return features.cpu().numpy(), probabilities.cpu().numpy()

    def _observations(self, env: BatchedEnv[Any], indices: NDArray[np.int64]) -> NDArray[Any]:
        observations = channels_first(env.observe()[indices])
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
        import torch  # torch takes a second to load

        count = len(observations)
        rows = -(-count // BLOCK_ROWS) * BLOCK_ROWS
        padded = np.empty((rows, *observations.shape[1:]), observations.dtype)
        padded[:count] = observations
        padded[count:] = observations[
            :1
        ]  # a value iteration network is ten times slower on all zeros
        with torch.inference_mode():
            blocks = torch.from_numpy(padded).to(self.device).split(CALL_ROWS)
            results = [self.network(block) for block in blocks]
            probabilities = torch.cat([torch.softmax(logits, dim=-1) for logits, _ in results])
            values = torch.cat([value for _, value in results])
            return probabilities[:count].cpu().numpy(), values[:count].cpu().numpy()


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
        lazy: build the network on first use, and find only then what is wrong with it.

    Raises:
        AgentError: unknown architecture, or weights that do not fit it.
    """
    build = partial(_built, spec, weights, name or spec.name)
    policy = LearnedPolicy(spec, build, name=name, sha256=sha256, device=torch_device(device))
    if not lazy:
        _ = policy.network
    return policy


def _built(
    spec: AgentSpec, weights: Mapping[str, NDArray[np.float32]], shown: str
) -> "ActorCritic":
    """The network of an agent with its weights."""
    import torch  # torch takes a second to load

    expected = _shapes(spec, shown)
    _check_shapes(expected, {key: array.shape for key, array in weights.items()}, shown)
    network = _network(spec, shown)
    network.load_state_dict({key: torch.from_numpy(array) for key, array in weights.items()})
    return network


_SHAPES: dict[tuple[Any, ...], dict[str, tuple[int, ...]]] = {}
"""{network: shapes of its weights}; a population has one network."""


def _shapes(spec: AgentSpec, name: str) -> dict[str, tuple[int, ...]]:
    """{weight: shape} of an agent's network; no memory is allocated for the weights."""
    import torch  # torch takes a second to load

    sizes = json.dumps(spec.sizes, sort_keys=True)
    key = spec.architecture, sizes, tuple(spec.observation_shape), spec.num_actions
    if key not in _SHAPES:
        with torch.device("meta"):
            weights = _network(spec, name).state_dict()
        _SHAPES[key] = {part: tuple(tensor.shape) for part, tensor in weights.items()}
    return _SHAPES[key]


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
        raise AgentError(f"{name}: {spec.architecture} cannot have these sizes ({error})") from None


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
