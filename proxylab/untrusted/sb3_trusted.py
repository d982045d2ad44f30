"""Reading a Stable-Baselines3 zip with SB3's own loader: this runs the code in the file."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from stable_baselines3.common.save_util import load_from_zip_file


def load_trusted(path: str | Path) -> tuple[dict[str, NDArray[np.float32]], dict[str, str]]:
    """({name: float32 array}, facts) of a zip whose author is trusted."""
    data, params, _ = load_from_zip_file(path, device="cpu")
    policy: Any = (params or {})["policy"]
    state = {name: tensor.cpu().numpy() for name, tensor in policy.items()}
    chosen = (data or {}).get("policy_kwargs", {}).get("activation_fn")
    return state, {"activation": chosen.__name__ if chosen else "Tanh"}
