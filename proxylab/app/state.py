"""The state of the page: worlds, their agents, and one environment of each size.

A world is a task and the env_kwargs its agents were trained with. Only agents of the
catalogue can be requested: the page sends their names, never a path or a module.
"""

import functools
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np

from proxylab.agents.references import load_agents
from proxylab.agents.scripted import ScriptedPolicy
from proxylab.agents.zoo import zoo_entries
from proxylab.app.guards import NEEDED, make_guard
from proxylab.app.kinds import SCRIPT, YOURS, kinds_in_words
from proxylab.errors import AgentError, UsageError
from proxylab.evaluation.evaluate import env_kwargs_of, task_of
from proxylab.guard.episodes import Guard
from proxylab.guard.triggers import DEFAULT_TRIGGER, TRIGGERS
from proxylab.rollouts.rollout import Policy
from proxylab.tasks import TASKS, known_task
from proxylab_envs.batch import BatchedEnv

AT_ONCE = 64
"""Batch size for requests about many cells or episodes."""

COURSE = "course"
"""Kind of a level on open water, where positions are not cells."""


@dataclass(frozen=True)
class Listed:
    """An agent of the catalogue.

    Attributes:
        name: as the page names it.
        group: what it is: ``script``, a kind of shipped agents, or ``yours``.
        load: function () -> policy.
    """

    name: str
    group: str
    load: Callable[[], Policy]


@dataclass
class World:
    """A task with its agents; environments are created on first use.

    Attributes:
        name: the task's, with the env_kwargs that differ.
        task: task name.
        env_kwargs: of the environment.
        agents: {name: :class:`Listed`}.
        lock: held while an environment of the world is in use.
    """

    name: str
    task: str
    env_kwargs: dict[str, Any]
    agents: dict[str, Listed] = field(default_factory=dict)
    lock: threading.RLock = field(default_factory=threading.RLock)

    def __post_init__(self) -> None:
        self.env = functools.cache(self._make)
        self.policy = functools.cache(lambda name: self.agents[name].load())
        self._known_guard = functools.cache(self._make_guard)

    def _make(self, num_envs: int = 1) -> BatchedEnv:
        """The environment of a size; the same one every time."""
        return TASKS[self.task].make_env(num_envs, **self.env_kwargs)

    @property
    def kind(self) -> str | None:
        """The ``level_kind`` of the environment; None where nothing can be drawn."""
        return self.env(1).level_kind

    @property
    def exact(self) -> bool:
        """Whether the cell is the full state, so that occupancy follows from the action field."""
        return self.env(1).state_ids_suffice

    def agent(self, name: str) -> Policy:
        """The policy of a name; ``UsageError`` where there is none."""
        if name not in self.agents:
            raise UsageError(f"{self.name} has no agent {name[:80]!r}")
        return self.policy(name)

    @property
    def triggers(self) -> dict[str, str]:
        """{trigger: what it measures} of the guards that can be made; the default comes first."""
        if sum(agent.group == "trusted" for agent in self.agents.values()) < NEEDED:
            return {}
        names = (DEFAULT_TRIGGER, *(name for name in TRIGGERS if name != DEFAULT_TRIGGER))
        return {name: TRIGGERS[name].says for name in names}

    def guard(self, trigger: str) -> Guard:
        """The guard of a trigger, its threshold set on first use; ``UsageError`` without one."""
        if trigger not in self.triggers:
            raise UsageError(f"{self.name} has too few trusted agents for a guard")
        return self._known_guard(trigger)

    def _make_guard(self, trigger: str) -> Guard:
        names = [agent.name for agent in self.agents.values() if agent.group == "trusted"]
        trusted = {name: self.policy(name) for name in names[:NEEDED]}
        return make_guard(self.task, trusted, trigger, int(self.env(1).max_episode_steps))

    def entry(self) -> dict[str, Any]:
        """The world's entry in the page's catalogue."""
        env = self.env(1)
        return {
            "name": self.name,
            "task": self.task,
            "description": TASKS[self.task].description,
            "kind": self.kind,
            "splits": list(env.splits),
            "actions": list(env.action_names),
            "channels": list(env.channels),
            "exact": self.exact,
            "max_steps": int(env.max_episode_steps),
            "agents": [{"name": a.name, "group": a.group} for a in self.agents.values()],
            "kinds": kinds_in_words(TASKS[self.task], [a.group for a in self.agents.values()]),
            "pair": list(self.pair()),
            "triggers": self.triggers,
        }

    def pair(self) -> tuple[str, str]:
        """Names of the two default agents: yours or a proxy agent, and a trusted one."""
        by_group = {}
        for agent in self.agents.values():
            by_group.setdefault(agent.group, agent.name)
        names = list(self.agents)
        first = by_group.get(YOURS) or by_group.get("proxy") or names[-1]
        return first, by_group.get("trusted") or names[0]


def make_worlds(
    agents: Sequence[str | Policy] = (), device: str = "cpu", tasks: Sequence[str] = ()
) -> dict[str, World]:
    """{name: :class:`World`} of every task that can be drawn, with ``agents`` of one's own.

    Args:
        agents: references or policies, in addition to the shipped ones.
        device: where networks run.
        tasks: names of tasks, all by default.

    Raises:
        UsageError: there is no such task, or one of ``agents`` cannot be found or belongs to
            a task that cannot be drawn.
    """
    worlds = {known_task(name).name: World(name, name, {}) for name in tasks or TASKS}
    worlds = {name: world for name, world in worlds.items() if _drawable(world)}
    if not worlds:
        raise UsageError(f"levels of {', '.join(tasks)} cannot be drawn here")
    for world in worlds.values():
        _add_shipped(world, device)
    for agent in agents:
        policies = (
            [cast(Policy, agent)] if hasattr(agent, "probabilities") else load_agents(agent, device)
        )
        for policy in policies:
            _add_own(worlds, policy)
    return worlds


def _drawable(world: World) -> bool:
    try:
        return world.kind is not None
    except ValueError:  # an optional environment that is not installed
        return False


def _add_shipped(world: World, device: str) -> None:
    """The scripts and the zoo of a task."""
    _add_scripts(world)
    try:
        entries = zoo_entries(world.task)
    except AgentError:
        return
    for entry in entries:
        name = f"zoo:{world.task}/{entry.name}"
        world.agents[name] = Listed(name, entry.kind, functools.partial(_only, name, device))


def _add_scripts(world: World) -> None:
    for script in world.env(1).scripts:
        name = f"script:{world.task}/{script}"
        make = functools.partial(ScriptedPolicy, world.task, script)
        world.agents[name] = Listed(name, SCRIPT, make)


def _only(reference: str, device: str) -> Policy:
    (policy,) = load_agents(reference, device)
    return policy


def _add_own(worlds: dict[str, World], policy: Policy) -> None:
    task, env_kwargs = task_of(policy), env_kwargs_of(policy)
    name = " ".join([task, *(f"{key}={value}" for key, value in sorted(env_kwargs.items()))])
    if name not in worlds:
        world = World(name, task, env_kwargs)
        if not _drawable(world):
            raise UsageError(f"{policy.name}: levels of {task} cannot be drawn here")
        _add_scripts(world)  # shipped agents do not know these env_kwargs
        worlds[name] = world
    worlds[name].agents[policy.name] = Listed(policy.name, YOURS, lambda: policy)


def warm_up(worlds: Mapping[str, World]) -> None:
    """Run the two default agents once, so that the first request is fast."""
    world = next(iter(worlds.values()))
    with world.lock:
        for env in (world.env(1), world.env(AT_ONCE)):
            env.reset()
            for name in world.pair():
                world.agent(name).probabilities(env, np.arange(env.num_envs))
