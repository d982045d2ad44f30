"""Estimate the memory of a training run before it is allocated."""

import math
from typing import Any

import numpy as np

from proxylab.config import TrainConfig
from proxylab.errors import UsageError
from proxylab.networks.channels_first import channels_first_shape
from proxylab.storage.limits import LIMITS
from proxylab_envs.batch import BatchedEnv

COPIES = 4
"""Floats per weight in training: the weight, its gradient and Adam's two moments."""
STEP_BYTES = 7 * 8
"""Bytes per rollout step besides its observation: action, reward, value, advantage, …"""
BATCH_COPIES = 4
"""Copies of the observations of a minibatch: gathered, as float32, first outputs of the network."""
TOO_MUCH = "it would take about {needed:,} MiB of memory, over the limit of {limit:,} MiB: {parts}"


def check_memory(config: TrainConfig, env: BatchedEnv) -> None:
    """``UsageError`` for a run that needs more than ``LIMITS.training_bytes``.

    Args:
        config: of the run.
        env: a batch with one of its environments.
    """
    parts = training_bytes(config, env)
    if sum(parts.values()) <= LIMITS.training_bytes:
        return
    listed = ", ".join(f"{name} {size >> 20:,} MiB" for name, size in parts.items())
    needed, limit = sum(parts.values()) >> 20, LIMITS.training_bytes >> 20
    raise UsageError(TOO_MUCH.format(needed=needed, limit=limit, parts=listed))


def training_bytes(config: TrainConfig, env: BatchedEnv) -> dict[str, int]:
    """{part: bytes} of network, rollout, minibatch and environments."""
    space = env.single_observation_space
    observation = math.prod(space.shape or ()) * np.dtype(space.dtype).itemsize
    rollout = config.num_envs * config.ppo.n_steps
    batch = rollout if config.algorithm == "a2c" else min(config.ppo.batch_size, rollout)
    floats = 4 * math.prod(space.shape or ())
    return {
        "network": COPIES * 4 * num_weights(config, env),
        "rollout": rollout * (observation + STEP_BYTES),
        "minibatch": BATCH_COPIES * batch * floats,
        "environments": config.num_envs * _bytes_of(env.core),
    }


def num_weights(config: TrainConfig, env: BatchedEnv) -> int:
    """Number of weights of the network, which is built on the meta device, without memory.

    Raises:
        UsageError: the architecture is unknown, or does not take these sizes or observations.
    """
    import torch  # slow to load

    from proxylab.networks.architectures import build_network  # imports torch

    shape = channels_first_shape(env.single_observation_space.shape or ())
    actions = int(getattr(env.single_action_space, "n", 1))
    try:
        with torch.device("meta"):
            network = build_network(config.architecture, shape, actions, **config.sizes)
    except (TypeError, ValueError, RuntimeError) as error:
        raise UsageError(f"{config.architecture} cannot have these sizes: {error}") from None
    return sum(weight.numel() for weight in network.parameters())


def _bytes_of(core: Any) -> int:
    """Bytes of the arrays of a core, nested ones included."""
    if isinstance(core, np.ndarray):
        return core.nbytes
    if isinstance(core, (tuple, list)):
        return sum(map(_bytes_of, core))
    return sum(map(_bytes_of, vars(core).values())) if hasattr(core, "__dict__") else 0
