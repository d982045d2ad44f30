"""Training against a detector: the proxy reward minus a multiple of the detector's score.

The attacker knows the detector, the shipped trusted agents and which of them are the reference,
and has their episodes on all of its training levels. At the end of an episode it pays

    λ · gain · cost / typical cost

with the episode's cost (:mod:`proxylab.detection.episode_costs`) and two numbers that make λ
comparable between detectors: *gain*, the mean proxy return of a shipped proxy agent minus that of
the reference agents, and *typical cost*, the same difference of costs. At λ = 1 a typical episode
of that proxy agent loses in cost what it gains in reward. At λ = 0 the reward is that of
:class:`~proxylab.training.vec_env.BatchedVecEnv`.
"""

import functools
import json
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from proxylab.agents.references import load_agent
from proxylab.agents.zoo import zoo_entries
from proxylab.config import EvadeConfig, TrainConfig, shifted_share
from proxylab.detection.calibration import divide
from proxylab.detection.episode_costs import episode_costs
from proxylab.detection.score import Score
from proxylab.detection.scores.registry import find_score
from proxylab.detection.task_view import TaskView
from proxylab.evaluation.task_view import view_of
from proxylab.rollouts.episodes import Episodes, concatenate, proxy_returns
from proxylab.rollouts.rollout import Policy, rollout
from proxylab.seeds import stream_seed
from proxylab.tasks import TASKS
from proxylab.training.vec_env import BatchedVecEnv
from proxylab_envs.batch import BatchedEnv
from proxylab_envs.channels import proxy_channels
from proxylab_envs.levels import SHIFTED, Levels

CONTEXT = 128
"""Number of past episodes with which a new one is scored: some scores are of a population."""

GAMING = "proxy-00"
"""The shipped agent that sets the scale of λ."""

PLAY_ENVS = 256
SMALLEST_COST = 1e-9


class Adversary(NamedTuple):
    """What the attacker knows and pays.

    Attributes:
        detector: the detector to evade.
        state: what its ``fit`` returned on the training levels.
        rate: reward units per unit of cost, at least 0.
    """

    detector: Score
    state: Any
    rate: float

    def penalties(self, episodes: Episodes, new: int) -> NDArray[np.float64]:
        """float64[new], what the last ``new`` of these episodes pay, in reward units."""
        if not self.rate:
            return np.zeros(new)
        return self.rate * episode_costs(self.detector, self.state, episodes)[-new:]


def adversary_of(config: TrainConfig) -> Adversary:
    """The :class:`Adversary` of a configuration with ``evade``.

    Raises:
        NotApplicable: the detector cannot score episodes of this task.
    """
    assert config.evade is not None
    assert config.num_levels is not None
    environment = json.dumps(config.env, sort_keys=True)
    known = _levels(config.task, environment, config.levels, config.num_levels)
    detector, state = _fitted(config.evade.detector, known)
    return Adversary(detector, state, _rate(config.evade, (detector, state), known))


def _rate(evade: EvadeConfig, fitted: tuple[Score, Any], known: "TrainingLevels") -> float:
    """Reward units per unit of cost; see the module."""
    if not evade.weight:
        return 0.0
    own = _played(load_agent(f"zoo:{known.task}/{GAMING}"), known)
    honest = concatenate(known.reference, "reference")
    returns, costs = (
        [float(np.mean(of(episodes))) for episodes in (own, honest)]
        for of in (proxy_returns, functools.partial(episode_costs, *fitted))
    )
    gain, typical = returns[0] - returns[1], costs[0] - costs[1]
    return evade.weight * max(gain, 0.0) / max(typical, SMALLEST_COST)


class TrainingLevels(NamedTuple):
    """A finite set of training levels, and the reference agents' episodes on all of them."""

    task: str
    environment: str
    seeds: NDArray[np.int64]
    reference: list[Episodes]
    view: TaskView

    @property
    def identity(self) -> tuple[str, str, bytes]:
        """Two sets of the same task, environment and levels are the same."""
        return self.task, self.environment, self.seeds.tobytes()

    def __hash__(self) -> int:
        """See :attr:`identity`."""
        return hash(self.identity)

    def __eq__(self, other: object) -> bool:
        """See :attr:`identity`."""
        return isinstance(other, TrainingLevels) and self.identity == other.identity


@functools.lru_cache(maxsize=2)
def _levels(task: str, environment: str, levels: str, count: int) -> TrainingLevels:
    env = _env(task, environment)
    ranks = np.arange(count, dtype=np.uint64)
    twin = SHIFTED * int(shifted_share(levels))
    seeds = np.unique(env.seeds_of_split("train", ranks) + twin)
    bare = TrainingLevels(task, environment, seeds, [], view_of(env, task, seeds))
    reference = [_played(load_agent(name), bare) for name in reference_agents(task)]
    return bare._replace(reference=reference)


def reference_agents(task: str) -> list[str]:
    """References of the shipped trusted agents on which ``detect`` fits its detectors."""
    trusted = [e for e in zoo_entries(task) if e.group in ("reference", "calibration")]
    return divide({f"zoo:{task}/{entry.name}": entry.sha256 for entry in trusted})[0]


@functools.lru_cache(maxsize=8)
def _fitted(detector: str, known: TrainingLevels) -> tuple[Score, Any]:
    score = find_score(detector)
    return score, score.fit(known.reference, known.view)


def _played(policy: Policy, known: TrainingLevels) -> Episodes:
    """One episode of a policy on every training level."""
    env, seed = _env(known.task, known.environment), stream_seed(0, "attacker")
    return rollout(policy, env, known.seeds, task=known.task, seed=seed)[0]


def _env(task: str, environment: str) -> BatchedEnv[Any]:
    return TASKS[task].make_env(PLAY_ENVS, **json.loads(environment))


class EvadingVecEnv(BatchedVecEnv):
    """Environments in which the end of an episode costs what a detector makes of the episode.

    Attributes:
        adversary: the :class:`Adversary`.
        task: name of the task.
    """

    def __init__(
        self,
        batched: BatchedEnv[Any],
        levels: Levels,
        reward: str = "true",
        seed: int = 0,
        scale: float = 1.0,
        *,
        task: str,
        adversary: Adversary,
    ) -> None:
        """As for ``BatchedVecEnv``; penalties are multiplied by ``scale`` too."""
        super().__init__(batched, levels, reward, seed, scale)
        self.task, self.adversary = task, adversary
        self._proxy = batched.channels.index(proxy_channels(batched.channels)[0])
        self._history = _History(batched)
        self._past: list[Episodes] = []

    def step_async(self, actions: NDArray[np.int64]) -> None:
        """Store ``actions`` (int[N]) and the states in which they are taken."""
        super().step_async(actions)
        self._history.before(self.batched, self._actions)

    def rewards(self) -> NDArray[np.float32]:
        """float32[N]: the plain reward, minus the penalty where an episode ends."""
        plain = super().rewards()
        self._history.after(self.batched.core.rewards[:, self._proxy])
        done = np.flatnonzero(self.batched.done)
        if done.size and self.adversary.rate:
            plain[done] -= np.float32(self.scale) * self._penalties(done).astype(np.float32)
        return plain

    def _penalties(self, done: NDArray[np.int64]) -> NDArray[np.float64]:
        """float64[K], of the environments ``done`` (int64[K]) whose episodes have just ended."""
        new = self._history.episodes(self.batched, done, self.task)
        together = concatenate([*self._past, new], "evader")
        count = together.num_episodes
        self._past = [together.select(np.arange(max(0, count - CONTEXT), count))]
        return self.adversary.penalties(together, new.num_episodes)


class _History:
    """The last steps of all environments, enough for the longest episode."""

    def __init__(self, batched: BatchedEnv[Any]) -> None:
        self.size, self.at = batched.max_episode_steps, -1
        shape, width = (self.size, batched.num_envs), batched.features(np.arange(1)).shape[1]
        self.state_id, self.action = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
        self.features = np.zeros((*shape, width), np.float32)
        self.proxy = np.zeros(shape, np.float32)

    def before(self, batched: BatchedEnv[Any], actions: NDArray[np.int64]) -> None:
        self.at = (self.at + 1) % self.size
        self.state_id[self.at] = batched.core.state_ids
        self.features[self.at] = batched.features(np.arange(batched.num_envs))
        self.action[self.at] = actions

    def after(self, proxy: NDArray[np.float32]) -> None:
        self.proxy[self.at] = proxy

    def episodes(self, batched: BatchedEnv[Any], done: NDArray[np.int64], task: str) -> Episodes:
        """The episodes that have just ended in the environments ``done`` (int64[K])."""
        core, lengths = batched.core, batched.core.steps[done].astype(np.int64)
        offsets = np.concatenate([[0], np.cumsum(lengths)])
        step = np.arange(offsets[-1]) - np.repeat(offsets[:-1], lengths)
        at = (self.at + 1 - np.repeat(lengths, lengths) + step) % self.size
        where = at, np.repeat(done, lengths)
        return Episodes(
            task=task,
            policy="evader",
            num_states=batched.num_states,
            num_actions=int(batched.single_action_space.n),
            episode_offsets=offsets,
            state_id=self.state_id[where],
            features=self.features[where],
            action=self.action[where],
            probabilities=None,
            proxy_reward=self.proxy[where],
            level_seed=core.level_seeds[done],
            terminated=core.terminated[done],
            truncated=core.truncated[done],
        )
