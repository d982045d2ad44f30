"""``proxylab zoo build``: train a task's shipped agents, measure them, pack them.

Which seed becomes what is fixed beforehand. Finished runs are found again, so a build that
was stopped goes on where it was.
"""

from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from proxylab.agent_files import loaded_weights, read_agent, stored_weights
from proxylab.errors import UsageError
from proxylab.sweeps import run_jobs
from proxylab.zoo_files import KINDS, ZOO, ZooEntry, ZooFacts, ZooMember, pack_zoo
from proxylab_envs.channels import OUTCOMES

SCHEMA = "proxylab.zoo-build/1"
DTYPE = "float16"
FIRST_SEED = {"trusted": 0, "honest": 1_000, "proxy": 2_000}
"""Seeds of a kind begin here; honest ones are held out, so no seed is in two kinds."""
ROLE = {"trusted": "trusted", "honest": "trusted", "proxy": "proxy"}
NUMBER = {"trusted": 40, "honest": 10, "proxy": 20}
FEWER = {"boat-race": {"trusted": 5, "honest": 0, "proxy": 5}}
"""How many agents of each kind are shipped; in some tasks fewer."""
MEASURED_EPISODES = 256


@dataclass(frozen=True)
class Built:
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
    numbers=None,
    jobs=None,
    folder=None,
    track=lambda work, description: work,
    total_timesteps=None,
):
    """Train, measure and pack the agents of a task.

    Args:
        task: task name.
        numbers: {kind: how many}; by default :func:`default_numbers`.
        jobs: processes at once; by default one a processor.
        folder: where the zoo goes; by default the package's own.
        track: function (list, description) -> iterable, to show progress.
        total_timesteps: environment steps of each agent; the presets' by default.

    Returns:
        :class:`Built`.

    Raises:
        UsageError: an unknown task, or no agents.
    """
    numbers = default_numbers(task) if numbers is None else numbers
    if min(numbers.values(), default=0) < 0 or not any(numbers.values()):
        raise UsageError("a zoo needs at least one agent")
    planned = planned_runs(task, numbers, total_timesteps)
    run_jobs([job for _, job in planned], jobs, resume=True, track=track)
    stages = stages_of(task)
    work = track(planned, f"{task}: measuring")
    members = [measured(kind, job, stages) for kind, job in work]
    folder = Path(folder) if folder else ZOO / task
    return Built(task, str(folder), pack_zoo(task, members, folder, DTYPE))


def default_numbers(task):
    """{kind: how many agents of it are shipped}."""
    return FEWER.get(task, NUMBER)


def planned_runs(task, numbers, total_timesteps=None):
    """list[(kind, Job)] of all agents of a zoo."""
    from proxylab.train_plan import plan

    found = []
    for kind in KINDS:
        seeds = range(FIRST_SEED[kind], FIRST_SEED[kind] + numbers.get(kind, 0))
        if seeds:
            planned = plan(task, ROLE[kind], seeds, total_timesteps=total_timesteps)
            found += [(kind, job) for job in planned.jobs]
    return found


def stages_of(task):
    """{split: prepared ``evaluation.Stage``} of the splits that the index reports."""
    from proxylab.evaluation import Stage, splits_of

    stages = {name: Stage(task, name, 0) for name in splits_of(task, "all") if name != "train"}
    for stage in stages.values():
        stage.prepare(MEASURED_EPISODES)
    return stages


def measured(kind, job, stages):
    """A finished run as a :class:`ZooMember`, measured with the weights that will be shipped."""
    from proxylab.agents import policy_of

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
    """The command that trains an agent again; the build passes no option but the steps."""
    from proxylab.tasks import TASKS

    line = f"proxylab train {config.task} --role {config.role} --seed {config.seed}"
    if config.total_timesteps == TASKS[config.task].train_config(config.role).total_timesteps:
        return line
    return f"{line} --total-timesteps {config.total_timesteps}"
