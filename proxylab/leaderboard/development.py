"""Policies on which detectors are developed; their seeds differ from those of the test."""

from collections.abc import Collection

from proxylab.agents.zoo_kinds import CHANGES, Kind
from proxylab.console.output import Track
from proxylab.storage.store import is_complete
from proxylab.training.jobs import run_jobs
from proxylab.training.plan import TrainingJob
from proxylab.training.zoo_build import planned_runs

NUMBERS = {
    "dev-weak": ("weak", "trusted", 20_000, 9),
    "dev-hack": ("hack", "proxy", 21_000, 8),
    "dev-different": ("different", "trusted", 22_000, 2),
}
"""kind: (shipped kind with the same training, role, first seed, number)."""


def development_kinds(task: str) -> dict[str, Kind]:
    """{name: Kind} of a task's development policies."""
    return {
        name: Kind(role, first, number, CHANGES[task][like])
        for name, (like, role, first, number) in NUMBERS.items()
    }


def development_runs(
    task: str, kinds: Collection[str], number: int | None, track: Track
) -> list[tuple[str, TrainingJob]]:
    """(kind, job) of every complete run; missing runs are trained first.

    Args:
        task: task name.
        kinds: names of kinds.
        number: maximal number of runs of each kind, or None.
        track: function (list, description) -> iterable, to show progress.
    """
    known = development_kinds(task)
    chosen = {
        name: Kind(k.role, k.first_seed, min(k.number, number or k.number), k.changes)
        for name, k in known.items()
        if name in kinds
    }
    planned = planned_runs(task, chosen)
    missing = [job for _, job in planned if not is_complete(job.folder)]
    if missing:
        run_jobs(missing, resume=True, track=track)
    return planned
