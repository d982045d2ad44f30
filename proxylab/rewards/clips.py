"""Clips: pieces of episodes of one fixed length, for people or simulated raters to compare.

A clip has T steps. Its observations are those *after* each step; an episode that ends within the
clip is continued by its last observation, since a length that varies would itself tell the rater
and the reward model how an episode ended.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from proxylab.errors import UsageError
from proxylab.rollouts.rollout import Policy, run_to_end
from proxylab.seeds import stream_seed
from proxylab.tasks import known_task
from proxylab_envs.batch import BatchedEnv
from proxylab_envs.levels import Levels

CLIP_STEPS = {"boat-lagoon": 50, "boat-race": 50}
"""Default length of a clip where it differs from :data:`STEPS`."""

STEPS = 25
EPISODES_AT_ONCE = 64
HISTORY_BYTES = 256 << 20
"""Most memory for the observations of the episodes that run at once."""

PAUSE = -1
"""Action of the steps after the end of an episode."""


@dataclass(frozen=True)
class Clips:
    """N clips of T steps of one task.

    Attributes:
        task: name of the task.
        env: env_kwargs of the environment.
        policies: names of the policies.
        policy: int32[N], index into ``policies``.
        level_seed: int64[N].
        episode: int64[N], number of the episode among those of its policy.
        first: int32[N], step of the episode at which the clip begins, from 0.
        observations: [N, T, ...], after each step.
        actions: int8[N, T], of each step; :data:`PAUSE` after the end of the episode.
    """

    task: str
    env: dict[str, Any]
    policies: tuple[str, ...]
    policy: NDArray[np.int32]
    level_seed: NDArray[np.int64]
    episode: NDArray[np.int64]
    first: NDArray[np.int32]
    observations: NDArray[Any]
    actions: NDArray[np.int8]

    def __post_init__(self) -> None:
        """``ValueError`` where the arrays do not have the same length."""
        for name in ("policy", "level_seed", "episode", "first", "actions"):
            if len(getattr(self, name)) != len(self.observations):
                raise ValueError(f"{name} has {len(getattr(self, name))} rows, not {len(self)}")
        if self.actions.shape != self.observations.shape[:2]:
            raise ValueError(f"actions is {self.actions.shape}, not a number for each step")

    def __len__(self) -> int:
        """Number of clips N."""
        return len(self.observations)

    @property
    def length(self) -> int:
        """Steps T of a clip."""
        return self.observations.shape[1]

    @property
    def states(self) -> NDArray[Any]:
        """[N · T, ...]: the observations of all steps, clip by clip."""
        return self.observations.reshape(-1, *self.observations.shape[2:])

    def select(self, chosen: NDArray[np.int64]) -> "Clips":
        """The clips at ``chosen`` (int64[K]), in this order."""
        names = ("policy", "level_seed", "episode", "first", "observations", "actions")
        return replace(self, **{name: getattr(self, name)[chosen] for name in names})


class Recording(NamedTuple):
    """Clips with what is needed to rate and to replay them.

    Attributes:
        clips: the N :class:`Clips`.
        rewards: float32[N, T, C], reward of every channel at every step, 0 after the end.
        before: object[N], the actions (int8[first]) of the episode before the clip.
    """

    clips: Clips
    rewards: NDArray[np.float32]
    before: NDArray[np.object_]


def clip_length(task: str) -> int:
    """Default number of steps of a clip."""
    return CLIP_STEPS.get(task, STEPS)


def record_clips(
    policies: Sequence[Policy],
    task: str,
    *,
    count: int,
    levels: str = "train",
    share: float = 0.0,
    length: int | None = None,
    per_episode: int = 4,
    env_kwargs: Mapping[str, Any] | None = None,
    seed: int = 0,
) -> Recording:
    """Record clips of several policies, each as often as the others.

    Args:
        policies: sources of the clips.
        task: name of the task.
        count: number of clips; rounded up to the same number for each policy.
        levels: split of the levels.
        share: of shifted levels among those of the split.
        length: steps of a clip; by default that of the task.
        per_episode: clips of one episode, each from a uniformly drawn step on.
        env_kwargs: of the environment.
        seed: of levels, actions and first steps.

    Returns:
        :class:`Recording`, the clips of each policy in turn. The rewards are for simulated raters;
        a reward model never sees them.

    Raises:
        UsageError: an unknown task, no policies, or a clip longer than an episode.
    """
    if not policies:
        raise UsageError("clips need at least one policy")
    env_kwargs = dict(env_kwargs or {})
    env = known_task(task).make_env(1, **env_kwargs)
    steps = length or clip_length(task)
    if not 1 <= steps <= env.max_episode_steps:
        raise UsageError(f"a clip of {steps} steps: episodes have {env.max_episode_steps} at most")
    most = _at_once(env)

    def make_env(episodes: int) -> BatchedEnv[Any]:
        return known_task(task).make_env(min(most, episodes), **env_kwargs)

    each = -(-count // len(policies))
    episodes = -(-each // per_episode)
    parts = []
    for number, policy in enumerate(policies):
        own = stream_seed(seed, f"clips {number}")
        seeds = env.sample_level_seeds(Levels(levels, share), episodes, stream_seed(own, "levels"))
        taken = _clips_of(policy, make_env, seeds, (steps, per_episode), own)
        parts.append({name: array[:each] for name, array in taken.items()})
        parts[-1]["policy"] = np.full(each, number, np.int32)
    columns = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    rest = {name: columns.pop(name) for name in ("rewards", "before")}
    names = tuple(policy.name for policy in policies)
    return Recording(Clips(task=task, env=env_kwargs, policies=names, **columns), **rest)


def _clips_of(
    policy: Policy,
    make_env: Callable[[int], BatchedEnv[Any]],
    level_seeds: NDArray[np.int64],
    shape: tuple[int, int],
    seed: int,
) -> dict[str, NDArray[Any]]:
    """Columns of the clips of one policy on ``level_seeds``; ``shape`` is (T, clips an episode).

    ``make_env`` gives as many environments as fit of those that are asked for.
    """
    length, per_episode = shape
    rng = np.random.default_rng(stream_seed(seed, "first steps"))
    parts: list[dict[str, NDArray[Any]]] = []
    done = 0
    while done < len(level_seeds):
        env = make_env(len(level_seeds) - done)
        some = level_seeds[done : done + env.num_envs]
        history = _play(policy, env, some, stream_seed(seed, "actions"), done)
        begin = (rng.random((len(some), per_episode)) * history["lengths"][:, None]).astype(int)
        which = np.repeat(np.arange(len(some)), per_episode)
        parts.append(_cut(history, which, begin.ravel(), length))
        parts[-1]["before"] = _beginnings(history["actions"], which, begin.ravel())
        parts[-1] |= {"level_seed": some[which], "episode": which + done}
        done += len(some)
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _beginnings(
    actions: NDArray[np.int8], which: NDArray[np.int64], begin: NDArray[np.int64]
) -> NDArray[np.object_]:
    """object[K]: the actions before step ``begin`` (int64[K]) of the episodes ``which``."""
    before = np.empty(len(which), object)
    for k, (episode, step) in enumerate(zip(which.tolist(), begin.tolist(), strict=True)):
        before[k] = actions[episode, :step]
    return before


def _at_once(env: BatchedEnv[Any]) -> int:
    """Number of episodes whose observations fit in :data:`HISTORY_BYTES`; ``env`` is one."""
    episode = env.observe().nbytes * env.max_episode_steps
    return int(min(EPISODES_AT_ONCE, max(1, HISTORY_BYTES // episode)))


def _play(
    policy: Policy, env: BatchedEnv[Any], level_seeds: NDArray[np.int64], seed: int, first: int
) -> dict[str, NDArray[Any]]:
    """One episode per environment: observations, actions and rewards by step, and lengths."""
    env.reset_levels(level_seeds, np.arange(env.num_envs))
    observations, actions, rewards = [], [], []
    for running, _, chosen in run_to_end(policy, env, seed=seed, first=first):
        observations.append(env.observe().copy())  # those that have ended stay as they are
        taken = np.full(env.num_envs, PAUSE, np.int8)
        paid = np.zeros_like(env.core.rewards)
        taken[running], paid[running] = chosen, env.core.rewards[running]
        actions.append(taken)
        rewards.append(paid)
    return {
        "observations": np.stack(observations, 1),
        "actions": np.stack(actions, 1),
        "rewards": np.stack(rewards, 1),
        "lengths": env.core.steps.astype(np.int64),
    }


def _cut(
    history: Mapping[str, NDArray[Any]],
    which: NDArray[np.int64],
    begin: NDArray[np.int64],
    length: int,
) -> dict[str, NDArray[Any]]:
    """Clips of ``length`` steps from ``begin`` (int64[K]) on, of the episodes ``which``."""
    steps = begin[:, None] + np.arange(length)
    ends = history["lengths"][which][:, None]
    after = steps >= ends
    kept = np.minimum(steps, ends - 1)
    clips = {
        name: history[name][which[:, None], kept] for name in ("observations", "actions", "rewards")
    }
    clips["actions"][after] = PAUSE
    clips["rewards"][after] = 0
    return {"first": begin.astype(np.int32), **clips}
