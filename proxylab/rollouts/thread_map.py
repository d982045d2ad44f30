"""Run several jobs concurrently on threads, each with an environment of its own.

Networks release Python's global lock while they compute, so threads suffice; unlike processes
they start immediately. The order in which the jobs run does not change a result.
"""

import importlib
import sys
from collections.abc import Callable, Generator, Hashable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from queue import SimpleQueue
from typing import TypeVar

import numba

from proxylab.console.output import Track

Name = TypeVar("Name", bound=Hashable)
Env = TypeVar("Env")
Result = TypeVar("Result")


def thread_map(
    job: Callable[[Name, Env], Result],
    names: Iterable[Name],
    envs: Sequence[Env],
    track: Track,
    description: str,
) -> dict[Name, Result]:
    """{name: job(name, env)}, with at most one running job per environment.

    Args:
        job: function (name, env) -> result.
        names: the jobs.
        envs: non-empty; each is used by one job at a time.
        track: function (list, description) -> iterable, to show progress.
        description: of the progress.

    Raises:
        Exception: that of the first job that fails; jobs not yet started are cancelled.
    """
    if len(envs) == 1:
        return {name: job(name, envs[0]) for name in track(list(names), description)}
    free: SimpleQueue[Env] = SimpleQueue()
    for env in envs:
        free.put(env)

    def borrow(name: Name) -> Result:
        env = free.get()
        try:
            return job(name, env)
        finally:
            free.put(env)

    with ThreadPoolExecutor(len(envs)) as pool:
        futures = {name: pool.submit(borrow, name) for name in names}
        try:
            return {name: futures[name].result() for name in track(list(names), description)}
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


@contextmanager
def one_network_thread(load_torch: bool = False) -> Generator[int, None, None]:
    """Run each network on one thread: batches of 256 rows are too small to split.

    Yields the previous number of threads; with ``load_torch`` torch is loaded first, for networks
    that are built within.
    """
    torch = importlib.import_module("torch") if load_torch else sys.modules.get("torch")
    if torch is None:
        yield numba.get_num_threads()
        return
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield before
    finally:
        torch.set_num_threads(before)
