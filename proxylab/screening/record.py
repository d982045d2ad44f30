"""``proxylab record``: what agents do, as a log that ``detect`` can read instead of them.

The levels and the action draws are those of ``detect`` with the same ``seed``, ``split``
and ``episodes``, so that a log gives the scores that its agents give.
"""

import time
from dataclasses import dataclass, field, replace
from pathlib import Path

from proxylab.environments.resolve import task_in_environment
from proxylab.errors import UsageError
from proxylab.logs import RecordedEpisodes, format_of, write_log
from proxylab.rollouts.episodes import Episodes
from proxylab.screening.run import PairedRollouts, common_task, load_policies, origin

SCHEMA = "proxylab.record/1"


@dataclass(frozen=True)
class Recorded:
    """What was written.

    Attributes:
        out: path of the log.
        format: ``parquet``, ``jsonl``, ``csv`` or ``minari``.
        task: task name.
        split: of the levels.
        episodes: of each agent.
        greedy: whether the most probable actions were taken.
        probabilities: whether the log holds action probabilities.
        agents: a dict each: agent, sha256, episodes, steps.
        num_bytes: size of the log.
        provenance: commit, versions, seed, seconds.
        schema: of the JSON.
    """

    out: str
    format: str
    task: str
    split: str | None
    episodes: int
    greedy: bool
    probabilities: bool
    agents: list[dict]
    num_bytes: int
    provenance: dict = field(default_factory=dict)
    schema: str = SCHEMA

    def as_json(self):
        """The object that ``record --json`` prints."""
        return {"schema": self.schema, **{k: v for k, v in vars(self).items() if k != "schema"}}


def record(
    agents,
    out,
    task=None,
    split=None,
    episodes=200,
    seed=0,
    greedy=False,
    probabilities=True,
    device="cpu",
    env=None,
    track=lambda jobs, description: jobs,
):
    """Run agents on the same levels and write what they did.

    Args:
        agents: references or policies, one or a list; of one task.
        out: path of the log; its ending decides the format (see ``proxylab.logs``).
        task: task name; by default the agents'.
        split: ``shifted`` where the task has it, else its first; or a split's name.
        episodes: levels, one episode of each agent on each.
        seed: of the levels and the action draws.
        greedy: take the most probable action.
        probabilities: write the agents' action probabilities too.
        device: ``cpu``, ``cuda`` or ``auto``.
        env: another environment than the task's (see ``worlds.make_environment``).
        track: function (list, description) -> iterable, to show progress.

    Returns:
        :class:`Recorded`.

    Raises:
        UsageError: wrong use; the message says what to do.
    """
    started, kind = time.perf_counter(), format_of(out)
    task = task_in_environment(task, env)
    given = load_policies(agents, device)
    if any(isinstance(policy, Episodes) for policy in given.values()):
        raise UsageError("record runs agents; one of these is a log already")
    task = common_task(given, task)
    rollouts = PairedRollouts(task, split, episodes, seed, given, greedy, env)
    runs = rollouts.play_all(given, track)
    logs = [_recorded(given[name], run, probabilities) for name, run in runs.items()]
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
        provenance=origin(seed, time.perf_counter() - started),
    )


def _recorded(policy, episodes, probabilities):
    """Episodes with the hash of the weights, and without probabilities where unwanted."""
    if not probabilities:
        episodes = replace(episodes, probabilities=None)
    return RecordedEpisodes(**vars(episodes), sha256=getattr(policy, "sha256", ""))


def _facts(log):
    return {
        "agent": log.policy,
        "sha256": log.sha256,
        "episodes": log.num_episodes,
        "steps": log.num_steps,
    }
