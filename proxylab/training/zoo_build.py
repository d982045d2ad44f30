"""``proxylab zoo build``: train a task's shipped agents, measure them, pack them.

Which seed becomes what is fixed beforehand. Finished runs are found again, so a build that
was stopped goes on where it was.
"""

from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from proxylab.agents.format import loaded_weights, read_agent, stored_weights
from proxylab.agents.loading import policy_of
from proxylab.agents.zoo import ZOO, ZooEntry, ZooFacts, ZooMember, pack_zoo
from proxylab.agents.zoo_kinds import kinds_of
from proxylab.evaluation.evaluate import Stage, splits_of
from proxylab.tasks import TASKS
from proxylab.training.jobs import run_jobs
from proxylab.training.plan import plan
from proxylab_envs.channels import OUTCOMES

SCHEMA = "proxylab.zoo-build/1"
DTYPE = "float16"
MEASURED_EPISODES = 256


@dataclass(frozen=True)
class ZooBuild:
    """A packed zoo.

    Attributes:
        task: task name.
        folder: where it was written.
        entries: as in the index.
    """

    task: str
    folder: str
    entries: list[ZooEntry]

    def as_json(self):
        """The object that ``zoo build --json`` prints."""
        agents = [
            {"agent": f"zoo:{self.task}/{e.name}", "group": e.group, **asdict(e.facts)}
            for e in self.entries
        ]
        return {"schema": SCHEMA, "task": self.task, "folder": self.folder, "agents": agents}


def build_zoo(
    task,
    kinds=None,
    number=None,
    jobs=None,
    folder=None,
    track=lambda work, description: work,
    total_timesteps=None,
):
    """Train, measure and pack the agents of a task.

    Args:
        task: task name.
        kinds: names of kinds to build; those that are there of other kinds stay. All of
            the task's by default.
        number: at most so many agents of each kind.
        jobs: processes at once; by default one a processor.
        folder: where the zoo goes; by default the package's own.
        track: function (list, description) -> iterable, to show progress.
        total_timesteps: environment steps of each agent; those of its kind by default.

    Returns:
        :class:`ZooBuild`.

    Raises:
        UsageError: an unknown task or kind, or no agents.
    """
    planned = planned_runs(task, kinds_of(task, kinds, number), total_timesteps)
    run_jobs([job for _, job in planned], jobs, resume=True, track=track)
    stages = stages_of(task)
    work = track(planned, f"{task}: measuring")
    members = [measured(kind, job, stages) for kind, job in work]
    folder = Path(folder) if folder else ZOO / task
    return ZooBuild(task, str(folder), pack_zoo(task, members, folder, DTYPE))


def planned_runs(task, kinds, total_timesteps=None):
    """list[(name of the kind, TrainingJob)] of all agents of ``kinds`` ({name: Kind})."""
    found = []
    for name, kind in kinds.items():
        for number in range(kind.number):
            options = dict(kind.options(number))
            if total_timesteps is not None:
                options["total_timesteps"] = total_timesteps
            seed = kind.first_seed + number
            found += [(name, job) for job in plan(task, kind.role, [seed], **options).jobs]
    return found


def stages_of(task):
    """{split: prepared ``evaluation.Stage``} of the splits that the index reports."""
    stages = {name: Stage(task, name, 0) for name in splits_of(task, "all") if name != "train"}
    for stage in stages.values():
        stage.prepare(MEASURED_EPISODES)
    return stages


def measured(kind, job, stages):
    """A finished run as a :class:`ZooMember`, measured with the weights that will be shipped."""
    spec, weights, _ = read_agent(job.folder)
    policy = policy_of(spec, loaded_weights(stored_weights(weights, DTYPE), job.folder))
    reached = [OUTCOMES.index(name) for name in ("intended", "both")]
    success = {
        split: float(np.isin(stage.run(policy).outcome, reached).mean())
        for split, stage in stages.items()
    }
    facts = ZooFacts(
        seed=job.config.seed,
        timesteps=job.config.total_timesteps,
        iid_success=success["iid"],
        shifted_success=success.get("shifted"),
        command=command_line(job.config),
    )
    return ZooMember(kind, spec, weights, facts)


def command_line(config):
    """The command that trains an agent again."""
    preset = TASKS[config.task].train_config(config.role)
    line = f"proxylab train {config.task} --role {config.role} --seed {config.seed}"
    for name in ("algorithm", "num_envs", "total_timesteps"):
        line += _option(name, getattr(config, name), getattr(preset, name))
    for name, value in asdict(config.ppo).items():
        line += _option(f"ppo.{name}", value, getattr(preset.ppo, name))
    return line


def _option(name, value, default):
    return "" if value == default else f" --{name.replace('_', '-')} {value}"
