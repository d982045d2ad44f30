"""Prioritised level replay: the levels that an agent fails come back more often than others.

After Jiang et al. 2021, "Prioritized Level Replay" (arXiv 2010.03934), with regret in place of
the value loss, as in "Mitigating goal misgeneralization via minimax regret" (arXiv 2507.03068).
A level is played twice in a row, which is one *visit*, and then the next one is drawn: with
probability ``REPLAY`` one that is remembered, else a fresh one of the training distribution. A
remembered level comes back with probability (1 − ρ) · regret + ρ · visits since its last one,
each normalised to a sum of 1. Unlike their robust form, training goes on on fresh levels as well.

Two estimates of the regret of a level, in units of the reward that is trained on:

* ``max-latest``: the best return that was ever reached on it, less the mean return of its last
  visit. It needs nothing that training does not see; a goal never reached leaves no regret.
* ``oracle``: the optimal return, less that mean. It knows the optimal policy.
"""

from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from proxylab.training.vec_env import BatchedVecEnv
from proxylab_envs.batch import BatchedEnv
from proxylab_envs.levels import Levels, LevelStream
from proxylab_envs.streams import combine, unit_interval

CAPACITY, WARM_UP = 1_024, 64
"""Most levels that are remembered, and the least from which any comes back."""
EPISODES = 2
"""Episodes of a visit."""
REPLAY = 0.5
STALENESS = 0.1
"""ρ, the weight of the time since the last visit (Jiang et al. 2021, eq. 3)."""

_REPLAY_STREAM, _PLACE_STREAM = 3, 4


class LevelMemory:
    """The remembered levels, as arrays whose first ``count`` entries are in use.

    Attributes:
        seed: int64[M], level seeds.
        best: float64[M], the largest return, or the optimal one where it is known.
        latest: float64[M], the mean return of the last visit.
        visited: int64[M], the number of the last visit, of all levels together.
        counts: int64[2], levels remembered and visits made.
    """

    FIELDS = ("seed", "best", "latest", "visited", "counts")

    def __init__(self, capacity: int = CAPACITY) -> None:
        """An empty memory for ``capacity`` levels."""
        self.seed = np.zeros(capacity, np.int64)
        self.best, self.latest = np.zeros(capacity), np.zeros(capacity)
        self.visited = np.zeros(capacity, np.int64)
        self.counts = np.zeros(2, np.int64)

    def regret(self) -> NDArray[np.float64]:
        """float64[count], at least 0."""
        count = self.counts[0]
        return np.maximum(self.best[:count] - self.latest[:count], 0.0)

    def probabilities(self) -> NDArray[np.float64]:
        """float64[count] with sum 1, of being the next to come back."""
        stale = self.counts[1] - self.visited[: self.counts[0]] + 1.0
        regret, stale = self.regret(), stale / stale.sum()
        total = regret.sum()
        return (1 - STALENESS) * regret / total + STALENESS * stale if total else stale

    def places(self, seeds: NDArray[np.int64]) -> NDArray[np.int64]:
        """int64[K]: entries of the levels ``seeds``, all of which are remembered."""
        known = self.seed[: self.counts[0]]
        return np.array([np.flatnonzero(known == seed)[0] for seed in seeds], np.int64)

    def note(self, seed: int, best: float, latest: float) -> int | None:
        """Note a visit -> the level's entry; ``best`` is a return on it known to be possible.

        A new level takes the place of the one with the least regret once the memory is full,
        unless its own regret is no larger: then it has no entry.
        """
        count = int(self.counts[0])
        self.counts[1] += 1
        found = np.flatnonzero(self.seed[:count] == seed)
        if found.size:
            at = int(found[0])
            best = max(best, float(self.best[at]))
        elif count < len(self.seed):
            at = count
            self.counts[0] += 1
        else:
            regret = self.regret()
            at = int(regret.argmin())
            if max(best - latest, 0.0) <= regret[at]:
                return None
        self.seed[at], self.best[at], self.latest[at] = seed, best, latest
        self.visited[at] = self.counts[1]
        return at


class ReplayStream(LevelStream):
    """A level stream in which remembered levels come back; each level is drawn twice in a row.

    Like its base it depends on (seed, environment, number of the draw), and on the memory.
    """

    def __init__(self, fresh: LevelStream, memory: LevelMemory) -> None:
        """Draw fresh levels as ``fresh`` does."""
        super().__init__(fresh.levels, fresh.seed, len(fresh.episodes), fresh._seeds_of_split)
        self.memory = memory
        self.current = np.zeros(len(fresh.episodes), np.int64)

    def draw(self, indices: NDArray[np.int64]) -> NDArray[np.int64]:
        """Next level seeds for the environments ``indices`` (int64[K]) -> int64[K]."""
        numbers = self.episodes[indices].copy()
        fresh = super().draw(indices)
        starts = numbers % EPISODES == 0
        self.current[indices[starts]] = fresh[starts]
        if self.memory.counts[0] >= WARM_UP:
            self._replay(indices[starts], numbers[starts])
        return self.current[indices]

    def _replay(self, indices: NDArray[np.int64], numbers: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Put remembered levels in the place of about half of the fresh ones -> bool[K], which."""
        replayed, place = np.empty(len(indices)), np.empty(len(indices))
        _uniforms(np.uint64(self.seed), indices, numbers, replayed, place)
        cumulated = np.cumsum(self.memory.probabilities())
        at = np.searchsorted(cumulated, place * cumulated[-1], side="right")
        remembered = self.memory.seed[np.minimum(at, len(cumulated) - 1)]
        chosen = replayed < REPLAY
        self.current[indices] = np.where(chosen, remembered, self.current[indices])
        return chosen


@numba.njit(cache=True)
def _uniforms(
    seed: np.uint64,
    indices: NDArray[np.int64],
    numbers: NDArray[np.int64],
    replayed: NDArray[np.float64],
    place: NDArray[np.float64],
) -> None:
    """Two numbers in [0, 1) for each (environment, number of the draw)."""
    for k in range(indices.shape[0]):
        word = combine(combine(seed, indices[k]), numbers[k])
        replayed[k] = unit_interval(combine(word, _REPLAY_STREAM))
        place[k] = unit_interval(combine(word, _PLACE_STREAM))


class ReplayVecEnv(BatchedVecEnv):
    """Environments whose levels come back by their regret.

    Attributes:
        memory: the remembered levels.
    """

    stream_type = ReplayStream

    def __init__(
        self,
        batched: BatchedEnv[Any],
        levels: Levels,
        reward: str = "true",
        seed: int = 0,
        scale: float = 1.0,
        *,
        oracle: bool = False,
    ) -> None:
        """As for ``BatchedVecEnv``; ``oracle`` takes the optimal return as the best one."""
        super().__init__(batched, levels, reward, seed, scale)
        self.memory, self.oracle = LevelMemory(), oracle
        self._stream = batched.stream = self.stream_type(batched.stream, self.memory)
        self._returns = np.zeros((EPISODES, batched.num_envs))

    def _finish(self, indices: NDArray[np.int64], infos: list[dict[str, Any]]) -> None:
        """Note the visits that end with these episodes, before the next levels are drawn."""
        turn = (self._stream.episodes[indices] - 1) % EPISODES
        self._returns[turn, indices] = [self.episode_return(i) for i in indices]
        ended = indices[turn == EPISODES - 1]
        if ended.size:
            returns = self._returns[:, ended]
            best = self._optimal(ended) * self.scale if self.oracle else returns.max(0)
            for visit in zip(ended, best.tolist(), returns.mean(0).tolist(), strict=True):
                self._note(*visit)
        super()._finish(indices, infos)

    def _optimal(self, indices: NDArray[np.int64]) -> NDArray[np.float64]:
        """Optimal true returns of the levels of environments ``indices``: float64[K]."""
        return self.batched.optimal_returns(self._stream.current[indices])["true"]

    def _note(self, index: int, best: float, latest: float) -> int | None:
        """Note the visit of one environment; see :meth:`LevelMemory.note`."""
        return self.memory.note(int(self._stream.current[index]), best, latest)

    def _state(self) -> dict[str, NDArray[Any]]:
        """The live arrays of the memory and of the visits that have begun: {name: array}."""
        memory = {f"memory.{name}": getattr(self.memory, name) for name in LevelMemory.FIELDS}
        visits = {"visit.returns": self._returns, "visit.current": self._stream.current}
        return memory | visits

    def snapshot(self) -> dict[str, NDArray[Any]]:
        """The state of the environments, the memory and the visits that have begun."""
        return super().snapshot() | {name: v.copy() for name, v in self._state().items()}

    def restore(self, state: dict[str, NDArray[Any]]) -> None:
        """Restore a :meth:`snapshot`."""
        super().restore(state)
        for name, array in self._state().items():
            array[...] = state[name]
