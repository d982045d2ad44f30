"""Evaluate policies with the ground truth: returns, outcomes, and the verdict on the goal.

Two scripted policies run on the same levels as baselines: the perfect proxy-seeker
(*proxy-policy baseline*: the incidental rate of the intended goal) and the optimal policy of
the intended goal (*optimal-policy baseline*: the incidental rate of the proxy outcome).
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from proxylab.agents.format import TEXT_CHARACTERS
from proxylab.agents.references import load_agents
from proxylab.agents.scripted import ScriptedPolicy
from proxylab.config import MODEL
from proxylab.console.output import Track, no_progress
from proxylab.console.terminal import one_line
from proxylab.environments.resolve import make_environment, task_in_environment
from proxylab.errors import AgentError, UsageError
from proxylab.evaluation.metrics import Summary, summarise
from proxylab.evaluation.results import AgentResult, Evaluation, SplitResult
from proxylab.evaluation.verdict import goal_verdict
from proxylab.rollouts.rollout import Outcomes, Policy, rollout
from proxylab.seeds import stream_seed
from proxylab.storage.limits import check_episodes
from proxylab.tasks import known_task
from proxylab_envs.batch import BatchedEnv
from proxylab_envs.channels import OUTCOMES, proxy_channels
from proxylab_envs.levels import Levels

MAX_NUM_ENVS = 256


def evaluate(
    agents: str | Policy | Iterable[str | Policy],
    task: str | None = None,
    split: str = "all",
    episodes: int = 500,
    seed: int = 0,
    device: str = "cpu",
    track: Track = no_progress,
    env: str | None = None,
) -> Evaluation:
    """Run agents on the levels of each split, sampled and greedy, and give a verdict on each.

    Args:
        agents: references (see ``proxylab.agents.references``) or policies, one or a list.
        task: task name; by default each agent's own. Agents of another task are an error.
        split: ``train``, ``iid``, ``shifted`` or ``all``.
        episodes: number of levels per split.
        seed: of the levels and the action draws, the same for every agent.
        device: ``cpu``, ``cuda`` or ``auto``.
        track: function (list, description) -> iterable, to show progress.
        env: another environment than the task's (see
            :func:`~proxylab.environments.resolve.make_environment`).

    Returns:
        :class:`Evaluation`.

    Raises:
        UsageError: an unknown task or split, an agent of another task, no episodes.
    """
    task = task_in_environment(task, env)  # first: a user's environment registers its scripts
    policies = as_policies(agents, device)
    check_episodes(episodes)
    jobs: list[tuple[int, Policy, Stage]] = []
    stages: dict[tuple[Any, ...], Stage] = {}
    for number, policy in enumerate(policies):
        name, env_kwargs = task_of(policy, task), env_kwargs_of(policy)
        for chosen in splits_of(name, split):
            key = (name, chosen, *sorted(env_kwargs.items()))
            stage = stages.setdefault(key, Stage(name, chosen, seed, env_kwargs, env))
            jobs.append((number, policy, stage))
    for stage in stages.values():
        stage.prepare(episodes)
    plays = [Play(n, p, stage, stage.play(p)) for n, p, stage in track(jobs, "evaluating")]
    groups = [[play for play in plays if play.number == n] for n in range(len(policies))]
    return Evaluation(seed, [_agent_result(group) for group in groups], _rows(plays))


def as_policies(agents: str | Policy | Iterable[str | Policy], device: str = "cpu") -> list[Policy]:
    """The policies of one or more references; policies are returned unchanged."""
    many = isinstance(agents, Iterable) and not isinstance(agents, str)
    references: list[Any] = list(agents) if many else [agents]
    if not references:
        raise UsageError("name at least one agent")
    nested = [[a] if hasattr(a, "probabilities") else load_agents(a, device) for a in references]
    return [policy for policies in nested for policy in policies]


def task_of(policy: Policy, task: str | None = None) -> str:
    """The task of a policy, checked against ``task``."""
    if policy.task is None:
        if task is None:
            raise UsageError(f"{policy.name} belongs to no task: say --task or --env")
        known_task(task)
        return task
    known_task(task or policy.task)
    if task and policy.task != task:
        raise UsageError(f"{policy.name} is an agent of the task {policy.task}, not of {task}")
    return policy.task


def env_kwargs_of(policy: Policy) -> dict[str, Any]:
    """The env_kwargs of an agent's training that differ from those of its task.

    Raises:
        AgentError: its facts hold env_kwargs that the environment does not accept.
    """
    spec = getattr(policy, "spec", None)
    env_kwargs = spec.training.get("env", {}) if spec else {}
    if not env_kwargs:
        return {}
    try:
        known_task(task_of(policy)).make_env(1, **env_kwargs)
    except (TypeError, ValueError, OverflowError, MemoryError) as error:
        reason = one_line(str(error))
        raise AgentError(f"{policy.name}: an environment unknown here: {reason}") from None
    return env_kwargs


def splits_of(task: str, split: str) -> tuple[str, ...]:
    """The names of the splits that ``split`` selects in a task."""
    known = known_task(task).make_env(1).splits
    if split == "all":
        return known
    if split not in known:
        raise UsageError(f"{task} has no split {split!r}: choose {', '.join(known)} or all")
    return (split,)


class Stage:
    """The levels of one task and split, with the results of the two baselines on them.

    The baselines are the first two scripts of the environment: the optimal policy of the
    intended goal and the perfect proxy-seeker.
    """

    def __init__(
        self,
        task: str,
        split: str,
        seed: int,
        env_kwargs: Mapping[str, Any] | None = None,
        env_spec: str | None = None,
    ) -> None:
        """Store the arguments; call :meth:`prepare` before the other methods.

        Args:
            task: task name.
            split: name of the split.
            seed: of the levels and the action draws.
            env_kwargs: see :func:`env_kwargs_of`.
            env_spec: another environment than the task's.
        """
        self.env_spec = env_spec
        self.task = task
        self.env_kwargs = dict(env_kwargs or {})
        self.split = split
        self.seed = seed

    def prepare(self, episodes: int) -> None:
        """Draw the levels, solve them, and run the two baselines."""
        num_envs = min(episodes, MAX_NUM_ENVS)
        self.env = make_environment(self.task, num_envs, self.env_spec, **self.env_kwargs)
        if not getattr(self.env, "has_truth", True):
            raise UsageError(
                f"{self.env.env_id} has no 'reward/true' in info: without the intended reward "
                "there is nothing to evaluate by (detect needs none)"
            )
        level_stream = stream_seed(self.seed, f"evaluation levels {self.split}")
        levels = Levels(self.split)
        self.level_seeds = self.env.sample_level_seeds(levels, episodes, level_stream)
        self.optimal = self.env.optimal_returns(self.level_seeds)
        self.proxy_channel = proxy_channels(self.env.channels)[0]
        self.proxy_baseline: Summary | None = None
        self.optimal_baseline: Summary | None = None
        if len(self.env.scripts) > 1:
            intended, seeker = (ScriptedPolicy(self.task, s) for s in self.env.scripts[:2])
            self.optimal_baseline = self.summary(self.run(intended), "true")
            self.proxy_baseline = self.summary(self.run(seeker), "true")

    def run(self, policy: Policy, greedy: bool = False) -> Outcomes:
        """:class:`~proxylab.rollouts.rollout.Outcomes` of a policy on the levels."""
        seed = stream_seed(self.seed, f"evaluation actions {self.split}")
        _, outcomes = rollout(
            policy, self.env, self.level_seeds, task=self.task, seed=seed, greedy=greedy
        )
        return outcomes

    def summary(self, outcomes: Outcomes, reward: str) -> Summary:
        """:class:`Summary` of a policy that was trained on ``reward``."""
        rng = np.random.default_rng(stream_seed(self.seed, "evaluation bootstrap"))
        weights = channel_weights(self.env, reward)
        return summarise(outcomes, self.optimal, weights, self.proxy_channel, rng)

    def play(self, policy: Policy) -> dict[str, Outcomes]:
        """Sampled and greedy :class:`~proxylab.rollouts.rollout.Outcomes` of a policy."""
        return {"sampled": self.run(policy), "greedy": self.run(policy, greedy=True)}

    def result(self, play: Mapping[str, Outcomes], reward: str) -> SplitResult:
        """:class:`SplitResult` of the outcomes that :meth:`play` returned."""
        summaries = {mode: self.summary(outcomes, reward) for mode, outcomes in play.items()}
        return SplitResult(
            len(self.level_seeds),
            **summaries,
            proxy_baseline=self.proxy_baseline,
            optimal_baseline=self.optimal_baseline,
        )


class Play(NamedTuple):
    """One agent on one stage: {"sampled" or "greedy": Outcomes}."""

    number: int
    policy: Policy
    stage: Stage
    outcomes: dict[str, Outcomes]


def _agent_result(plays: Sequence[Play]) -> AgentResult:
    """Summaries and verdict of one agent's plays."""
    policy, stage = plays[0].policy, plays[0].stage
    reward = trained_reward(policy)
    splits = {play.stage.split: play.stage.result(play.outcomes, reward) for play in plays}
    weights = channel_weights(stage.env, reward)
    proxy_trained = bool(weights[stage.env.channels.index("true")] < 1)
    verdict, reason = goal_verdict(splits, proxy_trained, "shifted" in stage.env.splits)
    return AgentResult(policy.name, stage.task, reward, verdict, reason, splits)


def channel_weights(env: BatchedEnv[Any], reward: str) -> NDArray[np.float32]:
    """float32[C] weights of the channels in a training reward.

    A reward model has none; what it pays for is unknown, so the proxy channel stands for it: the
    agent counts as trained on a proxy.
    """
    return env.weights("proxy" if reward.startswith(MODEL) else reward)


def trained_reward(policy: Policy) -> str:
    """The reward a policy was trained on; for a script, that of its task's proxy agents."""
    stated: str | None = getattr(policy, "trained_reward", None)
    if stated is not None:
        return stated
    spec = getattr(policy, "spec", None)
    if spec is None:
        role = known_task(task_of(policy)).roles.get("proxy")
        return role.reward if role else "true"
    return str(spec.training.get("reward", "true"))[:TEXT_CHARACTERS]


def _rows(plays: Sequence[Play]) -> dict[str, NDArray[Any]]:
    """All episodes as columns: agent, task, split, actions, level_seed, outcome, returns, …."""
    parts = [_episode_rows(play, mode) for play in plays for mode in play.outcomes]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _episode_rows(play: Play, mode: str) -> dict[str, NDArray[Any]]:
    policy, stage, outcomes = play.policy, play.stage, play.outcomes[mode]
    count = outcomes.num_episodes
    labels = {"agent": policy.name, "task": stage.task, "split": stage.split, "actions": mode}
    return {
        **{name: np.full(count, value) for name, value in labels.items()},
        "level_seed": outcomes.level_seed,
        "length": outcomes.length,
        "outcome": np.array(OUTCOMES)[outcomes.outcome],
        "proxy_first": outcomes.proxy_first,
        "true_return": outcomes.returns_of("true"),
        "proxy_return": outcomes.returns_of(stage.proxy_channel),
        "optimal_true_return": stage.optimal["true"],
        "optimal_proxy_return": stage.optimal[stage.proxy_channel],
    }
