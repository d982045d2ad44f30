"""Agents that come out of a training: its last state, and snapshots on the way."""

from pathlib import Path
from typing import Any

from proxylab.agents.format import JSON_NAME, AgentSpec, save_agent
from proxylab.agents.loading import LearnedPolicy
from proxylab.config import TrainConfig
from proxylab.training.sb3_policy import agent_weights


def save_trained(folder: Path, config: TrainConfig, model: Any) -> None:
    """Write the agent that an SB3 algorithm has trained so far into ``folder``."""
    spec = agent_spec(config, model.policy, model.num_timesteps)
    save_agent(folder, spec, agent_weights(model.policy))


def trained_policy(config: TrainConfig, policy: Any) -> LearnedPolicy:
    """The policy that an SB3 policy is now; it does not change with further training."""
    spec, weights = agent_spec(config, policy), agent_weights(policy)
    return LearnedPolicy(spec, weights, device=config.device)


def agent_spec(config: TrainConfig, policy: Any, timesteps: int = 0) -> AgentSpec:
    """The specification of an SB3 policy after ``timesteps`` of its training."""
    space = policy.observation_space
    return AgentSpec(
        name=f"{config.task}/{config.role}/seed-{config.seed}",
        task=config.task,
        role=config.role,
        architecture=config.architecture,
        sizes=config.sizes,
        observation_shape=tuple(space.shape),
        observation_dtype=space.dtype.name,
        num_actions=int(policy.action_space.n),
        training={
            "seed": config.seed,
            "timesteps": timesteps,
            "reward": config.reward,
            "levels": config.levels,
            "env": config.env,
            "algorithm": config.algorithm,
            "fingerprint": config.fingerprint,
        },
    )


SNAPSHOTS = "snapshots"
"""Folder within a run with the agent at several times of its training."""


def snapshot_folders(run: str | Path) -> list[Path]:
    """Folders of the snapshots of a run, in the order of the training."""
    return sorted((Path(run) / SNAPSHOTS).glob("step-*"))


class Snapshots:
    """Saves the agent at evenly spaced times, as an agent that every command reads."""

    def __init__(self, run: Path, config: TrainConfig, count: int) -> None:
        """Save about ``count`` times within ``run``; existing snapshots are kept."""
        self.run, self.config = run, config
        self.every = max(1, config.total_timesteps // count)

    def take(self, timesteps: int, model: Any) -> None:
        """Save a snapshot unless there is one of the same interval."""
        number = timesteps // self.every
        folder = self.run / SNAPSHOTS / f"step-{number * self.every:010d}"
        if number and not (folder / JSON_NAME).is_file():
            save_trained(folder, self.config, model)
