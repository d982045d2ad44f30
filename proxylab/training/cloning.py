"""Behaviour cloning: supervised learning of an expert's actions, as an SB3 algorithm.

A "rollout" is a batch of demonstrations: the expert acts in the training environments, and
the network is then trained to give its actions the highest probability (cross-entropy;
Pomerleau 1989, "ALVINN"). A share of the executed actions is random, so that the
demonstrations also show how to return from a mistake (Laskey et al. 2017, "DART",
arXiv 1703.09327); the label is always the expert's action. Demonstrations are drawn anew for
each rollout, so with many short rollouts no level is seen twice.

The policy class is the one of PPO: a clone has the same files, can be trained on by PPO
(``--start-from``) and is exported in the same way.
"""

from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from stable_baselines3.common.buffers import RolloutBuffer
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.on_policy_algorithm import OnPolicyAlgorithm
from stable_baselines3.common.vec_env import VecEnv
from torch.nn import functional as F

from proxylab.agents.references import load_agent, load_stored
from proxylab.config import TrainConfig
from proxylab.errors import UsageError
from proxylab.networks.channels_first import channels_first
from proxylab.tasks import TASKS
from proxylab_envs.batch import BatchedEnv

WARM_UP = 0.1
"""Share of the training in which the learning rate rises to its largest value."""


class Expert(Protocol):
    """What is cloned: a script or a trained agent."""

    def probabilities(self, env: BatchedEnv, indices: NDArray[np.int64]) -> NDArray[np.float32]:
        """float32[K, num_actions] in the environments ``indices`` (int64[K])."""
        ...


def expert_of(config: TrainConfig) -> Expert:
    """The expert of a configuration: a script or a stored agent, no code of others.

    Raises:
        UsageError: there is none, or it was made for another task.
    """
    reference = config.bc.expert if config.bc else ""
    if not reference:
        reference = f"script:{config.task}/{_script_for(config)}"
    scripted = reference.startswith("script:")
    expert = load_agent(reference) if scripted else load_stored(reference)
    if expert.task != config.task:
        raise UsageError(f"bc.expert: {reference} is made for {expert.task}, not {config.task}")
    return expert


def _script_for(config: TrainConfig) -> str:
    """The script of the task that is best for the reward: ``true`` or the proxy."""
    scripts = TASKS[config.task].make_env(1, **config.env).scripts
    goals = ("true", "proxy")
    if config.reward not in goals or len(scripts) < len(goals):
        raise UsageError(f"bc.expert: no script is best for {config.reward!r}: name an expert")
    return scripts[goals.index(config.reward)]


def learning_rate_at(progress: float, largest: float) -> float:
    """Learning rate after a share ``progress`` of the training: up linearly, down by a cosine."""
    if progress < WARM_UP:
        return largest * max(progress, 1e-3) / WARM_UP
    return largest * 0.5 * (1 + np.cos(np.pi * (progress - WARM_UP) / (1 - WARM_UP)))


class BehaviourCloning(OnPolicyAlgorithm):
    """Clones an expert in a :class:`~proxylab.training.vec_env.BatchedVecEnv`."""

    def __init__(
        self,
        policy: Any,
        env: Any,
        *,
        expert: Expert,
        learning_rate: float,
        n_steps: int,
        batch_size: int,
        n_epochs: int,
        random_share: float,
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
        self.expert = expert
        self.batch_size = batch_size
        self.n_epochs = n_epochs
        self.random_share = random_share
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
        self, env: VecEnv, callback: BaseCallback, rollout_buffer: Any, n_rollout_steps: int
    ) -> bool:
        """Record ``n_rollout_steps`` demonstrations in each environment."""
        batched: BatchedEnv = env.batched
        shape = (n_rollout_steps, env.num_envs)
        space: Any = self.observation_space
        self.observations = np.empty((*shape, *space.shape), space.dtype)
        self.labels = np.empty(shape, np.int64)
        callback.on_rollout_start()
        everywhere = np.arange(env.num_envs)
        for step in range(n_rollout_steps):
            self.observations[step] = channels_first(batched.observe())
            labels = _drawn(self.expert.probabilities(batched, everywhere))
            self.labels[step] = labels
            batched.step(self._with_mistakes(labels))
            batched.reset_done()
            self.num_timesteps += env.num_envs
            if not callback.on_step():
                return False
        self._last_obs = channels_first(batched.observe().copy())
        callback.on_rollout_end()
        return True

    def _with_mistakes(self, labels: NDArray[np.int64]) -> NDArray[np.int64]:
        """The actions to execute: a share of them is uniformly random."""
        mistakes = torch.rand(len(labels)).numpy() < self.random_share
        others = torch.randint(int(self.action_space.n), (len(labels),)).numpy()
        return np.where(mistakes, others, labels)

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
        features = self.policy.extract_features(observations)
        loss = F.cross_entropy(self.policy.action_net(features), labels)
        self.policy.optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.policy.parameters(), self.max_grad_norm)
        self.policy.optimizer.step()


class _NoBuffer(RolloutBuffer):
    """SB3's buffer of rewards and advantages, which demonstrations do not need."""

    def reset(self) -> None:
        """Allocate nothing."""


def _drawn(probabilities: NDArray[np.float32]) -> NDArray[np.int64]:
    """int64[K]: an action drawn from each row of ``probabilities``."""
    return torch.multinomial(torch.from_numpy(probabilities), 1).squeeze(1).numpy()
