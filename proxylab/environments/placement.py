"""Evaluate a function at every cell of a level, with the agent placed on each in turn."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from proxylab.errors import UsageError
from proxylab_envs.batch import BatchedEnv


def at_every_cell(
    env: BatchedEnv,
    ask: Callable[[BatchedEnv, NDArray[np.int64]], Sequence[NDArray[Any]]],
) -> tuple[NDArray[np.int64], list[NDArray[Any]]]:
    """The results of ``ask`` with the agent on every cell of the first level of ``env``.

    Evaluates ``env.num_envs`` cells at a time. Afterwards the state of ``env`` is restored.

    Args:
        env: a ``BatchedEnv`` whose levels are made of cells.
        ask: function (env, indices int64[K]) -> list of arrays [K, ...].

    Returns:
        (int64[N, 2] cells, list of arrays [N, ...]).

    Raises:
        UsageError: the levels of ``env`` are not made of cells.
    """
    cells, state = env.walker_cells(), env.snapshot()
    if cells is None:
        raise UsageError(f"{env.env_id} has no levels of cells, with an agent that can be placed")
    parts = []
    for first in range(0, len(cells), env.num_envs):
        env.restore(state)
        part = cells[first : first + env.num_envs]
        env.put_walker(part)
        parts.append(ask(env, np.arange(len(part))))
    env.restore(state)
    return cells, [np.concatenate(column) for column in zip(*parts, strict=True)]
