"""``proxylab zoo check``: train samples of the shipped agents again and compare their bytes.

The same configuration gives the same bytes on one machine with the same packages. Another
processor or another release of torch may round differently.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from proxylab.agents.format import stored_weights, weights_sha256
from proxylab.agents.zoo import ZooEntry
from proxylab.agents.zoo_kinds import kinds_of
from proxylab.console.output import Track, no_progress
from proxylab.errors import UsageError
from proxylab.training.jobs import run_jobs
from proxylab.training.plan import TrainingJob
from proxylab.training.zoo_build import DTYPE, planned_runs, shipped_runs, trained_agent

SCHEMA = "proxylab.zoo-check/1"
SAMPLES = 3
"""Agents of each kind."""

Shipped = tuple[TrainingJob, ZooEntry]


@dataclass(frozen=True)
class Retrained:
    """One agent, trained again.

    Attributes:
        agent: its reference.
        command: the command that repeats its training.
        sha256: of the shipped weights.
        again: of the weights that its recorded configuration gives here.
    """

    agent: str
    command: str
    sha256: str
    again: str

    @property
    def equal(self) -> bool:
        """Whether both are the same bytes."""
        return self.sha256 == self.again


@dataclass(frozen=True)
class ZooCheck:
    """The result of ``zoo check``.

    Attributes:
        task: task name.
        agents: the agents that were trained again.
    """

    task: str
    agents: list[Retrained]

    @property
    def different(self) -> int:
        """Number of agents with other bytes."""
        return sum(not agent.equal for agent in self.agents)

    def as_json(self) -> dict[str, Any]:
        """The object that ``zoo check --json`` prints."""
        agents = [{**asdict(agent), "equal": agent.equal} for agent in self.agents]
        return {"schema": SCHEMA, "task": self.task, "agents": agents}


def check_zoo(
    task: str,
    kinds: Sequence[str] | None = None,
    number: int = SAMPLES,
    jobs: int | None = None,
    folder: str | Path | None = None,
    track: Track = no_progress,
) -> ZooCheck:
    """Train samples of each kind from their recorded configuration; finished runs are reused.

    Args:
        task: task name.
        kinds: names of the kinds; by default all of the task.
        number: agents of each kind, spread evenly over its seeds.
        jobs: number of processes; by default one per processor.
        folder: folder of the zoo; by default that of the package.
        track: function (list, description) -> iterable, to show progress.

    Returns:
        :class:`ZooCheck`.

    Raises:
        UsageError: an unknown task or kind, or no shipped agent whose configuration is planned.
    """
    samples = [
        sample
        for name, kind in kinds_of(task, kinds).items()
        for sample in _spread(list(shipped_runs(planned_runs(task, {name: kind}), folder)), number)
    ]
    if not samples:
        raise UsageError(f"no shipped agent of {task} has a configuration that is known here")
    run_jobs([job for job, _ in samples], jobs, resume=True, track=track)
    return ZooCheck(task, [_retrained(entry, job) for job, entry in samples])


def _spread(runs: Sequence[Shipped], number: int) -> list[Shipped]:
    """``number`` of the runs, evenly spread."""
    count = min(number, len(runs))
    return [runs[k * len(runs) // count] for k in range(count)]


def _retrained(entry: ZooEntry, job: TrainingJob) -> Retrained:
    _, weights = trained_agent(job)
    again = weights_sha256(stored_weights(weights, DTYPE))
    agent = f"zoo:{entry.spec.task}/{entry.name}"
    return Retrained(agent, entry.facts.command, entry.sha256, again)
