"""Training on a reward model, and the penalty for leaving a reference policy.

The reward of a step is what the model gives to the observation after it (and to the action). A
clip that outlasts its episode repeats the last observation, so an episode that terminates is paid
as if it stayed there until the time limit: r · (1 + γ + … + γ^(remaining steps)).

The penalty is β · (log π(a|s) − log π₀(a|s)) at every step, in units of the reward before it is
scaled. Its mean over actions drawn from π is the KL divergence from π₀ in that state; summed over
an episode it is that of trajectories, since dynamics and levels are common. The estimator has a
high variance for single steps; ½ (log π − log π₀)² has less, with a bias (Schulman 2020,
"Approximating KL divergence"), and is what :attr:`PenalisedBuffer.divergence` reports.
"""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from stable_baselines3.common.buffers import RolloutBuffer

from proxylab.agents.references import load_stored
from proxylab.config import MODEL, TrainConfig
from proxylab.errors import UsageError
from proxylab.rewards.model import RewardModel, combine, load_model, parse_combination
from proxylab.training.vec_env import BatchedVecEnv
from proxylab_envs.batch import BatchedEnv
from proxylab_envs.levels import Levels

ROWS_AT_ONCE = 8192


def reward_model_of(config: TrainConfig) -> RewardModel:
    """The reward model of a configuration.

    Raises:
        UsageError: it is missing, has changed since the configuration was made, or is of other
            observations.
    """
    assert config.reward_folder is not None
    assert config.reward_combine is not None
    folder = Path(config.reward_folder)
    model = load_model(folder)
    if config.reward_sha256 not in (None, model.sha256):
        raise UsageError(f"{folder} is not the reward model of this run: it has changed")
    kind, number = parse_combination(config.reward_combine)
    if kind == "member" and number >= model.spec.members:
        raise UsageError(f"{folder} has {model.spec.members} members")
    if model.spec.task != config.task:
        raise UsageError(f"{folder} is a reward model of {model.spec.task}, not {config.task}")
    return model


def model_facts(reward: str) -> dict[str, Any]:
    """Fields of a configuration that follow from the reward ``model:<folder>``."""
    folder = reward.removeprefix(MODEL)
    if not folder:
        raise UsageError("reward: write model:<folder of the reward model>")
    return {"reward_sha256": load_model(folder).sha256}


def check_observations(model: RewardModel, env: BatchedEnv[Any]) -> None:
    """``UsageError`` unless the observations of ``env`` are those of the model."""
    space, spec = env.single_observation_space, model.spec
    if (space.shape, str(space.dtype)) != (spec.observation_shape, spec.observation_dtype):
        raise UsageError(f"{model.name}: other observations than those of this environment")
    if spec.num_actions not in (0, int(getattr(env.single_action_space, "n", 0))):
        raise UsageError(f"{model.name}: another number of actions than in this environment")


class ModelRewardVecEnv(BatchedVecEnv):
    """Environments whose reward is a reward model's.

    Attributes:
        model: the reward model.
        how: how its members are combined.
        gamma: discount of what a terminated episode would still be paid.
    """

    def __init__(
        self,
        batched: BatchedEnv[Any],
        levels: Levels,
        seed: int = 0,
        scale: float = 1.0,
        *,
        model: RewardModel,
        how: str = "mean",
        gamma: float = 1.0,
    ) -> None:
        """Draw levels from ``levels`` with ``seed``; rewards are multiplied by ``scale``."""
        super().__init__(batched, levels, seed=seed, scale=scale)
        check_observations(model, batched)
        self.model, self.how, self.gamma = model, how, gamma
        self._running = np.zeros(batched.num_envs)

    def rewards(self) -> NDArray[np.float32]:
        """float32[N], of the step just taken, before any environment is reset."""
        core = self.batched.core
        members = self.model.rewards(self.batched.observe(), self._actions)
        paid = np.float32(self.scale) * combine(members, self.how)
        self._running += paid
        left = np.where(core.terminated, self.batched.max_episode_steps - core.steps, 0)
        return paid * stay(self.gamma, left)

    def episode_return(self, index: int) -> float:
        """What the model paid for the steps of an episode that has ended."""
        total, self._running[index] = self._running[index], 0.0
        return float(total)


def stay(gamma: float, steps: NDArray[np.integer]) -> NDArray[np.float32]:
    """float32[N]: 1 + γ + … + γ^steps."""
    if gamma == 1:
        return (steps + 1).astype(np.float32)
    return ((1 - gamma ** (steps + 1.0)) / (1 - gamma)).astype(np.float32)


def penalty_options(config: TrainConfig) -> dict[str, Any]:
    """Arguments of an SB3 algorithm for the penalty; none without ``kl``."""
    if not config.kl:
        return {}
    return {
        "rollout_buffer_class": PenalisedBuffer,
        "rollout_buffer_kwargs": {
            "weight": config.kl * config.reward_scale,
            "reference": config.kl_to,
        },
    }


class PenalisedBuffer(RolloutBuffer):
    """SB3's rollout buffer, which subtracts the penalty when it is full.

    Attributes:
        divergence: mean of ½ (log π − log π₀)² over the last rollout, an estimate of the KL
            divergence of a step; NaN before the first.
    """

    def __init__(self, *arguments: Any, weight: float, reference: str, **options: Any) -> None:
        """Arguments of ``RolloutBuffer``; ``weight`` times the log ratio to ``reference``."""
        super().__init__(*arguments, **options)
        self.weight = np.float32(weight)
        self.divergence = np.nan
        agent = load_stored(reference)
        if agent.spec.observation_shape != tuple(self.observation_space.shape or ()):
            raise UsageError(f"kl_to: {reference} takes other observations")
        self.network = agent.network.to(self.device)

    def compute_returns_and_advantage(
        self, last_values: torch.Tensor, dones: NDArray[np.bool_]
    ) -> None:
        """Subtract the penalty from the rewards, then compute advantages as usual."""
        ratio = self.log_probs - self._reference()
        self.divergence = float((ratio**2).mean() / 2)
        self.rewards -= self.weight * ratio
        super().compute_returns_and_advantage(last_values, dones)

    def _reference(self) -> NDArray[np.float32]:
        """float32[T, N]: log probabilities of the reference policy for the stored actions."""
        flat = torch.from_numpy(self.observations).flatten(0, 1)
        actions = torch.from_numpy(self.actions).flatten().long()
        parts = []
        with torch.inference_mode():
            for rows, chosen in zip(
                flat.split(ROWS_AT_ONCE), actions.split(ROWS_AT_ONCE), strict=True
            ):
                logits = self.network(rows.to(self.device))[0].log_softmax(1).cpu()
                parts.append(logits.gather(1, chosen[:, None])[:, 0])
        return torch.cat(parts).numpy().reshape(self.rewards.shape)
