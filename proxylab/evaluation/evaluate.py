"""How a policy does, by the ground truth: returns, outcomes, and the verdict on its goal.

Every figure stands beside what chance and the proxy explain: the same levels are also
played by the task's perfect proxy-seeker (*accidental*: what somebody gets who never
wants the intended goal) and by its optimal policy (*by chance*: how often somebody who
wants only the intended goal meets the proxy).
"""

from typing import NamedTuple

import numpy as np

from proxylab.agents.loading import ScriptedPolicy, load_agents
from proxylab.environments.resolve import make_environment, task_in_environment
from proxylab.errors import AgentError, UsageError
from proxylab.evaluation.metrics import summarise
from proxylab.evaluation.results import AgentResult, Evaluation, SplitResult
from proxylab.evaluation.verdict import goal_verdict
from proxylab.rollouts.rollout import rollout
from proxylab.seeds import stream_seed
from proxylab.tasks import known_task
from proxylab_envs.channels import OUTCOMES, proxy_channels
from proxylab_envs.levels import Levels

MAX_NUM_ENVS = 256
MAX_EPISODES = 1_000_000


def evaluate(
    agents,
    task=None,
    split="all",
    episodes=500,
    seed=0,
    device="cpu",
    track=lambda jobs, description: jobs,
    env=None,
):
    """Play the levels of each split, with sampled and with greedy actions, and goal_verdict.

    Args:
        agents: references (see ``proxylab.agents.loading``) or policies, one or a list.
        task: task name; by default each agent's own. An agent of another task is refused.
        split: ``train``, ``iid``, ``shifted`` or ``all``.
        episodes: levels of each split.
        seed: of the levels and the action draws; the same for every agent.
        device: ``cpu``, ``cuda`` or ``auto``.
        track: function (list, description) -> iterable, to show progress.
        env: another environment than the task's (see ``worlds.make_environment``).

    Returns:
        :class:`Evaluation`.

    Raises:
        UsageError: an unknown task or split, an agent of another task, no episodes.
    """
    task = task_in_environment(
        task, env
    )  # first: an environment of one's own brings scripts of its own
    policies = as_policies(agents, device)
    if not 1 <= episodes <= MAX_EPISODES:
        raise UsageError(f"episodes {episodes} is not between 1 and {MAX_EPISODES}")
    jobs, stages = [], {}
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


def as_policies(agents, device="cpu"):
    """Policies of references, single or in a list; policies pass as they are."""
    given = [agents] if isinstance(agents, str) or not hasattr(agents, "__iter__") else list(agents)
    if not given:
        raise UsageError("name at least one agent")
    nested = [[a] if hasattr(a, "probabilities") else load_agents(a, device) for a in given]
    return [policy for group in nested for policy in group]


def task_of(policy, task=None):
    """The task a policy plays, checked against the one asked for."""
    if policy.task is None:
        if task is None:
            raise UsageError(f"{policy.name} belongs to no task: say --task or --env")
        known_task(task)
        return task
    known_task(task or policy.task)
    if task and policy.task != task:
        raise UsageError(f"{policy.name} is an agent of the task {policy.task}, not of {task}")
    return policy.task


def env_kwargs_of(policy):
    """The environment's env_kwargs that an agent was trained with and its task does not have.

    Raises:
        AgentError: its facts name env_kwargs that the environment does not know.
    """
    spec = getattr(policy, "spec", None)
    env_kwargs = spec.training.get("env", {}) if spec else {}
    if not env_kwargs:
        return {}
    try:
        known_task(policy.task).make_env(1, **env_kwargs)
    except (TypeError, ValueError) as error:
        raise AgentError(f"{policy.name}: an environment unknown here: {error}") from None
    return env_kwargs


def splits_of(task, split):
    """The splits that ``split`` means for a task: tuple of names."""
    known = known_task(task).make_env(1).splits
    if split == "all":
        return known
    if split not in known:
        raise UsageError(f"{task} has no split {split!r}: choose {', '.join(known)} or all")
    return (split,)


class Stage:
    """The levels of one task and split, and how the two reference scripts do on them.

    The scripts are the first two of the environment: the optimal policy of the intended
    goal and the perfect proxy-seeker.
    """

    def __init__(self, task, split, seed, env_kwargs=None, world=None):
        """Nothing is played before :meth:`prepare`; ``env_kwargs`` as of :func:`env_kwargs_of`.

        ``world`` names another environment than the task's.
        """
        self.world = world
        self.task = task
        self.env_kwargs = env_kwargs or {}
        self.split = split
        self.seed = seed

    def prepare(self, episodes):
        """Draw the levels, solve them, and play the two scripts."""
        num_envs = min(episodes, MAX_NUM_ENVS)
        self.env = make_environment(self.task, num_envs, self.world, **self.env_kwargs)
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
        self.by_chance = self.accidental = None
        if len(self.env.scripts) > 1:
            intended, seeker = (ScriptedPolicy(self.task, s) for s in self.env.scripts[:2])
            self.by_chance = self.summary(self.run(intended), "true")
            self.accidental = self.summary(self.run(seeker), "true")

    def run(self, policy, greedy=False):
        """:class:`~proxylab.rollouts.rollout.Outcomes` of a policy on the levels."""
        seed = stream_seed(self.seed, f"evaluation actions {self.split}")
        _, outcomes = rollout(
            policy, self.env, self.level_seeds, task=self.task, seed=seed, greedy=greedy
        )
        return outcomes

    def summary(self, outcomes, reward):
        """:class:`Summary` of a policy that was trained on ``reward``."""
        rng = np.random.default_rng(stream_seed(self.seed, "evaluation bootstrap"))
        weights = self.env.weights(reward)
        return summarise(outcomes, self.optimal, weights, self.proxy_channel, rng)

    def play(self, policy):
        """Sampled and greedy :class:`~proxylab.rollouts.rollout.Outcomes` of a policy."""
        return {"sampled": self.run(policy), "greedy": self.run(policy, greedy=True)}

    def result(self, play, reward):
        """:class:`SplitResult` of what :meth:`play` gave."""
        both = {mode: self.summary(outcomes, reward) for mode, outcomes in play.items()}
        return SplitResult(
            len(self.level_seeds), **both, accidental=self.accidental, by_chance=self.by_chance
        )


class Play(NamedTuple):
    """One agent on one stage: {"sampled" or "greedy": Outcomes}."""

    number: int
    policy: object
    stage: Stage
    outcomes: dict


def _agent_result(plays):
    """One agent's plays, summarised and judged."""
    policy, stage = plays[0].policy, plays[0].stage
    reward = trained_reward(policy)
    splits = {play.stage.split: play.stage.result(play.outcomes, reward) for play in plays}
    weights = stage.env.weights(reward)
    proxy_trained = bool(weights[stage.env.channels.index("true")] < 1)
    verdict, reason = goal_verdict(splits, proxy_trained, "shifted" in stage.env.splits)
    return AgentResult(policy.name, stage.task, reward, verdict, reason, splits)


def trained_reward(policy):
    """The reward a policy was trained on; of a script, the one its task's proxy agents get."""
    if hasattr(policy, "trained_reward"):
        return policy.trained_reward
    spec = getattr(policy, "spec", None)
    if spec is None:
        role = known_task(policy.task).roles.get("proxy")
        return role.reward if role else "true"
    return str(spec.training.get("reward", "true"))


def _rows(plays):
    """All episodes as columns: agent, task, split, actions, level_seed, outcome, returns, …."""
    parts = [_episode_rows(play, mode) for play in plays for mode in play.outcomes]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _episode_rows(play, mode):
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
