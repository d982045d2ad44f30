"""Stable-Baselines3's policy around one of our networks, and the way back to an agent."""

from stable_baselines3.common.policies import ActorCriticPolicy
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor

from proxylab.agents.loading import load_agent
from proxylab.errors import UsageError
from proxylab.networks.architectures import build_trunk

PARTS = {
    "features_extractor.trunk.": "trunk.",
    "action_net.": "policy_head.",
    "value_net.": "value_head.",
}
"""Names of the weights in SB3's policy -> in ``networks.ActorCritic``."""


class Trunk(BaseFeaturesExtractor):
    """A network's trunk as SB3's features extractor."""

    def __init__(self, observation_space, architecture, sizes):
        trunk = build_trunk(architecture, observation_space.shape, **sizes)
        super().__init__(observation_space, trunk.num_features)
        self.trunk = trunk

    def forward(self, observations):
        """float32[K, ...] -> float32[K, features]."""
        return self.trunk(observations)


def policy_arguments(config):
    """``policy`` and ``policy_kwargs`` of an SB3 algorithm for a TrainConfig."""
    return {
        "policy": ActorCriticPolicy,
        "policy_kwargs": {
            "features_extractor_class": Trunk,
            "features_extractor_kwargs": {
                "architecture": config.architecture,
                "sizes": config.sizes,
            },
            "net_arch": [],
            "normalize_images": False,
        },
    }


def load_weights(policy, reference):
    """Begin with the weights of the agent that ``reference`` names, Adam's moments fresh.

    Raises:
        AgentError: there is no such agent.
        UsageError: its network is another one.
    """
    network = getattr(load_agent(reference), "network", None)
    renamed = {
        theirs + name.removeprefix(ours): tensor
        for name, tensor in (network.state_dict() if network else {}).items()
        for theirs, ours in PARTS.items()
        if name.startswith(ours)
    }
    try:
        strange = policy.load_state_dict(renamed, strict=False).unexpected_keys
    except RuntimeError:
        strange = list(renamed)
    if strange or not renamed:
        raise UsageError(f"{reference} has another network than this run: it cannot start from it")


def agent_weights(policy):
    """The weights of an ``ActorCritic`` out of an SB3 policy: {name: float32 array}."""
    weights = {}
    for name, tensor in policy.state_dict().items():
        for theirs, ours in PARTS.items():
            if name.startswith(theirs):
                weights[ours + name.removeprefix(theirs)] = tensor.cpu().numpy().copy()
    return weights
