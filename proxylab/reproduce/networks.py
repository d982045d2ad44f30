"""Networks that several experiments on maze-corner train, as options of ``train``."""

from typing import Any

VALUE_ITERATION: dict[str, Any] = {
    "architecture": "value-iteration",
    "sizes": {"channels": 32, "width": 64},
    "ppo": {"learning_rate": 7e-3, "ent_coef": 0.02},
}
"""The network with built-in planning; hyperparameters that were tuned for it."""

VALUE_ITERATION_STEPS = {"proxy": 262_144, "trusted": 393_216}
"""Environment steps by role; competence takes half of them."""

DEPTH_FIRST = {"generator": "tree"}
"""Environment of the agents with this network: mazes of depth-first search."""
