"""Many runs at once: each job trains in a process of its own, whoever asked for it."""

import os
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context


def run_jobs(jobs, processes=None, *, resume=False, force=False, track=lambda work, _: work):
    """Train every job, some at a time; finished runs are found, not trained again.

    A job that fails does not stop the others.

    Args:
        jobs: list of ``train_plan.Job``.
        processes: at once; by default one per processor.
        resume: go on from checkpoints of unfinished runs.
        force: start anew whatever is in a folder.
        track: function (list, description) -> iterable, to show progress.

    Returns:
        list of ``training.TrainResult``, in the order of ``jobs``.

    Raises:
        The first error of a job, when all others have ended.
    """
    processes = min(processes or os.cpu_count() or 1, len(jobs))
    context = get_context("spawn")
    with ProcessPoolExecutor(processes, mp_context=context) as pool:
        waiting = [pool.submit(run_one, job.config, job.folder, resume, force) for job in jobs]
        try:
            ended = as_completed(waiting)
            for _ in track(jobs, f"{jobs[0].config.task}: training"):
                next(ended).exception()
            return [future.result() for future in waiting]
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def run_one(config, folder, resume, force):
    """One job in this process."""
    from proxylab.learning.training import run_job

    return run_job(config, folder, resume=resume, force=force)
