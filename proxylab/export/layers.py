"""Names of layers in an agent's weights, for both formats of the export."""

from collections.abc import Iterable

MLPS = ("trunk.towers.0", "trunk.towers.1")
"""The two multilayer perceptrons of ``mlp`` and ``egocentric-mlp``."""

SEPARATE_MLPS = ("trunk.policy", "trunk.value")
"""The same of ``mlp-tanh`` and ``mlp-relu``."""


def module_numbers(names: Iterable[str], prefix: str) -> list[int]:
    """Numbers of the modules with weights below ``prefix``, in order.

    Args:
        names: of an agent's weights.
        prefix: name of a ``torch.nn.Sequential`` or ``ModuleList``.
    """
    below = (name.removeprefix(f"{prefix}.") for name in names if name.startswith(f"{prefix}."))
    return sorted({int(name.split(".")[0]) for name in below})
