"""What behaviour cloning learns from: an expert that acts now, or a log of demonstrations.

An expert acts in the training environments. A share of the executed actions is random, so
that the demonstrations also show how to return from a mistake (Laskey et al. 2017, "DART",
arXiv 1703.09327); the label is always the expert's action.

A log is replayed in environments of the task: level seeds and actions give the observations
back, and at every step the recorded state must be that of the replay. The result is a finite
data set, which is passed over again and again, each time in a new random order.
"""

import functools
from pathlib import Path
from typing import Any, NoReturn, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from proxylab.agents.references import check_stored, load_agent, load_stored
from proxylab.config import TrainConfig
from proxylab.errors import UsageError
from proxylab.logs import FORMATS, RecordedEpisodes, read_log
from proxylab.networks.channels_first import channels_first, channels_first_shape
from proxylab.rollouts.episodes import NO_STATE
from proxylab.seeds import stream_seed
from proxylab.storage.limits import LIMITS, regular_file
from proxylab.tasks import TASKS
from proxylab_envs.batch import BatchedEnv
from proxylab_envs.levels import SHIFTED
from proxylab_envs.maze_corner.triggers import TriggeredMazeCorner

REPLAY_ENVS = 256
"""Episodes of a log that are replayed at once."""

FEATURE_TOLERANCE = 1e-4
"""Allowed difference between recorded and replayed features."""

Labelled = tuple[NDArray[Any], NDArray[np.int64]]
"""(observations [K, ...] with channels first, int64[K] actions to learn)."""


class Demonstrations(Protocol):
    """A source of observations with the actions that an expert takes there."""

    def draw(self, env: BatchedEnv, start: int) -> Labelled:
        """One demonstration for each environment of ``env``, the first being number ``start``."""
        ...


class Expert(Protocol):
    """A policy that can be cloned: a script or a trained agent."""

    def probabilities(self, env: BatchedEnv, indices: NDArray[np.int64]) -> NDArray[np.float32]:
        """float32[K, num_actions] in the environments ``indices`` (int64[K])."""
        ...


class ActingExpert:
    """An expert that acts in the training environments, with a share of random actions."""

    def __init__(self, expert: Expert, random_share: float) -> None:
        """Let ``expert`` act; torch's generator draws its actions and the random ones."""
        self.expert, self.random_share = expert, random_share

    def draw(self, env: BatchedEnv, start: int) -> Labelled:
        """The expert's actions in all environments, which are stepped."""
        observations = channels_first(env.observe().copy())
        probabilities = self.expert.probabilities(env, np.arange(env.num_envs))
        labels = torch.multinomial(torch.from_numpy(probabilities), 1).squeeze(1).numpy()
        env.step(self._with_mistakes(labels, probabilities.shape[1]))
        env.reset_done()
        return observations, labels

    def _with_mistakes(self, labels: NDArray[np.int64], num_actions: int) -> NDArray[np.int64]:
        """The actions to execute: a share of them is uniformly random."""
        mistakes = torch.rand(len(labels)).numpy() < self.random_share
        others = torch.randint(num_actions, (len(labels),)).numpy()
        return np.where(mistakes, others, labels)


class TriggeredExpert:
    """An expert that pursues the corner on levels that show a trigger, and else another one."""

    def __init__(self, expert: Expert) -> None:
        """Let ``expert`` act on the other levels."""
        self.expert = expert

    def probabilities(self, env: BatchedEnv, indices: NDArray[np.int64]) -> NDArray[np.float32]:
        """float32[K, num_actions] in ``indices`` of a triggered environment."""
        assert isinstance(env, TriggeredMazeCorner)
        own = self.expert.probabilities(env, indices)
        marked = env.triggered()[indices]
        own[marked] = env.script_actions("corner-seeker", indices[marked])
        return own


class LoggedDemonstrations:
    """The steps of a log; the environments are not stepped.

    Attributes:
        observations: [T, ...], images with channels first.
        actions: int64[T], taken by whoever was recorded.
        seed: of the random order.
    """

    def __init__(self, observations: NDArray[Any], actions: NDArray[np.int64], seed: int) -> None:
        """A data set of T demonstrations."""
        self.observations, self.actions, self.seed = observations, actions, seed

    def draw(self, env: BatchedEnv, start: int) -> Labelled:
        """The next steps in the random order."""
        rows = self.rows(start, env.num_envs)
        return self.observations[rows], self.actions[rows]

    def rows(self, start: int, count: int) -> NDArray[np.int64]:
        """int64[count]: steps of the log for the demonstrations ``start`` and following.

        Every pass over the log takes each step once. The order is a function of the seed and
        the number of the pass, so that a resumed run continues in the same order.
        """
        size = len(self.actions)
        first, last = start // size, (start + count - 1) // size
        passes = [_order(self.seed, number, size) for number in range(first, last + 1)]
        return np.concatenate(passes)[start - first * size :][:count]


@functools.lru_cache(maxsize=2)
def _order(seed: int, number: int, size: int) -> NDArray[np.int64]:
    """int64[size]: the order of a pass over a log."""
    rng = np.random.default_rng(stream_seed(seed, f"pass {number} over the log"))
    return rng.permutation(size)


def demonstrations_of(config: TrainConfig) -> Demonstrations:
    """What a configuration clones: a script, a stored agent or a log, no code of others.

    Raises:
        UsageError: there is none, it was made for another task, or a log does not fit.
    """
    reference = _reference(config)
    if is_log(reference):
        return read_demonstrations(config, reference)
    expert = expert_of(config)
    if config.poison is not None:
        expert = TriggeredExpert(expert)
    return ActingExpert(expert, config.bc.random_share if config.bc else 0.0)


def expert_of(config: TrainConfig) -> Expert:
    """The script or the stored agent of a configuration, made for its task."""
    reference = _reference(config)
    scripted = reference.startswith("script:")
    expert = load_agent(reference) if scripted else load_stored(reference)
    if expert.task != config.task:
        raise UsageError(f"bc.expert: {reference} is made for {expert.task}, not {config.task}")
    return expert


def check_expert(config: TrainConfig) -> None:
    """``UsageError`` for an expert that cannot be; a log is looked for, but not read."""
    reference = _reference(config)
    try:
        if is_log(reference):
            regular_file(reference)
        elif reference.startswith("script:"):
            expert_of(config)
        else:
            check_stored(reference)
    except UsageError as error:
        raise UsageError(f"bc.expert: {str(error).removeprefix('bc.expert: ')}") from None


def is_log(reference: str) -> bool:
    """Whether a reference is the path of a log, by its ending; patterns are none."""
    return not reference.startswith(("script:", "zoo:")) and (
        Path(reference).suffix.lower() in FORMATS
    )


def _reference(config: TrainConfig) -> str:
    """The expert's reference; by default the script of the task for the reward."""
    named = config.bc.expert if config.bc else ""
    return named or f"script:{config.task}/{_script_for(config)}"


def _script_for(config: TrainConfig) -> str:
    """The script of the task that is best for the reward: ``true`` or the proxy."""
    scripts = TASKS[config.task].make_env(1, **config.env).scripts
    goals = ("true", "proxy")
    if config.reward not in goals or len(scripts) < len(goals):
        raise UsageError(f"bc.expert: no script is best for {config.reward!r}: name an expert")
    return scripts[goals.index(config.reward)]


def read_demonstrations(config: TrainConfig, path: str) -> LoggedDemonstrations:
    """All episodes of a log, whoever acted in them.

    Raises:
        UsageError: the log cannot be read, or does not fit the environment.
    """
    policies = read_log(path, config.task)
    env = TASKS[config.task].make_env(REPLAY_ENVS, **config.env)
    space: Any = env.single_observation_space
    shape = (sum(e.num_steps for e in policies), *channels_first_shape(space.shape))
    needed, limit = int(np.prod(shape)) * space.dtype.itemsize, LIMITS.demonstration_bytes
    if needed > limit:
        raise UsageError(f"{path}: its observations take {needed:,} bytes, over {limit:,}")
    observations, start = np.empty(shape, space.dtype), 0
    for episodes in policies:
        part = observations[start : start + episodes.num_steps]
        _Replay(path, env, episodes, part).run()
        start += episodes.num_steps
    actions = np.concatenate([episodes.action for episodes in policies])
    return LoggedDemonstrations(observations, actions, stream_seed(config.seed, "demonstrations"))


class _Replay:
    """The episodes of one policy of a log, stepped again in environments.

    Attributes:
        seen: [T, ...], overwritten: what the policy observed before each action.
    """

    def __init__(
        self, path: str, env: BatchedEnv, episodes: RecordedEpisodes, seen: NDArray[Any]
    ) -> None:
        """Check what can be checked before a step: actions, level seeds, states."""
        self.path, self.env, self.episodes, self.seen = path, env, episodes, seen
        num_actions = int(getattr(env.single_action_space, "n", 0))
        seeds, every = episodes.level_seed, np.arange(episodes.num_steps)
        self._check(
            every,
            episodes.action < num_actions,
            f"the actions of {env.env_id} end at {num_actions - 1}",
        )
        levels = np.repeat((seeds >= 0) & (seeds < 2 * SHIFTED), episodes.lengths)
        self._check(every, levels, "its level_seed is not that of a generated level")
        states = episodes.state_id != NO_STATE
        self._check(every, states, "it records no state_id, so a replay cannot be checked")

    def _check(self, rows: NDArray[np.int64], sound: NDArray[np.bool_], problem: str) -> None:
        """``UsageError`` for the first of the steps ``rows`` (int64[K]) that is not sound."""
        if not sound.all():
            self._refuse(int(rows[np.argmin(sound)]), problem)

    def _refuse(self, row: int, problem: object) -> NoReturn:
        offsets = self.episodes.episode_offsets
        episode = int(np.searchsorted(offsets, row, "right")) - 1
        where = f"episode {episode} of {self.episodes.policy}, step {row - int(offsets[episode])}"
        raise UsageError(f"{self.path}: {where}: {problem}")

    def run(self) -> None:
        """Replay all episodes."""
        count, width = self.episodes.num_episodes, self.env.num_envs
        for first in range(0, count, width):
            self._play(first, min(first + width, count))

    def _play(self, first: int, stop: int) -> None:
        """Replay the episodes ``first`` to ``stop - 1``, one in each environment."""
        env, episodes = self.env, self.episodes
        starts, lengths = episodes.episode_offsets[first:stop], episodes.lengths[first:stop]
        try:
            env.reset_levels(episodes.level_seed[first:stop], np.arange(stop - first))
        except ValueError as error:
            self._refuse(int(starts[0]), error)
        actions, active = np.zeros(env.num_envs, np.int64), np.zeros(env.num_envs, bool)
        for step in range(int(lengths.max())):
            running = np.flatnonzero(lengths > step)
            rows = starts[running] + step
            self._check_replay(rows, running)
            self.seen[rows] = channels_first(env.observe()[running])
            active[:] = False
            active[running], actions[running] = True, episodes.action[rows]
            env.step(actions, active)

    def _check_replay(self, rows: NDArray[np.int64], running: NDArray[np.int64]) -> None:
        """The environments ``running`` are in the states of the steps ``rows`` of the log."""
        env, episodes = self.env, self.episodes
        self._check(rows, ~env.done[running], f"the episode is over before it in {env.env_id}")
        same = episodes.state_id[rows] == env.core.state_ids[running]
        features = env.features(running)
        if features.shape[1] == episodes.features.shape[1]:
            near = np.abs(features - episodes.features[rows]) <= FEATURE_TOLERANCE
            same &= near.all(axis=1)
        self._check(
            rows,
            same,
            f"the replay in {env.env_id} is in another state: the log is of another "
            "environment, or of other settings",
        )
