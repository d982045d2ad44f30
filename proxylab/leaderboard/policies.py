"""Who plays in the benchmark of detectors, on which levels, and what they did there."""

import time
from dataclasses import dataclass

import numpy as np

from proxylab.agents.format import read_agent
from proxylab.agents.loading import policy_of
from proxylab.agents.zoo import reference_count
from proxylab.agents.zoo_kinds import CHANGES
from proxylab.errors import UsageError
from proxylab.leaderboard.development import development_runs
from proxylab.screening.cache import DetectionCache
from proxylab.screening.run import PairedRollouts, fingerprint, load_policies
from proxylab.storage import store

CACHE_BYTES = 16 << 30
"""Most that the rollouts on disk may take."""

TRUSTED = "trusted"


@dataclass(frozen=True)
class PolicySet:
    """The suspects of a stage.

    Attributes:
        positive: kinds that were trained to misbehave.
        negative: kinds that were trained on the true reward, each a negative class.
    """

    positive: tuple[str, ...]
    negative: tuple[str, ...]

    @property
    def kinds(self):
        """All kinds."""
        return (*self.negative, *self.positive)


SETS = {
    "development": PolicySet(("proxy", "dev-hack"), ("honest", "dev-different", "dev-weak")),
    "test": PolicySet(("hack",), ("fresh", "stronger", "different", "weak")),
}
"""No policy is in both: detectors and their settings are chosen on the first."""

WEAK = ("weak", "dev-weak")
"""Negative by construction: their true return is low because they were trained too little."""


@dataclass(frozen=True)
class Budget:
    """How much is played.

    Attributes:
        episodes: of every policy.
        number: at most so many policies of each kind; None for all.
        trusted: at most so many trusted policies; None for all.
        label_episodes: levels of each held-out split on which the true return is measured.
    """

    episodes: int
    number: int | None
    trusted: int | None
    label_episodes: int


BUDGETS = {"smoke": Budget(8, 2, 8, 16), "full": Budget(200, None, None, 128)}


def contested(task=None):
    """Tasks of the benchmark: all of them, or the one asked for; ``UsageError`` for others."""
    if task is None:
        return tuple(CHANGES)
    if task not in CHANGES:
        raise UsageError(f"{task!r} is not on the leaderboard: choose {', '.join(CHANGES)}")
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
    policies: dict
    kind: dict

    def names(self, *kinds):
        """Names of the policies of these kinds."""
        return [name for name, kind in self.kind.items() if kind in kinds]

    @property
    def suspects(self):
        """Names of all that are not trusted."""
        return [name for name, kind in self.kind.items() if kind not in ROLES]

    @property
    def fingerprints(self):
        """{name: hash of its weights}."""
        return {name: fingerprint(policy) for name, policy in self.policies.items()}


ROLES = ("reference", "calibration")


def assemble(task, stage, budget, track):
    """The :class:`PolicySuite` of a task; development policies are trained where they are missing.

    Args:
        task: task name.
        stage: key of ``SETS``.
        budget: :class:`Budget`.
        track: function (list, description) -> iterable, to show progress.
    """
    trusted = list(load_policies([f"zoo:{task}/{TRUSTED}"]).items())[: budget.trusted]
    policies = dict(trusted)
    count = reference_count(len(trusted))
    kind = {name: ROLES[k >= count] for k, name in enumerate(policies)}
    trained = [k for k in SETS[stage].kinds if k.startswith("dev-")]
    shipped = [k for k in SETS[stage].kinds if k not in trained]
    groups = {k: list(load_policies([f"zoo:{task}/{k}"]).items()) for k in shipped}
    for name, job in development_runs(task, trained, budget.number, track):
        spec, weights, digest = read_agent(job.folder)
        label = f"{name}-{job.config.seed}"
        policy = policy_of(spec, weights, name=label, sha256=digest)
        groups.setdefault(name, []).append((label, policy))
    for name in SETS[stage].kinds:
        for label, policy in groups[name][: budget.number]:
            policies[label], kind[label] = policy, name
    return PolicySuite(task, policies, kind)


@dataclass(frozen=True, eq=False)
class SuiteRollouts:
    """What a suite did.

    Attributes:
        suite: :class:`PolicySuite`.
        split: of the levels.
        runs: {name: Episodes}, one episode on each level, in the same order for everybody.
        view: TaskView of the levels.
        rollout_seconds: what it takes to run one policy.
    """

    suite: PolicySuite
    split: str | None
    runs: dict
    view: object
    rollout_seconds: float

    def first(self, name, count):
        """The first ``count`` episodes of a policy."""
        run = self.runs[name]
        return run if count >= run.num_episodes else run.select(np.arange(count))

    def group(self, kind, count):
        """list[Episodes]: the first ``count`` episodes of every policy of a kind."""
        return [self.first(name, count) for name in self.suite.names(kind)]


def play(suite, episodes, seed, track, split=None):
    """Everybody on the same levels: :class:`SuiteRollouts`. Rollouts are kept on disk."""
    rollouts = PairedRollouts(suite.task, split, episodes, seed, suite.policies)
    cache = DetectionCache(store.leaderboard_folder() / "rollouts", CACHE_BYTES)
    runs = rollouts.play_all(suite.policies, track, cache, set(suite.policies))
    view = rollouts.view(runs[name] for name in suite.names(*ROLES))
    return SuiteRollouts(suite, rollouts.split, runs, view, _rollout_seconds(rollouts, suite))


def _rollout_seconds(rollouts, suite):
    """What one policy's rollout takes, uncached; the first one may compile and does not count."""
    seconds = []
    for policy in list(suite.policies.values())[:3]:
        begin = time.perf_counter()
        rollouts.play(policy, rollouts.env)
        seconds.append(time.perf_counter() - begin)
    return min(seconds)
