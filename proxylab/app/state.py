"""What the page can show: worlds, their agents, and one environment of each size.

A world is a task and the env_kwargs its agents were trained with. Only agents of the
catalogue can be asked for by the page: it names them, and never a path or a module.
"""

import functools
import threading
from dataclasses import dataclass, field

import numpy as np

from proxylab.agents.loading import ScriptedPolicy, load_agents
from proxylab.agents.zoo import zoo_entries
from proxylab.environments.placement import kind_of
from proxylab.errors import AgentError, UsageError
from proxylab.evaluation.evaluate import env_kwargs_of, task_of
from proxylab.tasks import TASKS, known_task

AT_ONCE = 64
"""Environments for questions about many cells or episodes at once."""

COURSE = "course"
"""Kind of a level that is open water, where positions are no cells."""

MOVES = ("up", "down", "left", "right")
HELM = ("left, drift", "left, full", "ahead, drift", "ahead, full", "right, drift", "right, full")
ACTIONS = {4: MOVES, 6: HELM}
"""Number of actions: their names."""


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
    load: object


@dataclass
class World:
    """A task with its agents; environments are made when they are first needed.

    Attributes:
        name: the task's, with the env_kwargs that differ.
        task: task name.
        env_kwargs: of the environment.
        agents: {name: :class:`Listed`}.
        lock: to be held while an environment of the world is used.
    """

    name: str
    task: str
    env_kwargs: dict
    agents: dict = field(default_factory=dict)
    lock: threading.RLock = field(default_factory=threading.RLock)

    def __post_init__(self):
        self.env = functools.cache(self._make)
        self.policy = functools.cache(lambda name: self.agents[name].load())

    def _make(self, num_envs=1):
        """The environment of a size; the same one every time."""
        return TASKS[self.task].make_env(num_envs, **self.env_kwargs)

    @property
    def kind(self):
        """A key of ``walkers.WALKERS`` or :data:`COURSE`; None where nothing can be drawn."""
        env = self.env(1)
        return kind_of(env) or (COURSE if hasattr(env.core, "position") else None)

    @property
    def exact(self):
        """Whether the cell is all there is to know, so that occupancy follows from the field."""
        ends = getattr(self.env(1).config, "end_on", "cheese")
        return self.kind == "race" or (self.kind == "maze" and ends == "cheese")

    def agent(self, name):
        """The policy of a name; ``UsageError`` where there is none."""
        if name not in self.agents:
            raise UsageError(f"{self.name} has no agent {name[:80]!r}")
        return self.policy(name)

    def entry(self):
        """The world as the page's catalogue has it."""
        env = self.env(1)
        return {
            "name": self.name,
            "task": self.task,
            "description": TASKS[self.task].description,
            "kind": self.kind,
            "splits": list(env.splits),
            "actions": list(ACTIONS[int(env.single_action_space.n)]),
            "channels": list(env.channels),
            "exact": self.exact,
            "max_steps": int(env.max_episode_steps),
            "agents": [{"name": a.name, "group": a.group} for a in self.agents.values()],
            "pair": list(self.pair()),
        }

    def pair(self):
        """Names of the two agents that are shown first: yours or a proxy's, and a trusted one."""
        by_group = {}
        for agent in self.agents.values():
            by_group.setdefault(agent.group, agent.name)
        names = list(self.agents)
        first = by_group.get("yours") or by_group.get("proxy") or names[-1]
        return first, by_group.get("trusted") or names[0]


def make_worlds(agents=(), device="cpu", tasks=()):
    """{name: :class:`World`} of every task that can be drawn, with ``agents`` of one's own.

    Args:
        agents: references or policies beside the shipped ones.
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
    for given in agents:
        policies = [given] if hasattr(given, "probabilities") else load_agents(given, device)
        for policy in policies:
            _add_own(worlds, policy)
    return worlds


def _drawable(world):
    try:
        return world.kind is not None
    except ValueError:  # an optional environment that is not installed
        return False


def _add_shipped(world, device):
    """The scripts and the zoo of a task."""
    _add_scripts(world)
    try:
        entries = zoo_entries(world.task)
    except AgentError:
        return
    for entry in entries:
        name = f"zoo:{world.task}/{entry.name}"
        world.agents[name] = Listed(name, entry.kind, functools.partial(_only, name, device))


def _add_scripts(world):
    for script in world.env(1).scripts:
        name = f"script:{world.task}/{script}"
        make = functools.partial(ScriptedPolicy, world.task, script)
        world.agents[name] = Listed(name, "script", make)


def _only(reference, device):
    (policy,) = load_agents(reference, device)
    return policy


def _add_own(worlds, policy):
    task, env_kwargs = task_of(policy), env_kwargs_of(policy)
    name = " ".join([task, *(f"{key}={value}" for key, value in sorted(env_kwargs.items()))])
    if name not in worlds:
        world = World(name, task, env_kwargs)
        if not _drawable(world):
            raise UsageError(f"{policy.name}: levels of {task} cannot be drawn here")
        _add_scripts(world)  # shipped agents do not know these env_kwargs
        worlds[name] = world
    worlds[name].agents[policy.name] = Listed(policy.name, "yours", lambda: policy)


def warm_up(worlds):
    """Run the two agents that are shown first, on every cell, so that the page answers at once."""
    world = next(iter(worlds.values()))
    with world.lock:
        for env in (world.env(1), world.env(AT_ONCE)):
            env.reset()
            for name in world.pair():
                world.agent(name).probabilities(env, np.arange(env.num_envs))
