"""Many jobs at once: whoever asks, a job is ``call(job)`` in a process of its own.

``call`` must be idempotent: it finds what is finished and writes its own folder. So a
sweep that was killed goes on when it is started again, on any engine. A job that fails
is tried again and then reported; it does not stop the others.
"""

import functools
import os
import threading
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import get_context, parent_process
from typing import Any

from proxylab.errors import UsageError

ENGINES = ("local", "ray")
RETRIES = 1
"""How often a job is tried again after an error or the death of its worker."""


@dataclass(frozen=True)
class JobResult:
    """How a job ended.

    Attributes:
        job: what was asked for.
        result: what the call returned, or None.
        error: the exception of its last try, or None.
    """

    job: Any
    result: Any = None
    error: Exception | None = None


def execute(call, jobs, *, engine="local", processes=None, retries=RETRIES, watch=None):
    """Call ``call(job)`` for every job, several at a time.

    Args:
        call: picklable function of a job; idempotent.
        jobs: list of picklable jobs.
        engine: ``local`` (spawned processes) or ``ray`` (a Ray cluster: that of
            ``RAY_ADDRESS``, else one on this machine).
        processes: at once; by default one per processor (of the cluster).
        retries: further tries of a job that fails.
        watch: function (:class:`JobResult`), called as they end.

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


def _local(call, jobs, processes, retries):
    """Yield (index, result, error); a pool that lost a worker is replaced by a new one."""
    processes = min(processes or os.cpu_count() or 1, len(jobs))
    tries = dict.fromkeys(range(len(jobs)), 0)
    while tries:
        pool = ProcessPoolExecutor(
            processes, mp_context=get_context("spawn"), initializer=_end_with_parent
        )
        try:
            yield from _until_broken(pool, call, jobs, processes, tries, retries)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
        pool.shutdown(wait=False, cancel_futures=True)


def _end_with_parent():
    """Let a worker end when its driver is killed, instead of going on for nobody."""

    def watch():
        parent = parent_process()
        if parent is not None:
            parent.join()
            os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _until_broken(pool, call, jobs, processes, tries, retries):
    """Jobs of one pool, at most ``processes`` handed out, until they end or a worker dies.

    Args:
        pool: executor.
        call: function of a job.
        jobs: all of them.
        processes: at once.
        tries: {index of a job that has not ended: tries so far}, updated.
        retries: further tries of a job.
    """
    pending, running = list(tries), {}
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


def _ray(call, jobs, processes, retries):
    """Yield (index, result, error) from a Ray cluster; Ray retries what its workers lose."""
    try:
        import ray  # ty: ignore[import-not-found]
    except ImportError:
        raise UsageError('ray is not installed: pip install "proxylab[ray]"') from None
    address = os.environ.get("RAY_ADDRESS")
    ours = not ray.is_initialized()
    if ours:
        options = {"address": "auto"} if address else {"num_cpus": processes}
        ray.init(include_dashboard=False, log_to_driver=False, **options)
    try:
        remote = ray.remote(num_cpus=1, max_retries=retries, retry_exceptions=True)(call)
        waiting = {remote.remote(job): index for index, job in enumerate(jobs)}
        while waiting:
            for done in ray.wait(list(waiting), num_returns=1)[0]:
                index = waiting.pop(done)
                try:
                    yield index, ray.get(done), None
                except Exception as error:
                    yield index, None, getattr(error, "cause", None) or error
    finally:
        if ours:
            ray.shutdown()


def run_jobs(
    jobs, processes=None, *, resume=False, force=False, track=lambda work, _: work, engine="local"
):
    """Train every job, some at a time; finished runs are found, not trained again.

    Args:
        jobs: list of ``train_plan.TrainingJob``.
        processes: at once; by default one per processor.
        resume: go on from checkpoints of unfinished runs.
        force: start anew whatever is in a folder.
        track: function (list, description) -> iterable, to show progress.
        engine: see :func:`execute`.

    Returns:
        list of ``training.TrainResult``, in the order of ``jobs``.

    Raises:
        The first error of a job, when all others have ended.
    """
    bar = iter(track(jobs, f"{jobs[0].config.task}: training"))
    next(bar, None)
    call = functools.partial(run_one, resume=resume, force=force)
    ended = execute(
        call,
        jobs,
        engine=engine,
        processes=processes,
        retries=0,
        watch=lambda _: next(bar, None),
    )
    for one in ended:
        if one.error is not None:
            raise one.error
    return [one.result for one in ended]


def run_one(job, resume=False, force=False):
    """One training job in this process."""
    from proxylab.training.train import run_job  # imports torch and SB3

    return run_job(job.config, job.folder, resume=resume, force=force)
