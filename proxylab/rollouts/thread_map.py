"""Several jobs at once on threads, each with an environment to itself.

Networks leave Python's lock while they compute, so that threads are enough, and unlike
processes they start at once. The order in which jobs happen to run changes no result.
"""

from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue


def thread_map(job, names, envs, track, description):
    """{name: job(name, env)}, at most as many at once as there are environments.

    Args:
        job: function (name, env) -> result.
        names: list.
        envs: non-empty list; one job at a time has each.
        track: function (list, description) -> iterable, to show progress.
        description: of the progress.

    Raises:
        Exception: what the first failing job raises; those not yet begun are dropped.
    """
    if len(envs) == 1:
        return {name: job(name, envs[0]) for name in track(list(names), description)}
    free = SimpleQueue()
    for env in envs:
        free.put(env)

    def borrow(name):
        env = free.get()
        try:
            return job(name, env)
        finally:
            free.put(env)

    with ThreadPoolExecutor(len(envs)) as pool:
        waiting = {name: pool.submit(borrow, name) for name in names}
        try:
            return {name: waiting[name].result() for name in track(list(names), description)}
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
