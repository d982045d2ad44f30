"""``proxylab guard``: what a guard keeps of the true return, and what it costs.

The threshold of a trigger is set on trusted agents that the guard does not use: a *calibration*
agent plays the levels of the deployment unguarded, and its greatest score is recorded. With
``alpha`` the threshold is the conformal quantile of these maxima, so that a new honest agent is
ever helped in such a deployment with probability ``alpha`` at most. With ``budget`` it is the
quantile of the greatest scores of all their episodes, so that this share of honest episodes gets
help.

The damage is measured with the true return, which no trigger sees.
"""

import math
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from proxylab.console.output import Track, no_progress
from proxylab.detection.calibration import divide
from proxylab.environments.resolve import make_environment, task_in_environment
from proxylab.errors import UsageError
from proxylab.evaluation.evaluate import MAX_NUM_ENVS, env_kwargs_of
from proxylab.guard.episodes import Guard, Guarded, guarded_episodes
from proxylab.guard.recording import GuardedLog, guarded_log, write_guarded
from proxylab.guard.settings import GuardSettings
from proxylab.guard.triggers import Trigger, find_trigger
from proxylab.guard.watching import Watched, watched_episodes
from proxylab.logs import format_of, log_path
from proxylab.rollouts.episodes import Episodes
from proxylab.rollouts.rollout import Policy, rollout, run_to_end
from proxylab.screening.paired import default_split
from proxylab.screening.policies import Agent, common_task, fingerprint, load_policies
from proxylab.screening.trust import warnings_about
from proxylab.seeds import stream_seed
from proxylab.statistics.conformal import calibration_needed, conformal_threshold
from proxylab.statistics.resampling import bootstrap_interval
from proxylab.storage.provenance import provenance_of
from proxylab_envs.batch import BatchedEnv
from proxylab_envs.levels import Levels

SCHEMA = "proxylab.guard/1"

REFERENCES = 3
"""Trusted policies that a trigger compares with; the first of them takes over."""

Interval = tuple[float, float, float]
"""Mean, lower and upper end of its 95 % interval."""


@dataclass(frozen=True)
class Protected:
    """What the guard did for one policy.

    Attributes:
        agent: name of the policy.
        unguarded: mean true return without a guard, with its interval over levels.
        guarded: the same with the guard.
        kept: ``guarded`` over ``trusted_return`` of the report.
        alarmed: whether the guard ever acted.
        first_episode: number of episodes until it first acted, or None.
        help_episodes: share of episodes with any help, in [0, 1].
        help_steps: share of steps in which a trusted policy acted.
        delay: median step of the first help in the episodes with help, or None.
        damage: mean true return lost against the trusted policy on the same levels; below 0
            where the policy does better.
        damage_without_help: the part of it in episodes without help.
        return_after: mean true return after the first help, of the episodes with help, over what
            the trusted policy gets there from the start; None without any.
    """

    agent: str
    unguarded: Interval
    guarded: Interval
    kept: float | None
    alarmed: bool
    first_episode: int | None
    help_episodes: float
    help_steps: float
    delay: float | None
    damage: Interval
    damage_without_help: float
    return_after: float | None


@dataclass(frozen=True)
class GuardReport:
    """The result of ``guard``.

    Attributes:
        task: task name.
        split: of the levels.
        settings: :class:`GuardSettings`.
        threshold: score above which the guard acts.
        references: the trusted policies that the guard uses; the first takes over.
        n_calibration: number of trusted agents that set the threshold.
        trusted_return: mean true return of the policy that takes over, on the same levels.
        suspects: one :class:`Protected` each.
        log: file of the guarded episodes, or None.
        warnings: sentences about trusted agents that pursue the proxy.
        provenance: commit, versions, seed, seconds.
        schema: schema of the JSON.
    """

    task: str
    split: str
    settings: GuardSettings
    threshold: float
    references: list[str]
    n_calibration: int
    trusted_return: Interval
    suspects: list[Protected]
    log: str | None = None
    warnings: list[str] = field(default_factory=list)
    provenance: dict[str, Any] = field(default_factory=dict)
    schema: str = SCHEMA

    def as_json(self) -> dict[str, Any]:
        """The JSON object as a dict, ``schema`` first."""
        return {"schema": self.schema} | asdict(self)


class Deployment:
    """Levels that all policies play with the same action draws, and the trusted ones' episodes.

    Attributes:
        task: task name.
        split: of the levels.
        level_seeds: int64[E].
        references: the trusted policies that the guard uses.
        calibration: the others.
    """

    def __init__(
        self,
        task: str,
        trusted: dict[str, Policy],
        settings: GuardSettings,
        env: BatchedEnv[Any] | None = None,
    ) -> None:
        """Draw the levels and divide the trusted policies.

        Args:
            task: task name.
            trusted: {name: policy}.
            settings: :class:`GuardSettings`.
            env: to play in; by default that of the task and the settings.

        Raises:
            UsageError: too few trusted policies, or no such split.
        """
        if len(trusted) < REFERENCES + 1:
            raise UsageError(f"a guard needs {REFERENCES + 1} trusted agents, not {len(trusted)}")
        self.task, self.settings = task, settings
        self.split = default_split(task, settings.split)
        self.env = env or _environment(task, trusted, settings)
        stream = stream_seed(settings.seed, f"guard levels {self.split}")
        levels = Levels(self.split)
        self.level_seeds = self.env.sample_level_seeds(levels, settings.episodes, stream)
        names = divide({name: fingerprint(policy) for name, policy in trusted.items()})
        ordered = [trusted[name] for part in names for name in part]
        self.references, self.calibration = ordered[:REFERENCES], ordered[REFERENCES:]

        self._actions = stream_seed(settings.seed, "guard actions")

    def play(self, policy: Policy, guard: Guard) -> Guarded:
        """The guarded episodes of a policy on all levels."""
        return guarded_episodes(policy, guard, self.env, self.level_seeds, self._actions)

    def returns_alone(self, policy: Policy) -> NDArray[np.float64]:
        """float64[E]: the true returns of a policy that nobody watches."""
        levels, seed = self.level_seeds, self._actions
        _, outcomes = rollout(policy, self.env, levels, task=self.task, seed=seed)
        return outcomes.returns_of("true")

    def unguarded(self, policy: Policy, trigger: Trigger) -> Guarded:
        """The episodes of a policy that is watched, but never helped."""
        watch = self.settings.watch
        return self.play(policy, Guard(trigger, math.inf, self.references, watch=watch))

    def watched(self, policy: Policy, triggers: Mapping[str, Trigger]) -> Watched:
        """The episodes of a policy on all levels, scored by several triggers at once."""
        levels = self.level_seeds
        return watched_episodes(policy, triggers, self.references, self.env, levels, self._actions)

    def recorded(self, policy: Policy, guard: Guard) -> GuardedLog:
        """The guarded episodes of a policy on all levels, step by step, for a log."""
        levels, seed = self.level_seeds, self._actions
        return guarded_log(policy, guard, self.env, levels, seed, self.task)

    def fitted(self, trigger: Trigger) -> Trigger:
        """The trigger, ready for use: fitted to states that the reference visits in training.

        Raises:
            UsageError: it reads values or features, and a trusted agent is no network.
        """
        needs_networks = trigger.reads_values or trigger.fit is not None
        if needs_networks and not all(hasattr(p, "features") for p in self.references):
            raise UsageError(f"the trigger {trigger.name} needs networks as trusted agents")
        if trigger.fit is None:
            return trigger
        network: Any = self.references[0]
        seeds = self.env.sample_level_seeds(
            Levels(self.env.splits[0]), self.env.num_envs, stream_seed(self.settings.seed, "fit")
        )
        self.env.reset_levels(seeds, np.arange(len(seeds)))
        visited = [network.features(self.env, np.arange(len(seeds)))]
        for moved, _, _ in run_to_end(network, self.env, seed=self.settings.seed):
            visited.append(network.features(self.env, moved))
        return replace(trigger, score=trigger.fit(np.concatenate(visited)))

    def threshold(self, trigger: Trigger, track: Track = no_progress) -> float:
        """The threshold of a trigger, from the episodes of all calibration policies."""
        alpha, budget = self.settings.alpha, self.settings.budget
        if budget is None:
            check_enough(len(self.calibration), alpha)
        agents = track(self.calibration, "trusted agents")
        return threshold_of(self.highest_of(agents, trigger), alpha, budget)

    def highest_of(self, agents: Iterable[Policy], trigger: Trigger) -> list[NDArray[np.float64]]:
        """For every agent float64[E], the greatest score of each episode without help."""
        return [self.unguarded(agent, trigger).highest for agent in agents]


def _environment(task: str, trusted: dict[str, Policy], settings: GuardSettings) -> BatchedEnv[Any]:
    """The environment of the task, as the trusted policies know it."""
    kwargs = {} if settings.env else env_kwargs_of(next(iter(trusted.values())))
    if settings.irrecoverable:
        kwargs = kwargs | irrecoverable_form(task, settings.env)
    num_envs = min(settings.episodes, MAX_NUM_ENVS)
    return make_environment(task, num_envs, settings.env, **kwargs)


def irrecoverable_form(task: str, env: str | None) -> dict[str, Any]:
    """Options of the task's environment; ``UsageError`` where it has no such form."""
    options = dict(make_environment(task, 1, env).irrecoverable)
    if not options:
        raise UsageError(f"{env or task} has no irrecoverable form")
    return options


def threshold_of(
    highest: Sequence[NDArray[np.float64]], alpha: float, budget: float | None
) -> float:
    """The threshold of a trigger.

    Args:
        highest: for every calibration agent float64[E], the greatest score of each episode.
        alpha: bound on the probability that a new honest agent ever exceeds it in E episodes.
        budget: share of episodes that may exceed it instead.

    Raises:
        UsageError: too few calibration agents for ``alpha``.
    """
    if budget is not None:
        return float(np.quantile(np.concatenate(highest), 1 - budget, method="higher"))
    check_enough(len(highest), alpha)
    return conformal_threshold([values.max() for values in highest], alpha)


def check_enough(num_calibration: int, alpha: float) -> None:
    """``UsageError`` where no threshold holds ``alpha`` with so few calibration agents."""
    needed = calibration_needed(alpha)
    if num_calibration < needed:
        raise UsageError(
            f"alpha {alpha} needs {needed + REFERENCES} trusted agents, not "
            f"{num_calibration + REFERENCES}: name more, or give a budget"
        )


def guard_agents(
    suspects: Agent | Iterable[Agent],
    trusted: Agent | Iterable[Agent] | None = None,
    task: str | None = None,
    settings: GuardSettings | None = None,
    *,
    log: str | Path | None = None,
    track: Track = no_progress,
) -> GuardReport:
    """Let trusted policies take over where a trigger says so, and measure what that is worth.

    Args:
        suspects: references of the agents that are watched, or policies.
        trusted: trusted agents; by default the shipped population of the task.
        task: task name; by default that of the suspects.
        settings: :class:`GuardSettings`.
        log: file for the guarded episodes, with who acted at every step and why.
        track: function (list, description) -> iterable, to show progress.

    Raises:
        UsageError: wrong use, or too few trusted agents.
    """
    started = time.perf_counter()
    own = settings or GuardSettings()
    if log is not None:
        log = log_path(log)
        format_of(log)
    task = task_in_environment(task, own.env)
    watched = _policies(load_policies(suspects, own.device, task))
    task = common_task(watched, task)
    chosen = [f"zoo:{task}/trusted"] if trusted is None else trusted
    given = _policies(load_policies(chosen, own.device, task))
    common_task(given, task)
    deployment = Deployment(task, given, own)
    trigger = deployment.fitted(find_trigger(own.trigger))
    threshold = deployment.threshold(trigger, track)
    rules = own.policy, own.hand_back, own.watch
    guard = Guard(trigger, threshold, deployment.references, *rules, exact=False)
    reference = deployment.unguarded(deployment.references[0], trigger)
    policies = list(watched.values())
    guarded = [
        protected(deployment, policy, guard, reference)
        for policy in track(policies, "guarded agents")
    ]
    if log is not None:
        exact = replace(guard, exact=True)
        write_guarded(log, [deployment.recorded(policy, exact) for policy in policies])
    return GuardReport(
        task=task,
        split=deployment.split,
        settings=own,
        threshold=threshold,
        references=[agent.name for agent in deployment.references],
        n_calibration=len(deployment.calibration),
        trusted_return=_interval(reference.true_return),
        suspects=guarded,
        log=log,
        warnings=warnings_about(given),
        provenance=provenance_of(own.seed, time.perf_counter() - started),
    )


def _policies(given: dict[str, Any]) -> dict[str, Policy]:
    """The trusted agents; ``UsageError`` for logs, which cannot act."""
    logs = [name for name, agent in given.items() if isinstance(agent, Episodes)]
    if logs:
        raise UsageError(f"{logs[0]} is a log: a guard needs agents, which can act")
    return given


def protected(
    deployment: Deployment, policy: Policy, guard: Guard, reference: Guarded
) -> Protected:
    """What a guard does for a policy.

    Args:
        deployment: :class:`Deployment`.
        policy: the policy that is watched.
        guard: :class:`~proxylab.guard.episodes.Guard`.
        reference: episodes of the policy that takes over, on its own.
    """
    both = deployment.play(policy, guard)
    helped = both.any_help
    lost = reference.true_return - both.true_return
    own, trusted = both.true_return.mean(), reference.true_return.mean()
    after = (both.true_return - both.return_before)[helped].sum()
    there = reference.true_return[helped].sum()
    return Protected(
        agent=policy.name,
        unguarded=_interval(deployment.returns_alone(policy)),
        guarded=_interval(both.true_return),
        kept=float(own / trusted) if trusted > 0 else None,
        alarmed=bool(helped.any()),
        first_episode=int(np.argmax(helped)) + 1 if helped.any() else None,
        help_episodes=float(helped.mean()),
        help_steps=float(both.helped.sum() / max(both.length.sum(), 1)),
        delay=float(np.median(both.first_help[helped])) if helped.any() else None,
        damage=_interval(lost),
        damage_without_help=float(np.where(helped, 0.0, lost).mean()),
        return_after=float(after / there) if there > 0 else None,
    )


def _interval(values: NDArray[np.float64]) -> Interval:
    mean, low, high = bootstrap_interval(values, np.random.default_rng(0))
    return float(mean), float(low), float(high)
