"""Stable-Baselines3 policies with our networks, and the conversion of their weights."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from numpy.typing import NDArray
from stable_baselines3.common.policies import ActorCriticPolicy
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor

from proxylab.agents.references import load_stored
from proxylab.errors import UsageError
from proxylab.networks.architectures import build_trunk

PARTS = {
    "features_extractor.trunk.": "trunk.",
    "action_net.": "policy_head.",
    "value_net.": "value_head.",
}
"""{prefix of weight names in SB3's policy: prefix in ``ActorCritic``}."""


class Trunk(BaseFeaturesExtractor):
    """The trunk of a network as SB3's features extractor."""

    def __init__(
        self, observation_space: spaces.Space[Any], architecture: str, sizes: Mapping[str, Any]
    ) -> None:
        trunk = build_trunk(architecture, observation_space.shape or (), **sizes)
        super().__init__(observation_space, trunk.num_features)
        self.trunk = trunk

    def forward(self, observations: torch.Tensor) -> torch.Tensor:
        """float32[K, ...] -> float32[K, features]."""
        return self.trunk(observations)


def policy_arguments(architecture: str, sizes: Mapping[str, Any]) -> dict[str, Any]:
    """``policy`` and ``policy_kwargs`` of an SB3 algorithm with one of our networks."""
    return {
        "policy": ActorCriticPolicy,
        "policy_kwargs": {
            "features_extractor_class": Trunk,
            "features_extractor_kwargs": {"architecture": architecture, "sizes": sizes},
            "net_arch": [],
            "normalize_images": False,
        },
    }


def load_weights(policy: ActorCriticPolicy, reference: str) -> None:
    """Initialise ``policy`` with the weights of an agent; Adam's moments start at zero.

    The reference comes from a configuration, which may be a third-party file; only stored
    agents are loaded, without imports or patterns
    (:func:`~proxylab.agents.references.load_stored`).

    Raises:
        AgentError: there is no such agent, or the reference is code or a pattern.
        UsageError: it has another network.
    """
    renamed = sb3_weights(load_stored(reference).network.state_dict())
    try:
        unexpected = policy.load_state_dict(renamed, strict=False).unexpected_keys
    except RuntimeError:
        unexpected = list(renamed)
    if unexpected or not renamed:
        raise UsageError(f"{reference} has another network than this run: it cannot start from it")


def reset_values(policy: ActorCriticPolicy) -> None:
    """Let the values start at 0.

    A clone has untrained values as large as its features, and their first gradients would
    destroy the features that it acts on.
    """
    for parameter in policy.value_net.parameters():
        torch.nn.init.zeros_(parameter)


def sb3_weights(weights: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The weights of an ``ActorCritic`` under the names of an SB3 policy: {name: tensor}."""
    return {
        sb3_prefix + name.removeprefix(prefix): tensor
        for name, tensor in weights.items()
        for sb3_prefix, prefix in PARTS.items()
        if name.startswith(prefix)
    }


def agent_weights(policy: ActorCriticPolicy) -> dict[str, NDArray[np.float32]]:
    """The weights of an SB3 policy under the names of ``ActorCritic``: {name: float32 array}."""
    weights = {}
    for name, tensor in policy.state_dict().items():
        for sb3_prefix, prefix in PARTS.items():
            if name.startswith(sb3_prefix):
                weights[prefix + name.removeprefix(sb3_prefix)] = tensor.cpu().numpy().copy()
    return weights
