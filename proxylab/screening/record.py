"""``proxylab record``: write rollouts of agents as a log, which ``detect`` reads in their place.

The levels and the action draws are those of ``detect`` with the same ``seed``, ``split``
and ``episodes``, so that a log has the same scores as its agents.
"""

import time
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from proxylab.console.output import Track, no_progress
from proxylab.environments.resolve import task_in_environment
from proxylab.errors import UsageError
from proxylab.logs import RecordedEpisodes, format_of, log_path, write_log
from proxylab.rollouts.episodes import Episodes
from proxylab.rollouts.rollout import Policy
from proxylab.screening.paired import PairedRollouts
from proxylab.screening.policies import Agent, common_task, load_policies
from proxylab.storage.provenance import provenance_of

SCHEMA = "proxylab.record/1"


@dataclass(frozen=True)
class Recorded:
    """The result of ``record``.

    Attributes:
        out: path of the log.
        format: ``parquet``, ``jsonl``, ``csv`` or ``minari``.
        task: task name.
        split: split of the levels.
        episodes: number of episodes of each agent.
        greedy: whether the most probable actions were taken.
        probabilities: whether the log holds action probabilities.
        agents: one dict per agent: agent, sha256, episodes, steps.
        num_bytes: size of the log.
        provenance: commit, versions, seed, seconds.
        schema: schema of the JSON.
    """

    out: str
    format: str
    task: str
    split: str | None
    episodes: int
    greedy: bool
    probabilities: bool
    agents: list[dict[str, int | str]]
    num_bytes: int
    provenance: dict[str, Any] = field(default_factory=dict)
    schema: str = SCHEMA

    def as_json(self) -> dict[str, Any]:
        """The object that ``record --json`` prints."""
        return {"schema": self.schema, **{k: v for k, v in vars(self).items() if k != "schema"}}


def record(
    agents: Agent | Iterable[Agent],
    out: str | Path,
    task: str | None = None,
    split: str | None = None,
    episodes: int = 200,
    seed: int = 0,
    greedy: bool = False,
    probabilities: bool = True,
    device: str = "cpu",
    env: str | None = None,
    track: Track = no_progress,
) -> Recorded:
    """Run agents on the same levels and write their episodes.

    Args:
        agents: references or policies of one task, one or a list.
        out: path of the log, whose suffix decides the format (see ``proxylab.logs``), or
            ``minari:ID``.
        task: task name; by default that of the agents.
        split: name of a split; by default ``shifted`` where the task has it, else its first.
        episodes: number of levels; each agent plays one episode on each.
        seed: seed of the levels and the action draws.
        greedy: take the most probable action.
        probabilities: also write the action probabilities of the agents.
        device: ``cpu``, ``cuda`` or ``auto``.
        env: an environment other than that of the task, see
            :func:`proxylab.environments.resolve.make_environment`.
        track: function (list, description) -> iterable, to show progress.

    Returns:
        :class:`Recorded`.

    Raises:
        UsageError: wrong use; the message says what to do.
    """
    started, out = time.perf_counter(), log_path(out)
    kind = format_of(out)
    env_task = task_in_environment(task, env)  # first: it may register scripts
    policies = load_policies(agents, device)
    if any(isinstance(policy, Episodes) for policy in policies.values()):
        raise UsageError("record runs agents; one of these is a log already")
    task = common_task(policies, env_task)
    rollouts = PairedRollouts(task, split, episodes, seed, policies, greedy, env)
    runs = rollouts.play_all(policies, track)
    logs = [_recorded(policies[name], run, probabilities) for name, run in runs.items()]
    write_log(out, logs)
    return Recorded(
        out=str(out),
        format=kind,
        task=task,
        split=rollouts.split,
        episodes=episodes,
        greedy=greedy,
        probabilities=probabilities,
        agents=[_facts(log) for log in logs],
        num_bytes=Path(out).stat().st_size,
        provenance=provenance_of(seed, time.perf_counter() - started),
    )


def _recorded(
    policy: Policy | Episodes, episodes: Episodes, probabilities: bool
) -> RecordedEpisodes:
    """Episodes with the hash of the weights; action probabilities only if ``probabilities``."""
    if not probabilities:
        episodes = replace(episodes, probabilities=None)
    return RecordedEpisodes(**vars(episodes), sha256=getattr(policy, "sha256", ""))


def _facts(log: RecordedEpisodes) -> dict[str, int | str]:
    return {
        "agent": log.policy,
        "sha256": log.sha256,
        "episodes": log.num_episodes,
        "steps": log.num_steps,
    }
