"""What a curriculum of edited levels needs of an environment: its levels as arrays.

``BatchedEnv.level_editor`` returns a :class:`LevelEditor`, or None for an environment that cannot
edit its levels.
"""

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

EDITED = -1
"""Level seed of a level that no seed makes."""


class LevelEditor(Protocol):
    """Reads, edits and starts levels, every one of which can be solved."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one level, a uint8 array."""
        ...

    def read(self, indices: NDArray[np.int64]) -> NDArray[np.uint8]:
        """uint8[K, *shape]: the levels of environments ``indices``, whose episodes just began."""
        ...

    def edited(self, levels: NDArray[np.uint8], words: NDArray[np.uint64]) -> NDArray[np.uint8]:
        """Copies of levels (uint8[K, *shape]) with random edits, a function of ``words`` too.

        Edits do not make a level of the training kind a shifted one, nor the reverse.
        """
        ...

    def place(self, levels: NDArray[np.uint8], indices: NDArray[np.int64]) -> None:
        """Start ``levels[k]`` in environment ``indices[k]``; its level seed is ``EDITED``."""
        ...

    def optimal(self, levels: NDArray[np.uint8]) -> NDArray[Any]:
        """float64[K]: the greatest expected true return of each level."""
        ...
