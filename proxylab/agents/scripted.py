"""Policies without a network: scripts of the environments, and user-defined functions."""

import hashlib
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from proxylab.errors import AgentError
from proxylab_envs.batch import BatchedEnv


class ScriptedPolicy:
    """A scripted policy of an environment, such as ``optimal``."""

    role = "script"

    def __init__(self, task: str, script: str) -> None:
        """Use the script of that name of the task's environment."""
        self.task = task
        self.script = script
        self.name = f"script:{task}/{script}"
        self.sha256 = hashlib.sha256(self.name.encode()).hexdigest()

    def probabilities(
        self, env: BatchedEnv[Any], indices: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        """float32[K, num_actions] in the environments ``indices``."""
        return env.script_actions(self.script, indices)


class UniformPolicy:
    """Uniformly random actions, in any environment."""

    role, name = "script", "uniform"

    def __init__(self, task: str) -> None:
        """Act in environments of ``task``."""
        self.task = task
        self.sha256 = hashlib.sha256(self.name.encode()).hexdigest()

    def probabilities(
        self, env: BatchedEnv[Any], indices: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        """float32[K, num_actions] in the environments ``indices``."""
        count = int(env.single_action_space.n)
        return np.full((len(indices), count), 1 / count, np.float32)


class FunctionPolicy:
    """A user-defined policy: a function of observations, for any task.

    Attributes:
        name: ``module:function``.
        task: None; it runs in any environment.
        role: ``own``.
        trained_reward: attribute of the function, by default ``true``.
    """

    task, role = None, "own"

    def __init__(self, name: str, function: Callable[[NDArray[Any]], Any]) -> None:
        """Wrap ``function``: observations [K, ...] -> float[K, num_actions] or int[K] actions."""
        self.name = name
        self.function = function
        self.trained_reward = str(getattr(function, "trained_reward", "true"))

    def probabilities(
        self, env: BatchedEnv[Any], indices: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        """float32[K, num_actions] in the environments ``indices``."""
        outputs = np.asarray(self.function(env.observe()[indices].copy()))
        if outputs.shape != (len(indices),) or outputs.dtype.kind not in "iu":
            return outputs.astype(np.float32)
        num_actions = int(env.single_action_space.n)
        if ((outputs < 0) | (outputs >= num_actions)).any():
            raise AgentError(f"{self.name} gave an action that is not in [0, {num_actions})")
        return np.eye(num_actions, dtype=np.float32)[outputs]
