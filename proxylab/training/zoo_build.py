"""``proxylab zoo build``: train, evaluate and pack the shipped agents of a task.

The seeds of each kind of agent are fixed in advance. Finished runs are not repeated, nor
are agents that the zoo holds already; an interrupted build resumes.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from proxylab.agents.format import AgentSpec, loaded_weights, read_agent, stored_weights
from proxylab.agents.loading import policy_of
from proxylab.agents.zoo import (
    ZOO,
    ZooEntry,
    ZooFacts,
    ZooMember,
    pack_zoo,
    read_entry,
    zoo_entries,
)
from proxylab.agents.zoo_kinds import LEARNED_KIND, Kind, kinds_of
from proxylab.config import TrainConfig
from proxylab.console.output import Track, no_progress
from proxylab.evaluation.competence import CompetenceScale
from proxylab.evaluation.evaluate import Stage, splits_of
from proxylab.rewards.shipped import make_shipped
from proxylab.tasks import TASKS
from proxylab.training.jobs import run_jobs
from proxylab.training.plan import TrainingJob, plan
from proxylab_envs.channels import OUTCOMES

SCHEMA = "proxylab.zoo-build/1"
DTYPE = "float16"


@dataclass(frozen=True)
class ZooBuild:
    """A packed zoo.

    Attributes:
        task: task name.
        folder: folder it was written to.
        entries: entries of its index.
    """

    task: str
    folder: str
    entries: list[ZooEntry]

    def as_json(self) -> dict[str, Any]:
        """The object that ``zoo build --json`` prints."""
        agents = [
            {"agent": f"zoo:{self.task}/{e.name}", "group": e.group, **asdict(e.facts)}
            for e in self.entries
        ]
        return {"schema": SCHEMA, "task": self.task, "folder": self.folder, "agents": agents}


def build_zoo(
    task: str,
    kinds: Sequence[str] | None = None,
    number: int | None = None,
    jobs: int | None = None,
    folder: str | Path | None = None,
    track: Track = no_progress,
    total_timesteps: int | None = None,
) -> ZooBuild:
    """Train, evaluate and pack the agents of a task.

    Args:
        task: task name.
        kinds: names of the kinds to build, by default all of the task; existing agents of
            other kinds stay.
        number: maximum number of agents per kind.
        jobs: number of processes; by default one per processor.
        folder: folder of the zoo; by default that of the package.
        track: function (list, description) -> iterable, to show progress.
        total_timesteps: environment steps of each agent; by default those of its kind.

    Returns:
        :class:`ZooBuild`.

    Raises:
        UsageError: an unknown task or kind, or no agents.
    """
    chosen = kinds_of(task, kinds, number)
    target = Path(folder) if folder else ZOO / task
    if LEARNED_KIND in chosen:
        make_shipped(task)
    planned = planned_runs(task, chosen, total_timesteps)
    packed: dict[Path, Agent] = {
        job.folder: (entry.spec, read_entry(entry)) for job, entry in shipped_runs(planned, target)
    }
    missing = [job for _, job in planned if job.folder not in packed]
    run_jobs(missing, jobs, resume=True, track=track)
    stages = stages_of(task)
    scale = CompetenceScale.measured(stages["iid"])
    members = [
        measured(kind, job.config, packed.get(job.folder) or trained_agent(job), stages, scale)
        for kind, job in track(planned, f"{task}: measuring")
    ]
    return ZooBuild(task, str(target), pack_zoo(task, members, target, DTYPE))


def planned_runs(
    task: str, kinds: Mapping[str, Kind], total_timesteps: int | None = None
) -> list[tuple[str, TrainingJob]]:
    """(name of the kind, job) of all agents of ``kinds`` ({name: Kind})."""
    runs: list[tuple[str, TrainingJob]] = []
    for name, kind in kinds.items():
        for number in range(kind.number):
            options = dict(kind.options(number))
            if total_timesteps is not None:
                options["total_timesteps"] = total_timesteps
            seed = kind.first_seed + number
            runs += [(name, job) for job in plan(task, kind.role, [seed], **options).jobs]
    return runs


Agent = tuple[AgentSpec, Mapping[str, Any]]
"""Specification and weights."""


def shipped_runs(
    planned: Sequence[tuple[str, TrainingJob]], folder: str | Path | None = None
) -> Iterator[tuple[TrainingJob, ZooEntry]]:
    """(job, entry) of the planned runs whose agents the zoo in ``folder`` holds already."""
    task = planned[0][1].config.task
    zoo = Path(folder) if folder else ZOO / task
    if not (zoo / "agents.json").is_file():
        return
    by_training = {
        (entry.kind, entry.spec.training.get("fingerprint")): entry
        for entry in zoo_entries(task, zoo)
    }
    for kind, job in planned:
        for fingerprint in (job.config.fingerprint, *job.config.former_fingerprints):
            entry = by_training.get((kind, fingerprint))
            if entry is not None:
                yield job, entry


def trained_agent(job: TrainingJob) -> Agent:
    """The agent of a complete run."""
    spec, weights, _ = read_agent(job.folder)
    return spec, weights


def stages_of(task: str) -> dict[str, Stage]:
    """{split: prepared :class:`Stage`} for the splits that the index reports."""
    stages = {name: Stage(task, name, 0) for name in splits_of(task, "all") if name != "train"}
    for stage in stages.values():
        stage.prepare(TASKS[task].competence_levels)
    return stages


def measured(
    kind: str,
    config: TrainConfig,
    agent: Agent,
    stages: Mapping[str, Stage],
    scale: CompetenceScale,
) -> ZooMember:
    """A trained agent as a :class:`ZooMember`, evaluated with the weights as they are shipped."""
    spec, weights = agent
    policy = policy_of(spec, loaded_weights(stored_weights(weights, DTYPE), spec.name))
    successes = [OUTCOMES.index(name) for name in ("intended", "both")]
    outcomes = {split: stage.run(policy) for split, stage in stages.items()}
    success = {split: float(np.isin(o.outcome, successes).mean()) for split, o in outcomes.items()}
    facts = ZooFacts(
        seed=config.seed,
        timesteps=config.total_timesteps,
        iid_success=success["iid"],
        shifted_success=success.get("shifted"),
        command=command_line(config),
        competence=round(scale.competence(outcomes["iid"]), 4),
    )
    return ZooMember(kind, spec, weights, facts)


def command_line(config: TrainConfig) -> str:
    """The command that repeats the training of an agent."""
    preset = TASKS[config.task].train_config(config.role, algorithm=config.algorithm)
    line = f"proxylab train {config.task} --role {config.role} --seed {config.seed}"
    line += _option("algorithm", config.algorithm, "ppo")
    for name in ("architecture", "num_envs", "total_timesteps", "start_from", "reward"):
        line += _option(name, getattr(config, name), getattr(preset, name))
    for name, value in asdict(config.ppo).items():
        line += _option(f"ppo.{name}", value, getattr(preset.ppo, name))
    return line


def _option(name: str, value: Any, default: Any) -> str:
    return "" if value == default else f" --{name.replace('_', '-')} {value}"
