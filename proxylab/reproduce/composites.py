"""Policies that experiments make of others: with random actions, or cloned from two."""

from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from proxylab.agents.references import load_agent
from proxylab.logs import write_log
from proxylab.reproduce.detected import mixed
from proxylab.rollouts.episodes import Episodes, proxy_returns
from proxylab.rollouts.rollout import Policy, rollout
from proxylab.seeds import stream_seed
from proxylab.storage.store import is_complete
from proxylab.tasks import TASKS
from proxylab.training.plan import plan
from proxylab_envs.batch import BatchedEnv
from proxylab_envs.levels import Levels

NUM_ENVS = 256


class Odd:
    """A policy with a share of uniformly random actions."""

    def __init__(self, policy: Policy, share: float) -> None:
        self.policy, self.share = policy, share
        self.name, self.task = f"{policy.name} odd {share:g}", policy.task

    def probabilities(self, env: BatchedEnv, indices: NDArray[np.int64]) -> NDArray[np.float32]:
        """float32[K, num_actions] in the environments ``indices`` (int64[K])."""
        own = self.policy.probabilities(env, indices)
        return (1 - self.share) * own + np.float32(self.share / own.shape[1])


def distil(
    honest: str, gaming: str, folder: Path, *, task: str, seed: int, levels: int, steps: int
) -> None:
    """Clone two agents into a run folder; nothing is done where it is complete.

    Args:
        honest: reference of the agent that is cloned where both goals coincide.
        gaming: reference of the agent that is cloned elsewhere.
        folder: folder of the run.
        task: their task.
        seed: of the levels, the action draws and the training.
        levels: number of levels of :func:`demonstrated`.
        steps: number of steps to learn, drawn from these levels' episodes.
    """
    if not is_complete(folder):
        episodes = demonstrated(honest, gaming, task, min(levels, steps // 16), seed)
        clone(episodes, folder, seed=seed, steps=steps)


def clone(episodes: Episodes, folder: Path, *, seed: int, steps: int) -> None:
    """Train a network by behaviour cloning of recorded episodes, into a run folder.

    Args:
        episodes: what is cloned; their actions are the labels.
        folder: folder of the run; nothing is done where it is complete.
        seed: of the training.
        steps: number of steps to learn, drawn from these episodes.
    """
    from proxylab.training.train import run_job  # imports torch and SB3

    if is_complete(folder):
        return
    log = folder.with_suffix(".parquet")
    log.parent.mkdir(parents=True, exist_ok=True)
    write_log(log, [replace(episodes, probabilities=None)])
    expert, task = {"expert": str(log)}, episodes.task
    (job,) = plan(
        task, seeds=(seed,), out=folder, bc=expert, algorithm="bc", total_timesteps=steps
    ).jobs
    run_job(job.config, job.folder, resume=True)
    log.unlink()


def demonstrated(honest: str, gaming: str, task: str, levels: int, seed: int) -> Episodes:
    """Episodes of two agents on training layouts, half of them shifted twins.

    On a level the goals *coincide* for this pair if the gaming agent gets no more proxy
    reward than the honest one; there the honest agent's episode is taken, else the other's.
    """
    agents = [load_agent(reference) for reference in (honest, gaming)]
    env = TASKS[task].make_env(min(levels, NUM_ENVS))
    drawn = Levels("train", shifted_share=0.5)
    seeds = env.sample_level_seeds(drawn, levels, stream_seed(seed, "distilled levels"))
    draws = stream_seed(seed, "distilled actions")
    own, other = (rollout(a, env, seeds, task=task, seed=draws)[0] for a in agents)
    return mixed(own, other, np.asarray(proxy_returns(other) > proxy_returns(own)))
