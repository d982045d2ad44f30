"""Reading a Stable-Baselines3 zip with SB3's own loader: this runs the code in the file."""

from pathlib import Path
from typing import Any

import numpy as np
from gymnasium.spaces import Discrete
from numpy.typing import NDArray
from stable_baselines3.common.preprocessing import is_image_space
from stable_baselines3.common.save_util import load_from_zip_file

from proxylab.untrusted.sb3_tensors import DEFAULT


def load_trusted(path: str | Path) -> tuple[dict[str, NDArray[np.float32]], dict[str, str]]:
    """({name: float32 array}, facts) of a zip whose author is trusted."""
    found, params, _ = load_from_zip_file(path, device="cpu")
    policy: Any = (params or {})["policy"]
    state = {name: tensor.cpu().numpy() for name, tensor in policy.items()}
    data = found or {}
    chosen = data.get("policy_kwargs", {}).get("activation_fn")
    space: Any = data.get("observation_space")
    scaled = is_image_space(space) and data.get("policy_kwargs", {}).get("normalize_images", True)
    shape = [space.n] if isinstance(space, Discrete) else getattr(space, "shape", "")
    facts = {
        "observation_shape": str(list(shape or "")),
        "activation": chosen.__name__ if chosen else DEFAULT,
        "actions": type(data.get("action_space")).__name__,
        "scaled": "yes" if scaled else "no",
    }
    return state, facts
