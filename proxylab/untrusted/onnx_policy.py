"""ONNX models as policies: each runs in a confined process."""

import hashlib
import json
import threading
import weakref
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from proxylab.errors import AgentError, UsageError
from proxylab.networks.channels_first import network_input
from proxylab.rollouts.episodes import PROBABILITY_TOLERANCE
from proxylab.storage.limits import LIMITS
from proxylab.untrusted.confined import Confined
from proxylab_envs.batch import BatchedEnv

WORKER = "proxylab.untrusted.onnx_worker"
MAX_ROWS = 256
"""Rows in a request."""


class OnnxPolicy:
    """The policy of an ONNX model (docs/strangers.md describes its input and output).

    Attributes:
        name: path of the file.
        task: None; it runs in any environment whose observations fit its input.
        role: ``onnx``.
        trained_reward: ``true``; the file does not record it.
        sha256: of the file.
    """

    task, role, trained_reward = None, "onnx", "true"

    def __init__(self, path: str | Path) -> None:
        """Start the process that runs ``path``.

        Raises:
            AgentError: the file cannot be read or is no sound feed-forward model.
            UsageError: ONNX Runtime is not installed.
        """
        if find_spec("onnxruntime") is None:
            raise UsageError("ONNX models need onnxruntime: pip install 'proxylab[onnx]'")
        path = Path(path)
        self.name = str(path)
        self.sha256 = _sha256(path)
        self._lock = threading.Lock()
        self._process = Confined(WORKER, path.resolve(), path)
        self._close = weakref.finalize(self, self._process.close)
        facts = json.loads(self._process.frame(b"", LIMITS.json_bytes))
        self._shape, self._dtype = tuple(facts["shape"]), np.dtype(facts["dtype"])
        self._meaning = facts["meaning"]

    def probabilities(
        self, env: BatchedEnv[Any], indices: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        """float32[K, num_actions] in the environments ``indices``."""
        self.check_fits(env)
        num_actions = int(env.single_action_space.n)
        observations = self._input(env, indices)
        parts = np.split(observations, range(MAX_ROWS, len(observations), MAX_ROWS))
        return np.concatenate([self._ask(part, num_actions) for part in parts])

    def _input(self, env: BatchedEnv[Any], indices: NDArray[np.int64]) -> NDArray[Any]:
        """Observations as the model takes them: one of n as its number, where it takes one."""
        observations = env.observe()[indices]
        if observations.ndim == 1 and self._shape in ((), (1,)):
            return observations
        return network_input(observations, env.single_observation_space)

    def check_fits(self, env: BatchedEnv[Any]) -> None:
        """Raise ``AgentError`` where neither an observation of ``env`` nor a flat one fits."""
        shape = self._input(env, np.arange(1)).shape[1:]
        if self._shape not in (shape, (int(np.prod(shape)),)):
            raise AgentError(
                f"{self.name}: its input is {list(self._shape)}, but {env.env_id} gives "
                f"{list(shape)}"
            )

    def _ask(self, observations: NDArray[Any], num_actions: int) -> NDArray[np.float32]:
        """Probabilities for at most ``MAX_ROWS`` observations: float32[K, num_actions]."""
        count = len(observations)
        width = 1 if self._meaning == "actions" else num_actions
        array = np.ascontiguousarray(observations, self._dtype)
        request = count.to_bytes(8, "little") + array.tobytes()
        with self._lock:
            raw = self._process.frame(request, 4 * count * LIMITS.size)
        if len(raw) != 4 * count * width:
            raise AgentError(
                f"{self.name}: it gives {len(raw) // (4 * count)} numbers an observation, but "
                f"there are {num_actions} actions"
            )
        return self._distribution(np.frombuffer(raw, np.float32).reshape(count, width), num_actions)

    def _distribution(self, outputs: NDArray[np.float32], num_actions: int) -> NDArray[np.float32]:
        """Probabilities from the model's outputs."""
        if not np.isfinite(outputs).all():
            raise AgentError(f"{self.name}: its output holds NaN or infinity")
        if self._meaning == "logits":
            powers = np.exp(outputs - outputs.max(axis=1, keepdims=True))
            return powers / powers.sum(axis=1, keepdims=True)
        if self._meaning == "actions":
            chosen = outputs[:, 0]
            if not np.isin(chosen, np.arange(num_actions)).all():
                raise AgentError(f"{self.name}: an action is not in [0, {num_actions})")
            return np.eye(num_actions, dtype=np.float32)[chosen.astype(np.int64)]
        sums = outputs.sum(axis=1)
        if (outputs < 0).any() or (np.abs(sums - 1) > PROBABILITY_TOLERANCE).any():
            raise AgentError(f"{self.name}: its output probabilities are no distribution")
        return outputs


def _sha256(path: Path) -> str:
    """sha256 of the file, checked to be within the size limit: hex string."""
    try:
        if path.stat().st_size > LIMITS.onnx_bytes:
            raise AgentError(f"{path}: larger than the limit of {LIMITS.onnx_bytes} bytes")
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise AgentError(f"{path}: cannot be read ({error.strerror})") from None
