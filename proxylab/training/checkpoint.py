"""Everything that a run needs to go on as if it had never stopped.

SB3's own ``save`` loses the random generators, the environments and the place in the
rollout. A checkpoint is taken between two rollouts, when the rollout buffer is empty,
and holds all the rest: weights, optimiser, generators, environments, counters, metrics.
It is read with ``weights_only=True``: tensors and plain values, nothing that runs.
"""

import random

import numpy as np
import torch

from proxylab.errors import UsageError
from proxylab.storage.store import whole_file

SCHEMA = "proxylab.checkpoint/1"
_COUNTERS = ("num_timesteps", "_episode_num", "_n_updates", "_current_progress_remaining")


def save_checkpoint(path, model, fingerprint, progress):
    """Write a checkpoint, whole or not at all.

    Args:
        path: file.
        model: SB3 on-policy algorithm between two rollouts, over a BatchedVecEnv.
        fingerprint: of the run's configuration.
        progress: plain values that the trainer wants back.
    """
    state = {
        "schema": SCHEMA,
        "fingerprint": fingerprint,
        "policy": model.policy.state_dict(),
        "optimizer": model.policy.optimizer.state_dict(),
        "env": {k: torch.from_numpy(v) for k, v in model.env.batched.snapshot().items()},
        "counters": {name: getattr(model, name) for name in _COUNTERS},
        "last": [torch.from_numpy(model._last_obs), torch.from_numpy(model._last_episode_starts)],
        "generators": _generators(),
        "progress": progress,
    }
    with whole_file(path) as temporary:
        torch.save(state, temporary)


def load_checkpoint(path, model, fingerprint):
    """Put a checkpoint into a freshly made ``model``; returns the trainer's ``progress``.

    Raises:
        UsageError: the file is damaged or belongs to another configuration.
    """
    try:
        state = torch.load(path, map_location=model.device, weights_only=True)
        if state["fingerprint"] != fingerprint:
            raise UsageError(f"{path} belongs to another configuration: use --force to start anew")
        model.policy.load_state_dict(state["policy"])
        model.policy.optimizer.load_state_dict(state["optimizer"])
        model.env.batched.restore({k: v.cpu().numpy() for k, v in state["env"].items()})
        for name, value in state["counters"].items():
            setattr(model, name, value)
        model._last_obs, model._last_episode_starts = (t.cpu().numpy() for t in state["last"])
    except UsageError:
        raise
    except Exception as error:
        what = str(error).splitlines()[0]
        raise UsageError(f"{path} is damaged ({what}): use --force to start anew") from None
    _set_generators(state["generators"])
    return state["progress"]


def _generators():
    """State of torch's, numpy's and Python's global generators, which SB3 draws from."""
    _, keys, position, has_gauss, cached = np.random.get_state()  # noqa: NPY002 (SB3 uses it)
    version, words, gauss = random.getstate()
    state = {
        "torch": torch.get_rng_state(),
        "numpy": [torch.from_numpy(keys.astype(np.int64)), position, has_gauss, cached],  # ty: ignore[missing-attribute]
        "python": [version, torch.tensor(words), gauss],
    }
    if torch.cuda.is_available():
        state["cuda"] = torch.cuda.get_rng_state()
    return state


def _set_generators(state):
    torch.set_rng_state(state["torch"].cpu())
    keys, *rest = state["numpy"]
    np.random.set_state(("MT19937", keys.cpu().numpy().astype(np.uint32), *rest))  # noqa: NPY002
    version, words, gauss = state["python"]
    random.setstate((version, tuple(words.tolist()), gauss))
    if "cuda" in state and torch.cuda.is_available():
        torch.cuda.set_rng_state(state["cuda"].cpu())
