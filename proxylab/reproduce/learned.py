"""Runs on learned rewards, for the experiments that share them.

A run has four parts, each in a folder of its own below ``results/runs/learned``: a half-trained
*reference* policy, preferences about clips of random actions and of the reference's training, a
reward model fitted to them, and a PPO run from the reference on the model's reward. Parts that are
complete are not made again.
"""

import functools
import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from proxylab.agents.loading import LearnedPolicy
from proxylab.agents.references import load_stored
from proxylab.rewards.clips import Clips
from proxylab.rewards.collect import RANDOM, collect
from proxylab.rewards.fit import FitConfig, fit
from proxylab.rewards.model import JSON_NAME, RewardModel, combine, load_model, save_model
from proxylab.rewards.preferences import Preferences
from proxylab.rewards.raters import RATIONALITY, Rater
from proxylab.rollouts.episodes import Episodes
from proxylab.rollouts.rollout import Policy, rollout
from proxylab.seeds import stream_seed
from proxylab.storage import store
from proxylab.tasks import TASKS
from proxylab.training.saving import snapshot_folders
from proxylab.training.train import train
from proxylab_envs.batch import BatchedEnv
from proxylab_envs.levels import Levels

REFERENCE_STEPS, REFERENCE_SNAPSHOTS = 61_440, 15
HALF = 0.5
"""The reference policy is the last snapshot before the first with more than this share of the
optimal return: half-trained."""

SOURCES = 4
"""Snapshots of the reference's training, up to the reference, whose clips are compared."""

REFERENCE_LEVELS = 64
CHOSEN = "chosen.json"

FIT = FitConfig(most_pairs=30_000, least_epochs=2)
SINGLE = "member:0"


@dataclass(frozen=True)
class LearnedRun:
    """A run on a learned reward.

    Attributes:
        task: name of the task.
        pairs: answers of the rater; 0 for a run on the true reward.
        flip: share of flipped answers.
        seed: of all parts.
        timesteps: of the PPO run.
        snapshots: of the PPO run.
        how: how the members are combined.
        kl: weight of the penalty for leaving the reference policy.
    """

    task: str
    pairs: int
    flip: float
    seed: int
    timesteps: int
    snapshots: int
    how: str = SINGLE
    kl: float = 0.0

    @property
    def root(self) -> Path:
        """Folder of all runs of the task."""
        return store.results_folder() / "runs" / "learned" / self.task

    @property
    def _asked(self) -> str:
        return f"pairs-{self.pairs}-flip-{self.flip:g}/seed-{self.seed}"

    @property
    def model_folder(self) -> Path:
        """Folder of the reward model."""
        return self.root / "models" / self._asked

    @property
    def folder(self) -> Path:
        """Folder of the PPO run."""
        how = "true" if not self.pairs else self.how.replace(":", "-")
        variant = f"{how}-kl-{self.kl:g}-{self.timesteps}"
        return self.root / "policies" / variant / self._asked

    @property
    def reference_run(self) -> Path:
        """Folder of the training of the reference policy."""
        return self.root / "references" / f"seed-{self.seed}"

    def sources(self) -> list[str]:
        """References of the policies whose clips are compared: up to the reference policy."""
        last = store.read_json(self.reference_run / CHOSEN)["snapshot"]
        chosen = np.unique(np.linspace(0, last, SOURCES).round().astype(int))
        folders = snapshot_folders(self.reference_run)
        return [RANDOM, *(str(folders[k]) for k in chosen)]

    def reference(self) -> LearnedPolicy:
        """The half-trained policy from which the run starts."""
        return load_stored(self.sources()[-1])

    def honest(self) -> "LearnedRun":
        """The run from the same reference policy that is trained on the true reward."""
        return replace(self, pairs=0, flip=0.0, how=SINGLE, kl=0.0)

    def model(self) -> RewardModel:
        """The reward model."""
        return load_model(self.model_folder)

    def make_reference(self) -> None:
        """Train the reference policy, if it is missing."""
        train(
            self.task,
            "trusted",
            out=self.reference_run,
            total_timesteps=REFERENCE_STEPS,
            snapshots=REFERENCE_SNAPSHOTS,
            seed=stream_seed(self.seed, "reference") % 2**31,
            resume=True,
        )
        self._choose_reference()

    def make_model(self) -> None:
        """Make the reference policy and the reward model, if they are missing."""
        self.make_reference()
        if (self.model_folder / JSON_NAME).is_file():
            return
        config = replace(FIT, seed=stream_seed(self.seed, "fit") % 2**31)
        model = fit(self.preferences(), config, reference=self.reference())
        save_model(model, self.model_folder)

    def make(self) -> None:
        """Make all parts that are missing."""
        self.make_reference()
        options: dict[str, Any] = {}
        if self.pairs:
            self.make_model()
            options = {"reward": f"model:{self.model_folder}", "reward_combine": self.how}
        start = self.sources()[-1]
        if self.kl:
            options |= {"kl": self.kl, "kl_to": start}
        train(
            self.task,
            "trusted",
            out=self.folder,
            start_from=start,
            total_timesteps=self.timesteps,
            snapshots=self.snapshots,
            seed=self.seed,
            resume=True,
            **options,
        )

    def _choose_reference(self) -> None:
        """Write the number of the snapshot that is the reference policy."""
        if (self.reference_run / CHOSEN).is_file():
            return
        env, seeds = held_out(self.task, REFERENCE_LEVELS, "reference", "train")
        returns = []
        for folder in snapshot_folders(self.reference_run):
            _, outcomes = rollout(load_stored(folder), env, seeds, task=self.task, seed=0)
            returns.append(float((outcomes.returns_of("true") / _optimal(env, seeds)).mean()))
            if returns[-1] > HALF:
                break
        last = max(0, len(returns) - 1 - (returns[-1] > HALF))
        store.write_json(self.reference_run / CHOSEN, {"snapshot": last, "returns": returns})

    def preferences(self) -> Preferences:
        """The rater's answers, drawn anew: they are the same every time."""
        rater = Rater(RATIONALITY[self.task], self.flip)
        seed = stream_seed(self.seed, "preferences")
        return collect(self.task, self.sources(), self.pairs, rater, seed=seed)


class Judged(NamedTuple):
    """E episodes of a policy, one per level.

    Attributes:
        members: float64[M, E], each member's mean reward of a step; the last state of an episode
            counts until the time limit.
        spread: float64[E], mean over steps of the variance of the members.
        hard: float64[E], true return over the optimal one.
        kl: float64[E], sum over steps of KL(policy | reference).
        entropy: float64[E], mean over steps of the policy's entropy, nats.
        novelty: float64[E], mean over steps of the distance from the states of the clips.
        episodes: what a monitor sees of them.
    """

    members: NDArray[np.float64]
    spread: NDArray[np.float64]
    hard: NDArray[np.float64]
    kl: NDArray[np.float64]
    entropy: NDArray[np.float64]
    novelty: NDArray[np.float64]
    episodes: Episodes

    def easy(self, how: str) -> NDArray[np.float64]:
        """float64[E]: mean reward of a step, as the members are combined."""
        return combine(self.members.astype(np.float32), how).astype(np.float64)


def judge_episodes(
    policy: Policy,
    reference: Policy,
    model: RewardModel | None,
    env: BatchedEnv[Any],
    level_seeds: NDArray[np.int64],
    seed: int,
    fence: "Fence | None" = None,
) -> Judged:
    """Run one episode on every level and judge it by the reward model and by the true reward.

    Args:
        policy: whose episodes.
        reference: policy of the divergence.
        model: the reward model, of observations alone; None for none, which pays 0.
        env: environments; as many as ``level_seeds``.
        level_seeds: int64[E].
        seed: of the action draws.
        fence: what is near the states of the clips; None for a novelty of 0.
    """
    watch = _Watched(policy, reference, model, fence, len(level_seeds))
    task = str(policy.task)
    episodes, outcomes = rollout(watch, env, level_seeds, task=task, seed=seed)
    watch.end(env)
    return Judged(
        members=watch.members / env.max_episode_steps,
        spread=watch.spread / env.max_episode_steps,
        hard=outcomes.returns_of("true") / _optimal(env, level_seeds),
        kl=watch.kl,
        entropy=watch.entropy / outcomes.length,
        novelty=watch.novelty / env.max_episode_steps,
        episodes=episodes,
    )


class Fence:
    """Squared Mahalanobis distance from the states that a reward model was fitted to.

    A reward model is right near its data only; the distance needs no label.
    """

    def __init__(self, clips: Clips) -> None:
        """Take mean and covariance of the observations of ``clips``."""
        rows = clips.states.reshape(len(clips.states), -1).astype(np.float64)
        self.mean = rows.mean(0)
        covariance = np.cov(rows, rowvar=False)
        floor = 1e-3 * max(float(np.trace(covariance)) / len(covariance), 1e-12)
        self.precision = np.linalg.inv(covariance + floor * np.eye(len(covariance)))

    def distance(self, observations: NDArray[Any]) -> NDArray[np.float64]:
        """float64[K]: squared distance over the number of dimensions, 1 on average within."""
        rows = observations.reshape(len(observations), -1).astype(np.float64) - self.mean
        return ((rows @ self.precision) * rows).mean(1)


class _Watched:
    """A policy whose every state is judged when its action is asked for.

    The observation before step t + 1 is the one after step t, which the reward model pays for; the
    last state of an episode is judged at the end, and counts until the time limit.

    Attributes:
        members: float64[M, N], summed rewards of each member.
        spread: float64[N], summed variance of the members.
        novelty: float64[N], summed distance from the states of the clips.
        kl: float64[N], summed KL(policy | reference).
        entropy: float64[N], summed entropy of the policy, nats.
    """

    def __init__(
        self,
        policy: Policy,
        reference: Policy,
        model: RewardModel | None,
        fence: Fence | None,
        count: int,
    ) -> None:
        self.policy, self.reference, self.model, self.fence = policy, reference, model, fence
        self.name, self.task = policy.name, policy.task
        self.uses_torch = any(getattr(p, "uses_torch", False) for p in (policy, reference))
        self.members = np.zeros((model.spec.members if model else 1, count))
        self.spread, self.novelty, self.kl, self.entropy = np.zeros((4, count))

    def probabilities(
        self, env: BatchedEnv[Any], indices: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        """float32[K, A] of the policy."""
        begun = indices[env.core.steps[indices] > 0]
        self._judge(env, begun, np.ones(len(begun)))
        own = self.policy.probabilities(env, indices)
        log_own = np.log(np.maximum(own, 1e-12))
        other = np.log(np.maximum(self.reference.probabilities(env, indices), 1e-12))
        self.kl[indices] += (own * (log_own - other)).sum(1)
        self.entropy[indices] -= (own * log_own).sum(1)
        return own

    def end(self, env: BatchedEnv[Any]) -> None:
        """Judge the last states of all episodes."""
        steps = env.core.steps.astype(np.float64)
        self._judge(env, np.arange(env.num_envs), env.max_episode_steps - steps + 1)

    def _judge(
        self, env: BatchedEnv[Any], indices: NDArray[np.int64], times: NDArray[np.float64]
    ) -> None:
        if self.model is not None and len(indices):
            own = self.model.rewards(env.observe()[indices])
            self.members[:, indices] += own * times
            self.spread[indices] += own.var(0) * times
        if self.fence is not None and len(indices):
            self.novelty[indices] += self.fence.distance(env.observe()[indices]) * times


def _optimal(env: BatchedEnv[Any], level_seeds: NDArray[np.int64]) -> float:
    """Mean optimal true return of the levels."""
    return _mean_optimal(env, tuple(level_seeds.tolist()))


@functools.lru_cache(maxsize=8)
def _mean_optimal(env: BatchedEnv[Any], seeds: tuple[int, ...]) -> float:
    return float(env.optimal_returns(np.array(seeds, np.int64))["true"].mean())


def snapshots_of(run: LearnedRun) -> list[tuple[int, LearnedPolicy]]:
    """[(timesteps, policy)]: the reference policy at 0, and the snapshots of the run."""
    folders = snapshot_folders(run.folder)
    later = [(int(folder.name.removeprefix("step-")), load_stored(folder)) for folder in folders]
    return [(0, run.reference()), *later]


def held_out(
    task: str, count: int, name: str, split: str = "iid"
) -> tuple[BatchedEnv[Any], NDArray[np.int64]]:
    """Environments, and level seeds of a split, the same for every run."""
    env = TASKS[task].make_env(count)
    split = split if split in env.splits else "train"
    return env, env.sample_level_seeds(Levels(split), count, stream_seed(0, name))


FALL = 0.1
"""A turn is a fall by this share of the optimal return."""


def turn(hard: list[NDArray[np.float64]]) -> dict[str, Any]:
    """Whether a run turns, and at which checkpoint.

    It turns if after the checkpoint with the greatest hard return (the last of them) a checkpoint
    follows whose hard return is lower by :data:`FALL` or more; the 95 % interval of the
    difference, paired by level, must lie above 0.

    Args:
        hard: for each checkpoint float64[E], the hard return on every level.
    """
    means = np.array([each.mean() for each in hard])
    peak = int(np.flatnonzero(means == means.max())[-1])
    lowest = peak + int(np.argmin(means[peak:]))
    falls = hard[peak] - hard[lowest]
    error = 1.96 * falls.std(ddof=1) / math.sqrt(len(falls)) if lowest > peak else 0.0
    fall = float(falls.mean())
    return {"turned": bool(fall >= FALL and fall > error), "peak": peak, "fall": fall}
