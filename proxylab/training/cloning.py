"""Behaviour cloning: supervised learning of an expert's actions, as an SB3 algorithm.

A "rollout" is a batch of demonstrations (:mod:`proxylab.training.demonstrations`), and the
network is then trained to give their actions the highest probability (cross-entropy;
Pomerleau 1989, "ALVINN"). An expert that acts gives new demonstrations for each rollout, so
with many short rollouts no level is seen twice; a log is a finite data set.

The policy class is the one of PPO: a clone has the same files, can be trained on by PPO
(``--start-from``) and is exported in the same way.
"""

from typing import Any

import numpy as np
import torch
from stable_baselines3.common.buffers import RolloutBuffer
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.on_policy_algorithm import OnPolicyAlgorithm
from torch.nn import functional as F

from proxylab.networks.channels_first import channels_first
from proxylab.training.demonstrations import Demonstrations

WARM_UP = 0.1
"""Share of the training in which the learning rate rises to its largest value."""


def learning_rate_at(progress: float, largest: float) -> float:
    """Learning rate after a share ``progress`` of the training: up linearly, down by a cosine."""
    if progress < WARM_UP:
        return largest * max(progress, 1e-3) / WARM_UP
    fallen = (1 + np.cos(np.pi * (progress - WARM_UP) / (1 - WARM_UP))) / 2
    return largest * float(fallen)  # a checkpoint holds no numbers of NumPy


class BehaviourCloning(OnPolicyAlgorithm):
    """Clones an expert in a :class:`~proxylab.training.vec_env.BatchedVecEnv`."""

    def __init__(
        self,
        policy: Any,
        env: Any,
        *,
        demonstrations: Demonstrations,
        learning_rate: float,
        n_steps: int,
        batch_size: int,
        n_epochs: int,
        weight_decay: float,
        max_grad_norm: float,
        seed: int,
        device: str,
        policy_kwargs: dict[str, Any],
    ) -> None:
        """Make the algorithm; the arguments are those of ``PPOConfig`` and ``BCConfig``."""
        optimiser: dict[str, Any] = {
            "optimizer_class": torch.optim.AdamW,
            "optimizer_kwargs": {"weight_decay": weight_decay},
        }
        self.demonstrations = demonstrations
        self.batch_size = batch_size
        self.n_epochs = n_epochs
        self.largest_rate = learning_rate
        super().__init__(
            policy,
            env,
            learning_rate=learning_rate,
            n_steps=n_steps,
            gamma=1.0,
            gae_lambda=1.0,
            ent_coef=0.0,
            vf_coef=0.0,
            max_grad_norm=max_grad_norm,
            use_sde=False,
            sde_sample_freq=-1,
            seed=seed,
            device=device,
            policy_kwargs={**policy_kwargs, **optimiser},
            rollout_buffer_class=_NoBuffer,
            supported_action_spaces=None,
        )

    def collect_rollouts(
        self, env: Any, callback: BaseCallback, rollout_buffer: Any, n_rollout_steps: int
    ) -> bool:
        """Take ``n_rollout_steps`` demonstrations for each environment."""
        shape = (n_rollout_steps, env.num_envs)
        space: Any = self.observation_space
        self.observations = np.empty((*shape, *space.shape), space.dtype)
        self.labels = np.empty(shape, np.int64)
        callback.on_rollout_start()
        for step in range(n_rollout_steps):
            drawn = self.demonstrations.draw(env.batched, self.num_timesteps)
            self.observations[step], self.labels[step] = drawn
            self.num_timesteps += env.num_envs
            if not callback.on_step():
                return False
        self._last_obs = channels_first(env.batched.observe().copy())
        callback.on_rollout_end()
        return True

    def train(self) -> None:
        """Passes over the demonstrations in minibatches, in random order."""
        self.policy.set_training_mode(True)
        observations = torch.from_numpy(self.observations).flatten(0, 1)
        labels = torch.from_numpy(self.labels).flatten()
        batches = [
            batch
            for _ in range(self.n_epochs)
            for batch in torch.randperm(len(labels)).split(self.batch_size)
        ]
        begun = (self.num_timesteps - len(labels)) / self._total_timesteps
        share = len(labels) / self._total_timesteps
        for number, batch in enumerate(batches):
            progress = min(begun + share * number / len(batches), 1.0)
            for group in self.policy.optimizer.param_groups:
                group["lr"] = learning_rate_at(progress, self.largest_rate)
            self._update(observations[batch].to(self.device), labels[batch].to(self.device))
        self._n_updates += self.n_epochs

    def _update(self, observations: torch.Tensor, labels: torch.Tensor) -> None:
        loss = self._loss(observations, labels)
        self.policy.optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.policy.parameters(), self.max_grad_norm)
        self.policy.optimizer.step()

    def _loss(self, observations: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        features = self.policy.extract_features(observations)
        return F.cross_entropy(self.policy.action_net(features), labels)


class _NoBuffer(RolloutBuffer):
    """SB3's buffer of rewards and advantages, which demonstrations do not need."""

    def reset(self) -> None:
        """Allocate nothing."""
