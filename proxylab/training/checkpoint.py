"""Checkpoints from which a run continues exactly as without the interruption.

SB3's own ``save`` omits the random generators, the environments and the position in the
rollout. A checkpoint is written between two rollouts, when the rollout buffer is empty, and
holds the rest of the state: weights, optimiser, generators, environments, counters, metrics.
It is read with ``weights_only=True``: tensors and plain values, no code.
"""

import io
import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from proxylab.errors import UsageError
from proxylab.storage.whole_files import whole_file

SCHEMA = "proxylab.checkpoint/1"
_COUNTERS = ("num_timesteps", "_episode_num", "_n_updates", "_current_progress_remaining")


def save_checkpoint(path: Path, model: Any, fingerprint: str, progress: Mapping[str, Any]) -> None:
    """Write a checkpoint atomically.

    Args:
        path: file.
        model: SB3 on-policy algorithm between two rollouts, over a BatchedVecEnv.
        fingerprint: of the run's configuration.
        progress: plain values that :func:`load_checkpoint` returns.
    """
    state = {
        "schema": SCHEMA,
        "fingerprint": fingerprint,
        "policy": model.policy.state_dict(),
        "optimizer": model.policy.optimizer.state_dict(),
        "env": {k: torch.from_numpy(v) for k, v in model.env.snapshot().items()},
        "counters": {name: getattr(model, name) for name in _COUNTERS},
        "last": [torch.from_numpy(model._last_obs), torch.from_numpy(model._last_episode_starts)],
        "generators": _generators(),
        "progress": progress,
    }
    raw = io.BytesIO()  # torch's own writer does not report a full disk
    torch.save(state, raw)
    with whole_file(path) as temporary:
        temporary.write_bytes(raw.getbuffer())


def load_checkpoint(path: Path, model: Any, fingerprint: str) -> dict[str, Any]:
    """Load a checkpoint into a new ``model``; returns its ``progress``.

    Raises:
        UsageError: the file is damaged or belongs to another configuration.
    """
    try:
        state = torch.load(path, map_location=model.device, weights_only=True)
        if state["fingerprint"] != fingerprint:
            raise UsageError(f"{path} belongs to another configuration: use --force to start anew")
        model.policy.load_state_dict(state["policy"])
        model.policy.optimizer.load_state_dict(state["optimizer"])
        model.env.restore({k: v.cpu().numpy() for k, v in state["env"].items()})
        for name, value in state["counters"].items():
            setattr(model, name, value)
        model._last_obs, model._last_episode_starts = (t.cpu().numpy() for t in state["last"])
    except UsageError:
        raise
    except Exception as error:
        reason = str(error).splitlines()[0]
        raise UsageError(f"{path} is damaged ({reason}): use --force to start anew") from None
    _set_generators(state["generators"])
    return state["progress"]


def _generators() -> dict[str, Any]:
    """State of the global generators of torch, numpy and Python, which SB3 uses."""
    legacy: Any = np.random.get_state()  # noqa: NPY002 (SB3 uses it)
    _, keys, position, has_gauss, cached = legacy
    version, words, gauss = random.getstate()
    state = {
        "torch": torch.get_rng_state(),
        "numpy": [torch.from_numpy(keys.astype(np.int64)), position, has_gauss, cached],
        "python": [version, torch.tensor(words), gauss],
    }
    if torch.cuda.is_available():
        state["cuda"] = torch.cuda.get_rng_state()
    return state


def _set_generators(state: Mapping[str, Any]) -> None:
    torch.set_rng_state(state["torch"].cpu())
    keys, *rest = state["numpy"]
    np.random.set_state(("MT19937", keys.cpu().numpy().astype(np.uint32), *rest))  # noqa: NPY002
    version, words, gauss = state["python"]
    random.setstate((version, tuple(words.tolist()), gauss))
    if "cuda" in state and torch.cuda.is_available():
        torch.cuda.set_rng_state(state["cuda"].cpu())
