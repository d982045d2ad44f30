"""Reading a Stable-Baselines3 zip with SB3's own loader: this runs the code in the file."""

from typing import Any

from stable_baselines3.common.save_util import load_from_zip_file


def load_trusted(path):
    """({name: float32 array}, facts) of a zip whose author is trusted."""
    data, params, _ = load_from_zip_file(path, device="cpu")
    policy: Any = (params or {})["policy"]
    state = {name: tensor.cpu().numpy() for name, tensor in policy.items()}
    chosen = (data or {}).get("policy_kwargs", {}).get("activation_fn")
    return state, {"activation": chosen.__name__ if chosen else "Tanh"}
