"""Questions for people: pairs of clips of one task, drawn by a seed."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from proxylab.config import shifted_share
from proxylab.errors import UsageError
from proxylab.rewards.clips import Clips, Recording, record_clips
from proxylab.rewards.collect import check_pairs, policies_of
from proxylab.rewards.preferences import Preferences, preferences_of
from proxylab.rollouts.rollout import Policy
from proxylab.seeds import stream_seed

CLIPS = 400
"""Clips that are recorded by default. It does not depend on the number of questions, so that more
questions continue the same sequence."""


@dataclass(frozen=True)
class Questions:
    """P questions about pairs of clips.

    Attributes:
        recording: the clips.
        left: int64[P], index of the left clip.
        right: int64[P], of the right one.
    """

    recording: Recording
    left: NDArray[np.int64]
    right: NDArray[np.int64]

    def __len__(self) -> int:
        """Number of questions P."""
        return len(self.left)

    @property
    def clips(self) -> Clips:
        """All recorded clips."""
        return self.recording.clips

    def preferences(
        self, answers: Sequence[str], raters: Sequence[str], times: Sequence[float]
    ) -> Preferences:
        """The first K questions with their answers, as they are written to a file."""
        count = len(answers)
        return preferences_of(
            self.clips,
            self.left[:count],
            self.right[:count],
            answer=np.array(answers, str),
            rater=np.array(raters, str),
            probability=np.full(count, np.nan),
            time=np.array(times, np.float64),
        )

    def are_those_of(self, file: Preferences) -> bool:
        """Whether the answers of a file are to the first of these questions."""
        if len(file) > len(self) or file.clips.observations.shape[1:] != self._shape:
            return False
        sides = ((file.left, self.left), (file.right, self.right))
        return all(_same(file.clips, a, self.clips, b[: len(a)]) for a, b in sides)

    @property
    def _shape(self) -> tuple[int, ...]:
        return self.clips.observations.shape[1:]


def _same(
    clips: Clips, chosen: NDArray[np.int64], others: Clips, wanted: NDArray[np.int64]
) -> bool:
    """Whether the clips ``chosen`` of one recording equal the clips ``wanted`` of another."""
    columns = ("level_seed", "episode", "first", "actions", "observations")
    names = np.array(clips.policies)[clips.policy[chosen]]
    return np.array_equal(names, np.array(others.policies)[others.policy[wanted]]) and all(
        np.array_equal(getattr(clips, name)[chosen], getattr(others, name)[wanted])
        for name in columns
    )


def draw_questions(
    task: str,
    sources: Sequence[str | Policy],
    pairs: int,
    *,
    levels: str = "train",
    length: int | None = None,
    clips: int = CLIPS,
    seed: int = 0,
) -> Questions:
    """Record clips and draw pairs of them.

    The two clips of a pair are of different policies where there are several; which of them is
    left is drawn as well. The first questions do not depend on ``pairs``.

    Args:
        task: name of the task.
        sources: references of agents (``random`` for random actions) or policies.
        pairs: number of questions.
        levels: ``train``, ``shifted`` or ``mix:x``, as for ``train``.
        length: steps of a clip; by default that of the task.
        clips: number of clips recorded.
        seed: of levels, actions and pairs.

    Raises:
        UsageError: an unknown task or source, or too many pairs.
    """
    check_pairs(pairs)
    policies = policies_of(sources, task)
    share, own = shifted_share(levels), stream_seed(seed, "clips")
    recording = record_clips(policies, task, count=clips, share=share, length=length, seed=own)
    if len(recording.clips) < 2:
        raise UsageError("a question needs two clips")
    left, right = _pairs(recording.clips, pairs, stream_seed(seed, "questions"))
    return Questions(recording, left, right)


def _pairs(clips: Clips, pairs: int, seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """int64[P] twice: two clips of different policies, which are recorded in blocks."""
    draws = np.random.default_rng(seed).random((pairs, 2))
    left = (draws[:, 0] * len(clips)).astype(np.int64)
    each = len(clips) // len(clips.policies) if len(clips.policies) > 1 else 1
    right = (draws[:, 1] * (len(clips) - each)).astype(np.int64)
    return left, right + np.where(right >= left // each * each, each, 0)
