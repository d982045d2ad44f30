"""Replay with edited levels: after a remembered level an edited copy of it is played.

After ACCEL (Parker-Holder et al. 2022, "Evolving Curricula with Regret-Based Environment Design",
arXiv 2203.01302), on top of :mod:`proxylab.training.curriculum`: the visit after one of a
remembered level is of its *child*, the same level with random edits, which enters the memory by its
own regret as any new level does. So once levels come back, about a third of all visits are of fresh
levels, a third of remembered ones and a third of children. Training goes on on all of them.

A level is known by its seed, and a child by a negative number; both are remembered as arrays of the
environment's :class:`~proxylab_envs.level_editor.LevelEditor`.
"""

from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from proxylab.errors import UsageError
from proxylab.training.curriculum import EPISODES, LevelMemory, ReplayStream, ReplayVecEnv
from proxylab_envs.batch import BatchedEnv
from proxylab_envs.level_editor import LevelEditor
from proxylab_envs.levels import LevelStream
from proxylab_envs.streams import combine

FRESH, REPLAYED, CHILD = range(3)
"""Kinds of a visit."""

_EDIT_STREAM = 5


def editor_of(env: BatchedEnv[Any]) -> LevelEditor:
    """The editor of an environment's levels; ``UsageError`` where it has none."""
    editor = env.level_editor()
    if editor is None:
        raise UsageError(f"{env.env_id} cannot edit its levels: use --levels plr:<share>")
    return editor


class EditStream(ReplayStream):
    """A replay stream in which the visit after a remembered level is of its child.

    Attributes:
        kind: int64[N], of the running visit of each environment.
    """

    def __init__(self, fresh: LevelStream, memory: LevelMemory) -> None:
        """Draw fresh levels as ``fresh`` does."""
        super().__init__(fresh, memory)
        self.kind = np.full(len(self.current), FRESH)

    def draw(self, indices: NDArray[np.int64]) -> NDArray[np.int64]:
        """Level seeds int64[K], 0 in place of a child, which :class:`AccelVecEnv` starts."""
        return np.maximum(super().draw(indices), 0)

    def starts(self, indices: NDArray[np.int64]) -> NDArray[np.bool_]:
        """bool[K]: whether the running episode is the first one of a visit."""
        return (self.episodes[indices] - 1) % EPISODES == 0

    def edit_words(self, indices: NDArray[np.int64]) -> NDArray[np.uint64]:
        """uint64[K]: random words of the running visits."""
        out = np.empty(len(indices), np.uint64)
        _edit_words(self.words(indices), out)
        return out

    def _replay(self, indices: NDArray[np.int64], numbers: NDArray[np.int64]) -> NDArray[np.bool_]:
        """As its base, but where a remembered level was played, its child is next."""
        parents = self.kind[indices] == REPLAYED
        replayed = super()._replay(indices, numbers) & ~parents
        children = -1 - (numbers * len(self.kind) + indices)
        self.current[indices] = np.where(parents, children, self.current[indices])
        self.kind[indices] = np.select([parents, replayed], [CHILD, REPLAYED], FRESH)
        return replayed


@numba.njit(cache=True)
def _edit_words(words: NDArray[np.uint64], out: NDArray[np.uint64]) -> None:
    for k in range(words.shape[0]):
        out[k] = combine(words[k], _EDIT_STREAM)


class AccelVecEnv(ReplayVecEnv):
    """Environments whose levels come back by their regret, and with edits.

    Attributes:
        editor: reads, edits and starts levels.
        layouts: uint8[N, ...], the running levels as arrays of the editor.
        remembered: uint8[M, ...], those of the memory.
    """

    stream_type = EditStream

    def __init__(self, batched: BatchedEnv[Any], *args: Any, **options: Any) -> None:
        """As for ``ReplayVecEnv``; ``UsageError`` where levels cannot be edited."""
        super().__init__(batched, *args, **options)
        self.editor = editor_of(batched)
        self.layouts = np.zeros((batched.num_envs, *self.editor.shape), np.uint8)
        self.remembered = np.zeros((len(self.memory.seed), *self.editor.shape), np.uint8)

    def reset(self) -> NDArray[Any]:
        """Start the next level in every environment; observations [N, ...]."""
        self.batched.reset()
        self._start(np.arange(self.num_envs))
        return self._observe()

    def _finish(self, indices: NDArray[np.int64], infos: list[dict[str, Any]]) -> None:
        super()._finish(indices, infos)
        self._start(indices)

    def _start(self, indices: NDArray[np.int64]) -> None:
        """Note the levels that begin in ``indices``, and start those that no seed makes."""
        stream: Any = self._stream
        first = indices[stream.starts(indices)]
        edited, child = stream.current[first] < 0, stream.kind[first] == CHILD
        seeded, children, others = first[~edited], first[child], first[edited & ~child]
        self.layouts[seeded] = self.editor.read(seeded)
        self.layouts[children] = self.editor.edited(
            self.layouts[children], stream.edit_words(children)
        )
        self.layouts[others] = self.remembered[self.memory.places(stream.current[others])]
        unseeded = indices[stream.current[indices] < 0]
        self.editor.place(self.layouts[unseeded], unseeded)

    def _optimal(self, indices: NDArray[np.int64]) -> NDArray[np.float64]:
        return self.editor.optimal(self.layouts[indices])

    def _note(self, index: int, best: float, latest: float) -> int | None:
        at = super()._note(index, best, latest)
        if at is not None:
            self.remembered[at] = self.layouts[index]
        return at

    def _state(self) -> dict[str, NDArray[Any]]:
        stream: Any = self._stream
        own = {"kind": stream.kind, "layouts": self.layouts, "remembered": self.remembered}
        return super()._state() | {f"edits.{name}": array for name, array in own.items()}
