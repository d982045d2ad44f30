"""Run many jobs in parallel: each job is ``call(job)`` in a process of its own.

``call`` must be idempotent: it skips finished work and writes a folder of its own. An
interrupted sweep therefore resumes when it is started again, on any engine. A job that
fails is retried and then reported; the other jobs continue.
"""

import functools
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import get_context, parent_process
from typing import TYPE_CHECKING, Any

from proxylab.console.output import Track, no_progress
from proxylab.errors import UsageError

if TYPE_CHECKING:
    from proxylab.training.plan import TrainingJob
    from proxylab.training.train import TrainResult

ENGINES = ("local", "ray")
RETRIES = 1
"""Number of retries of a job after an error or the death of its worker."""

End = tuple[int, Any, BaseException | None]
"""(index of the job, result, error of its last try)."""


@dataclass(frozen=True)
class JobResult:
    """The result of a job.

    Attributes:
        job: the job.
        result: return value of the call, or None.
        error: exception of its last try, or None.
    """

    job: Any
    result: Any = None
    error: BaseException | None = None


def execute(
    call: Callable[[Any], Any],
    jobs: Sequence[Any],
    *,
    engine: str = "local",
    processes: int | None = None,
    retries: int = RETRIES,
    watch: Callable[[JobResult], Any] | None = None,
) -> list[JobResult]:
    """Call ``call(job)`` for every job, several in parallel.

    Args:
        call: picklable function of a job; idempotent.
        jobs: picklable jobs.
        engine: ``local`` (spawned processes) or ``ray`` (a Ray cluster: that of
            ``RAY_ADDRESS``, else one on this machine).
        processes: number in parallel; by default one per processor (of the cluster).
        retries: further tries of a job that fails.
        watch: function (:class:`JobResult`), called when a job ends.

    Returns:
        list of :class:`JobResult`, in the order of ``jobs``.

    Raises:
        UsageError: an unknown engine, or one that is not installed.
    """
    if engine not in ENGINES:
        raise UsageError(f"unknown engine {engine!r}: choose {', '.join(ENGINES)}")
    run = _local if engine == "local" else _ray
    ended: dict[int, JobResult] = {}
    for index, result, error in run(call, jobs, processes, retries) if jobs else ():
        ended[index] = JobResult(jobs[index], result, error)
        if watch is not None:
            watch(ended[index])
    return [ended[index] for index in range(len(jobs))]


def results_of(
    call: Callable[[Any], Any],
    jobs: Sequence[Any],
    *,
    track: Track = no_progress,
    title: str = "",
    **options: Any,
) -> list[Any]:
    """What ``call`` returns for every job, in the order of ``jobs``; see :func:`execute`.

    Args:
        call: picklable function of a job; idempotent.
        jobs: picklable jobs.
        track: function (list, description) -> iterable, to show progress.
        title: the description.
        options: ``engine``, ``processes`` and ``retries``.

    Raises:
        Exception: that of the first failed job, after all others have ended.
    """
    bar = iter(track(jobs, title))
    next(bar, None)
    ended = execute(call, jobs, watch=lambda _: next(bar, None), **options)
    for one in ended:
        if one.error is not None:
            raise one.error
    return [one.result for one in ended]


def _local(
    call: Callable[[Any], Any], jobs: Sequence[Any], processes: int | None, retries: int
) -> Iterator[End]:
    """Run jobs in spawned processes; a pool that lost a worker is replaced by a new one."""
    workers = min(processes or os.cpu_count() or 1, len(jobs))
    tries = dict.fromkeys(range(len(jobs)), 0)
    while tries:
        pool = ProcessPoolExecutor(
            workers, mp_context=get_context("spawn"), initializer=_end_with_parent
        )
        try:
            yield from _until_broken(pool, call, jobs, workers, tries, retries)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
        pool.shutdown(wait=False, cancel_futures=True)


def _end_with_parent() -> None:
    """End a worker process when its parent process is killed."""

    def watch() -> None:
        parent = parent_process()
        if parent is not None:
            parent.join()
            os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _until_broken(
    pool: ProcessPoolExecutor,
    call: Callable[[Any], Any],
    jobs: Sequence[Any],
    processes: int,
    tries: dict[int, int],
    retries: int,
) -> Iterator[End]:
    """Run jobs in one pool, at most ``processes`` at a time, until all end or a worker dies.

    Args:
        pool: executor.
        call: function of a job.
        jobs: all jobs.
        processes: number in parallel.
        tries: {index of a job that has not ended: tries so far}, updated.
        retries: further tries of a job.
    """
    pending = list(tries)
    running: dict[Future[Any], int] = {}
    while pending or running:
        while pending and len(running) < processes:
            index = pending.pop(0)
            try:
                running[pool.submit(call, jobs[index])] = index
            except BrokenProcessPool:
                return
        for future in wait(running, return_when=FIRST_COMPLETED).done:
            index, error = running.pop(future), future.exception()
            if error is None:
                del tries[index]
                yield index, future.result(), None
                continue
            tries[index] += 1
            if tries[index] > retries:
                del tries[index]
                yield index, None, error
            elif not isinstance(error, BrokenProcessPool):
                pending.append(index)


def _ray(
    call: Callable[[Any], Any], jobs: Sequence[Any], processes: int | None, retries: int
) -> Iterator[End]:
    """Run jobs on a Ray cluster; Ray itself retries them."""
    try:
        import ray  # an optional dependency
    except ImportError:
        raise UsageError('ray is not installed: pip install "proxylab[ray]"') from None
    address = os.environ.get("RAY_ADDRESS")
    ours = not ray.is_initialized()
    if ours:
        # "local": without it Ray joins any cluster that runs on this machine
        options: dict[str, Any] = {"address": "local", "num_cpus": processes}
        if address:
            options = {"address": "auto"}
        ray.init(include_dashboard=False, log_to_driver=False, **options)
    try:

        def work(job: Any) -> Any:  # Ray takes functions only, no functools.partial
            return call(job)

        remote = ray.remote(num_cpus=1, max_retries=retries, retry_exceptions=True)(work)
        running = {remote.remote(job): index for index, job in enumerate(jobs)}
        while running:
            for done in ray.wait(list(running), num_returns=1)[0]:
                index = running.pop(done)
                try:
                    yield index, ray.get(done), None
                except Exception as error:
                    yield index, None, getattr(error, "cause", None) or error
    finally:
        if ours:
            ray.shutdown()


def run_jobs(
    jobs: "Sequence[TrainingJob]",
    processes: int | None = None,
    *,
    resume: bool = False,
    force: bool = False,
    track: Track = no_progress,
    engine: str = "local",
) -> "list[TrainResult]":
    """Train every job, several in parallel; finished runs are not trained again.

    Args:
        jobs: list of :class:`~proxylab.training.plan.TrainingJob`.
        processes: number in parallel; by default one per processor.
        resume: continue unfinished runs from their checkpoints.
        force: delete existing runs and start anew.
        track: function (list, description) -> iterable, to show progress.
        engine: see :func:`execute`.

    Returns:
        list of :class:`~proxylab.training.train.TrainResult`, in the order of ``jobs``.

    Raises:
        Exception: that of the first failed job, after all others have ended.
    """
    if not jobs:
        return []
    call = functools.partial(run_one, resume=resume, force=force)
    given: dict[str, Any] = {"engine": engine, "processes": processes, "retries": 0}
    return results_of(call, jobs, track=track, title=f"{jobs[0].config.task}: training", **given)


def run_one(job: "TrainingJob", resume: bool = False, force: bool = False) -> "TrainResult":
    """Run one training job in this process."""
    from proxylab.training.train import run_job  # imports torch and SB3

    return run_job(job.config, job.folder, resume=resume, force=force)
