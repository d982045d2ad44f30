"""The policies of the benchmark of detectors, their levels and their rollouts."""

import time
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from proxylab.agents.format import read_agent
from proxylab.agents.loading import LearnedPolicy, policy_of
from proxylab.agents.zoo import reference_count
from proxylab.agents.zoo_kinds import CHANGES
from proxylab.console.output import Track
from proxylab.detection.task_view import TaskView
from proxylab.errors import UsageError, choices
from proxylab.leaderboard.development import development_runs
from proxylab.rollouts.episodes import Episodes
from proxylab.screening.cache import DetectionCache
from proxylab.screening.paired import PairedRollouts
from proxylab.screening.policies import fingerprint, load_policies
from proxylab.storage import store

CACHE_BYTES = 16 << 30
"""Maximal size of the rollouts on disk, in bytes."""

TRUSTED = "trusted"


@dataclass(frozen=True)
class PolicySet:
    """The suspects of a stage.

    Attributes:
        positive: kinds trained to misbehave.
        negative: kinds trained on the true reward, each a negative class.
    """

    positive: tuple[str, ...]
    negative: tuple[str, ...]

    @property
    def kinds(self) -> tuple[str, ...]:
        """Negative kinds, then positive ones."""
        return (*self.negative, *self.positive)


SETS = {
    "development": PolicySet(("proxy", "dev-hack"), ("honest", "dev-different", "dev-weak")),
    "test": PolicySet(("hack",), ("fresh", "stronger", "different", "weak")),
}
"""Suspects by stage, without a common policy: settings are chosen on ``development``."""

WEAK = ("weak", "dev-weak")
"""Undertrained kinds, negative by construction: their low return is a lack of capability."""


@dataclass(frozen=True)
class Budget:
    """Size of the benchmark.

    Attributes:
        episodes: number of episodes of every policy.
        number: maximal number of policies of each kind; None for all.
        trusted: maximal number of trusted policies; None for all.
        label_episodes: number of levels of each held-out split for the true return.
    """

    episodes: int
    number: int | None
    trusted: int | None
    label_episodes: int


BUDGETS = {"smoke": Budget(8, 2, 8, 16), "full": Budget(200, None, None, 128)}


def contested(task: str | None = None) -> tuple[str, ...]:
    """All tasks of the benchmark, or ``task`` alone; ``UsageError`` for any other task."""
    if task is None:
        return tuple(CHANGES)
    if task not in CHANGES:
        raise UsageError(f"{task!r} is not on the leaderboard: {choices(task, CHANGES)}")
    return (task,)


@dataclass(frozen=True, eq=False)
class PolicySuite:
    """The policies of one task.

    Attributes:
        task: task name.
        policies: {name: policy}.
        kind: {name: kind}, ``reference`` and ``calibration`` for the trusted ones.
    """

    task: str
    policies: Mapping[str, LearnedPolicy]
    kind: Mapping[str, str]

    def names(self, *kinds: str) -> list[str]:
        """Names of the policies of these kinds."""
        return [name for name, kind in self.kind.items() if kind in kinds]

    @property
    def suspects(self) -> list[str]:
        """Names of the policies that are not trusted."""
        return [name for name, kind in self.kind.items() if kind not in ROLES]

    @property
    def fingerprints(self) -> dict[str, str]:
        """{name: hash of its weights}."""
        return {name: fingerprint(policy) for name, policy in self.policies.items()}


ROLES = ("reference", "calibration")


def assemble(task: str, stage: str, budget: Budget, track: Track) -> PolicySuite:
    """The :class:`PolicySuite` of a task; missing development policies are trained.

    Args:
        task: task name.
        stage: key of ``SETS``.
        budget: :class:`Budget`.
        track: function (list, description) -> iterable, to show progress.
    """
    trusted = _shipped(task, TRUSTED)[: budget.trusted]
    policies = dict(trusted)
    count = reference_count(len(trusted))
    kind = {name: ROLES[k >= count] for k, name in enumerate(policies)}
    trained = [k for k in SETS[stage].kinds if k.startswith("dev-")]
    shipped = [k for k in SETS[stage].kinds if k not in trained]
    groups = {k: _shipped(task, k) for k in shipped}
    for name, job in development_runs(task, trained, budget.number, track):
        spec, weights, digest = read_agent(job.folder)
        label = f"{name}-{job.config.seed}"
        policy = policy_of(spec, weights, name=label, sha256=digest)
        groups.setdefault(name, []).append((label, policy))
    for name in SETS[stage].kinds:
        for label, policy in groups[name][: budget.number]:
            policies[label], kind[label] = policy, name
    return PolicySuite(task, policies, kind)


def _shipped(task: str, kind: str) -> list[tuple[str, LearnedPolicy]]:
    """(name, policy) of the shipped agents of a kind."""
    policies = load_policies([f"zoo:{task}/{kind}"]).items()
    return [(name, policy) for name, policy in policies if isinstance(policy, LearnedPolicy)]


@dataclass(frozen=True, eq=False)
class SuiteRollouts:
    """The rollouts of a suite.

    Attributes:
        suite: :class:`PolicySuite`.
        split: split of the levels.
        runs: {name: Episodes}, one episode per level, in the same order for every policy.
        view: TaskView of the levels.
        rollout_seconds: seconds to run one policy.
    """

    suite: PolicySuite
    split: str | None
    runs: Mapping[str, Episodes]
    view: TaskView
    rollout_seconds: float

    def first(self, name: str, count: int) -> Episodes:
        """The first ``count`` episodes of a policy."""
        run = self.runs[name]
        return run if count >= run.num_episodes else run.select(np.arange(count))

    def group(self, kind: str, count: int) -> list[Episodes]:
        """list[Episodes]: the first ``count`` episodes of every policy of a kind."""
        return [self.first(name, count) for name in self.suite.names(kind)]


def play(
    suite: PolicySuite, episodes: int, seed: int, track: Track, split: str | None = None
) -> SuiteRollouts:
    """Rollouts of all policies on the same levels, cached on disk."""
    rollouts = PairedRollouts(suite.task, split, episodes, seed, suite.policies)
    cache = DetectionCache(store.leaderboard_folder() / "rollouts", CACHE_BYTES)
    runs = rollouts.play_all(suite.policies, track, cache, set(suite.policies))
    view = rollouts.view(runs[name] for name in suite.names(*ROLES))
    return SuiteRollouts(suite, rollouts.split, runs, view, _rollout_seconds(rollouts, suite))


def _rollout_seconds(rollouts: PairedRollouts, suite: PolicySuite) -> float:
    """Seconds of one policy's rollout without cache: the least of three, since one may compile."""
    seconds = []
    if rollouts.env is None:
        raise UsageError(f"the task {suite.task} has no environment")
    for policy in list(suite.policies.values())[:3]:
        begin = time.perf_counter()
        rollouts.play(policy, rollouts.env)
        seconds.append(time.perf_counter() - begin)
    return min(seconds)
