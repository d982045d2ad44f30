"""Agents as Stable-Baselines3 zips, which ``PPO.load`` opens.

Multilayer perceptrons become SB3's own ``MlpPolicy``, so that such a zip needs no proxylab.
Other networks become its ``ActorCriticPolicy`` with our trunk as features extractor
(:class:`~proxylab.training.sb3_policy.Trunk`): to load them, proxylab must be installed.
"""

import io
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import torch
from stable_baselines3 import PPO
from torch import nn

from proxylab.agents.loading import LearnedPolicy
from proxylab.errors import AgentError
from proxylab.evaluation.evaluate import env_kwargs_of
from proxylab.export.layers import MLPS, SEPARATE_MLPS, module_numbers
from proxylab.tasks import Task, known_task
from proxylab.training.sb3_policy import policy_arguments, sb3_weights
from proxylab.training.vec_env import BatchedVecEnv
from proxylab_envs.levels import Levels

Layers = list[tuple[torch.Tensor, torch.Tensor]]
"""Linear layers: (weight, bias) of each."""

TOWERS = {"mlp": MLPS, "mlp-tanh": SEPARATE_MLPS, "mlp-relu": SEPARATE_MLPS}
"""Architecture: names of its two multilayer perceptrons."""

NETS = ("policy", "value")
"""SB3's two multilayer perceptrons, each with a head of its own."""


def sb3_bytes(agent: LearnedPolicy) -> tuple[bytes, bool]:
    """(the zip, whether it holds an ``MlpPolicy``), with PPO's settings of the agent's task.

    Raises:
        AgentError: the task's environment has other observations than the agent.
    """
    task = known_task(agent.task or "")
    spaces = _spaces(agent, task)
    state = agent.network.state_dict()
    plain = _mlp_policy(agent.spec.architecture, state)
    arguments = policy_arguments(agent.spec.architecture, agent.spec.sizes)
    if plain is not None:
        arguments, state = plain
    else:
        state = sb3_weights(state)
    model = _model(task, spaces, arguments)
    missing, unexpected = model.policy.load_state_dict(state, strict=False)
    shared = [name for name in missing if not name.startswith(("pi_features_", "vf_features_"))]
    if shared or unexpected:
        raise AgentError(f"{agent.name}: its weights do not fit Stable-Baselines3's policy")
    raw = io.BytesIO()
    model.save(raw)
    return raw.getvalue(), plain is not None


def _spaces(agent: LearnedPolicy, task: Task) -> tuple[Any, Any]:
    """(observation space, action space) of the environment that the agent was trained in."""
    batched = task.make_env(1, **env_kwargs_of(agent))
    env = BatchedVecEnv(batched, Levels(batched.splits[0]))
    shapes = (tuple(env.observation_space.shape or ()), int(batched.single_action_space.n))
    if shapes != (agent.spec.observation_shape, agent.spec.num_actions):
        raise AgentError(
            f"{agent.name}: {batched.env_id} has observations {list(shapes[0])} and {shapes[1]} "
            f"actions, the agent {list(agent.spec.observation_shape)} and {agent.spec.num_actions}"
        )
    return env.observation_space, env.action_space


def _model(task: Task, spaces: tuple[Any, Any], arguments: Mapping[str, Any]) -> PPO:
    """A PPO without environment, as ``PPO.load`` makes one too."""
    no_env: Any = None  # as PPO.load does; SB3's annotation lacks it
    options = {**arguments, **asdict(task.ppo)}
    model = PPO(env=no_env, device="cpu", _init_setup_model=False, **options)
    model.observation_space, model.action_space = spaces
    model.n_envs = 1
    model._setup_model()
    return model


def _mlp_policy(
    architecture: str, state: Mapping[str, torch.Tensor]
) -> tuple[dict[str, Any], dict[str, torch.Tensor]] | None:
    """(arguments of PPO, weights) of the ``MlpPolicy`` that is the same function, or None."""
    if architecture not in TOWERS:
        return None
    towers = [_layers_of(state, prefix) for prefix in TOWERS[architecture]]
    heads = [state[f"{net}_head.weight"] for net in NETS]
    if not all(towers):
        return None
    first = len(towers[0][-1][1])
    own = [heads[0][:, :first], heads[1][:, first:]]
    if heads[0][:, first:].any() or heads[1][:, :first].any():
        if len(towers[0]) != len(towers[1]):
            return None
        towers, own = [_joined(*towers)] * 2, heads
    weights = {}
    for net, layers, sb3_head, head in zip(
        NETS, towers, ("action_net", "value_net"), own, strict=True
    ):
        for number, layer in enumerate(layers):
            name = f"mlp_extractor.{net}_net.{2 * number}"
            weights |= {f"{name}.weight": layer[0], f"{name}.bias": layer[1]}
        weights |= {f"{sb3_head}.weight": head, f"{sb3_head}.bias": state[f"{net}_head.bias"]}
    widths = [[len(bias) for _, bias in layers] for layers in towers]
    activation = nn.ReLU if architecture == "mlp-relu" else nn.Tanh
    options = {
        "net_arch": dict(zip(("pi", "vf"), widths, strict=True)),
        "activation_fn": activation,
        "normalize_images": False,
    }
    return {"policy": "MlpPolicy", "policy_kwargs": options}, weights


def _layers_of(state: Mapping[str, torch.Tensor], prefix: str) -> Layers:
    """The linear layers below ``prefix``, in order."""
    layers = [f"{prefix}.{number}" for number in module_numbers(state, prefix)]
    return [(state[f"{layer}.weight"], state[f"{layer}.bias"]) for layer in layers]


def _joined(one: Layers, other: Layers) -> Layers:
    """Two perceptrons of equal depth as one that gives the outputs of both, side by side."""
    layers = []
    for number, ((weight, bias), (more, offset)) in enumerate(zip(one, other, strict=True)):
        both = torch.block_diag(weight, more) if number else torch.cat([weight, more])
        layers.append((both, torch.cat([bias, offset])))
    return layers
