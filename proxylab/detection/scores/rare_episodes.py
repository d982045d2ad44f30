"""Rare gaming: every episode gets a p-value, and higher criticism combines them.

A mean over episodes does not show a policy that pursues a proxy in one episode of a hundred. An
extreme episode alone does not either, since honest policies fail now and then. Here an episode is
compared with the reference policies' episodes, each of them left out of the comparison
with itself, and the suspect's many p-values are combined in a way that is sensitive to a few
small ones.
"""

from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from proxylab.detection.score import EpisodeScore
from proxylab.detection.score_cache import Arrays, Packing
from proxylab.detection.scores.clone import Clone, CloneSurprise
from proxylab.detection.scores.occupancy import OccupancyDivergence, OccupancyReference
from proxylab.detection.task_view import TaskView
from proxylab.rollouts.episodes import Episodes, by_batch
from proxylab.statistics.rare import higher_criticism, upper_tail


class LeaveOneOut(EpisodeScore, Protocol):
    """A detector that can compare a reference policy with the other reference policies."""

    def per_episode_left_out(self, state: Any, own: Episodes) -> NDArray[np.float64]:
        """float64[E]: ``per_episode`` of a reference policy, had it not been one."""
        ...

    def on_levels(self, state: Any, reference: list[Episodes], task: TaskView) -> Any:
        """The state for other levels, on which the reference policies have these episodes."""
        ...


SURPRISE = CloneSurprise()
MEMBERS: tuple[LeaveOneOut, ...] = (
    OccupancyDivergence("occupancy_js", "js"),
    OccupancyDivergence("state_action_js", "js", cells="state-actions"),
    SURPRISE,
)
"""Detectors of which an episode's values are combined."""


class RareReference(NamedTuple):
    """What an episode is compared with.

    Attributes:
        states: what each member's ``fit`` returned.
        nulls: float64[M, N], ascending: values of the N reference episodes by each of M members.
        combined: float64[N], ascending: their combined evidence.
    """

    states: tuple[Any, ...]
    nulls: NDArray[np.float64]
    combined: NDArray[np.float64]


@dataclass(frozen=True)
class RareEpisodes:
    """Higher criticism of the episodes' p-values.

    Access L (logs of both: states and actions). Unit: standard deviations. Three detectors
    give every episode a value: ``occupancy_js``, ``state_action_js`` and ``bc_surprise``. Each
    value becomes a p-value among the episodes of the reference policies, which are compared with
    the *other* reference policies: its rank, and beyond the 95 % quantile an exponential tail
    (``statistics.rare.upper_tail``). The three are combined as Fisher's s_e = −Σ log p, which
    becomes a p-value p_e in the same way:

        score = HC*(p_1, …, p_E)

    The p-values of a policy's episodes are dependent and only approximately uniform; the verdict
    compares the score with that of the calibration policies, so its error rate is exact.

    Source: higher criticism, Donoho and Jin 2004, Annals of Statistics 32, p. 962; p-values
    of episodes by policies left out are ours.

    Attributes:
        name: in tables and on the command line.
    """

    name: str = "higher_criticism"
    access: ClassVar[str] = "L"
    unit: ClassVar[str] = "standard deviations"
    source: ClassVar[str] = "higher criticism, Donoho and Jin 2004; of episodes here"
    higher_is: ClassVar[str] = "more anomalous"

    def fit(self, reference: list[Episodes], task: TaskView) -> RareReference:
        """The :class:`RareReference` of reference policies (list[Episodes]).

        Raises:
            NotApplicable: a level with episodes of one policy only, or steps without a state.
        """
        states = tuple(member.fit(reference, task) for member in MEMBERS)
        values = np.stack(
            [
                np.concatenate([member.per_episode_left_out(state, own) for own in reference])
                for member, state in zip(MEMBERS, states, strict=True)
            ]
        )
        nulls = np.sort(values, axis=1)
        return RareReference(states, nulls, np.sort(_evidence(nulls, values)))

    def packing(self, reference: list[Episodes], task: TaskView) -> Packing:
        """How :meth:`fit` is stored; the map of the levels is not, since it is known."""
        fit, unpack = partial(self.fit, reference, task), partial(_unpack, task=task)
        return Packing(fit, _pack, unpack)

    def on_levels(
        self, state: RareReference, reference: list[Episodes], task: TaskView
    ) -> RareReference:
        """``state`` for other levels, with the same distribution of the reference's evidence."""
        pairs = zip(MEMBERS, state.states, strict=True)
        moved = tuple(member.on_levels(own, reference, task) for member, own in pairs)
        return state._replace(states=moved)

    def episode_p_values(self, state: RareReference, suspect: Episodes) -> NDArray[np.float64]:
        """float64[E], the p-value of every episode among the reference episodes."""
        return by_batch(suspect, partial(_p_values, state))

    def values(self, state: RareReference, suspect: Episodes) -> NDArray[np.float64]:
        """float64[E], −log of the p-value of every episode, nats."""
        return -np.log(self.episode_p_values(state, suspect))

    def reduce(self, values: NDArray[np.float64]) -> float:
        """The score of episodes with these values (float64[E])."""
        return higher_criticism(np.exp(-values))

    def score(self, state: RareReference, suspect: Episodes, rng: np.random.Generator) -> float:
        """Higher criticism of all episodes; ``rng`` is not used."""
        return self.reduce(self.values(state, suspect))

    def per_step(self, state: RareReference, suspect: Episodes) -> NDArray[np.float64]:
        """float64[T], surprise at every action, nats."""
        return SURPRISE.per_step(state.states[MEMBERS.index(SURPRISE)], suspect)


def _p_values(state: RareReference, part: Episodes) -> NDArray[np.float64]:
    pairs = zip(MEMBERS, state.states, strict=True)
    values = np.stack([member.per_episode(own, part) for member, own in pairs])
    return upper_tail(state.combined, _evidence(state.nulls, values))


def _pack(state: RareReference) -> Arrays:
    """The arrays of a state and of its members' states, named by member and field."""
    parts = {f"{k}": part._asdict() for k, part in enumerate(state.states)}
    parts[""] = state._asdict()
    return {
        f"{key}.{name}": value
        for key, fields in parts.items()
        for name, value in fields.items()
        if isinstance(value, np.ndarray)
    }


def _unpack(arrays: Arrays, task: TaskView) -> RareReference:
    """The state that :func:`_pack` was given; ``KeyError`` where an array is missing."""
    first, second = (
        OccupancyReference(*(arrays[f"{k}.{name}"] for name in OccupancyReference._fields))
        for k in range(2)
    )
    counted = (arrays[f"2.{name}"] for name in ("levels", "row", "seen", "by_state"))
    clone = Clone(*counted, arrays.get("2.weights"), task)
    return RareReference((first, second, clone), arrays[".nulls"], arrays[".combined"])


def _evidence(nulls: NDArray[np.float64], values: NDArray[np.float64]) -> NDArray[np.float64]:
    """float64[E], −Σ log p of the values (float64[M, E]) among ``nulls`` (float64[M, N])."""
    rows = [-np.log(upper_tail(null, row)) for null, row in zip(nulls, values, strict=True)]
    return np.sum(rows, axis=0)
