"""Collect preferences: record clips, draw pairs, ask a rater."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from proxylab.agents.references import load_agents
from proxylab.agents.scripted import UniformPolicy
from proxylab.config import shifted_share
from proxylab.errors import UsageError
from proxylab.rewards.clips import Clips, record_clips
from proxylab.rewards.preferences import Preferences, preferences_of, write_preferences
from proxylab.rewards.raters import LEFT, Rater
from proxylab.rollouts.rollout import Policy
from proxylab.seeds import stream_seed
from proxylab.storage.limits import LIMITS
from proxylab.tasks import known_task

RANDOM = "random"
"""Reference of uniformly random actions, as a source of clips."""

MOST_CLIPS = 1_600
"""Clips that are recorded by default, at most; pairs are drawn among them."""

SCHEMA = "proxylab.rewards-collect/1"


@dataclass(frozen=True)
class Collected:
    """What ``rewards collect`` prints.

    Attributes:
        task: name of the task.
        file: the preferences file.
        pairs: number of answers.
        clips: number of different clips.
        length: steps of a clip.
        sources: names of the policies.
        rater: who answered.
        left: share of answers ``left``.
    """

    task: str
    file: str
    pairs: int
    clips: int
    length: int
    sources: tuple[str, ...]
    rater: str
    left: float

    def as_json(self) -> dict[str, Any]:
        """The object that ``rewards collect --json`` prints."""
        return {"schema": SCHEMA, **vars(self)}


def collect(
    task: str,
    sources: Sequence[str | Policy],
    pairs: int,
    rater: Rater,
    *,
    out: str | Path | None = None,
    levels: str = "train",
    length: int | None = None,
    clips: int | None = None,
    env_kwargs: dict[str, Any] | None = None,
    seed: int = 0,
) -> Preferences:
    """Ask a simulated rater about pairs of clips, and write the answers.

    Args:
        task: name of the task.
        sources: references of agents (``random`` for random actions) or policies.
        pairs: number of questions.
        rater: who answers.
        out: the preferences file; none is written by default.
        levels: ``train``, ``shifted`` or ``mix:x``, as for ``train``.
        length: steps of a clip; by default that of the task.
        clips: number of clips recorded; by default twice the pairs, at most
            :data:`MOST_CLIPS`.
        env_kwargs: of the environment.
        seed: of levels, actions, pairs and answers.

    Returns:
        :class:`Preferences`.

    Raises:
        UsageError: an unknown task, source or channel, or too many pairs.
    """
    check_pairs(pairs)
    policies = policies_of(sources, task)
    recorded, rewards, _ = record_clips(
        policies,
        task,
        count=clips or min(2 * pairs, MOST_CLIPS),
        share=shifted_share(levels),
        length=length,
        env_kwargs=env_kwargs,
        seed=stream_seed(seed, "clips"),
    )
    channels = known_task(task).make_env(1, **(env_kwargs or {})).channels
    seen = rater.returns(rewards, channels)
    preferences = asked(recorded, seen, pairs, rater, seed)
    if out is not None:
        write_preferences(preferences, out)
    return preferences


def default_sources(task: str) -> list[str]:
    """Random actions and the scripts of a task."""
    scripts = known_task(task).make_env(1).scripts
    return [RANDOM, *(f"script:{task}/{script}" for script in scripts)]


def check_pairs(pairs: int) -> None:
    """``UsageError`` for too few or too many questions."""
    if not 1 <= pairs <= LIMITS.preference_pairs:
        raise UsageError(f"pairs {pairs} is not between 1 and {LIMITS.preference_pairs:,}")


def policies_of(sources: Sequence[str | Policy], task: str) -> list[Policy]:
    """The policies of all sources of clips, in turn.

    Raises:
        UsageError: an agent of another task.
    """
    return [policy for source in sources for policy in _source_policies(source, task)]


def _source_policies(source: str | Policy, task: str) -> list[Policy]:
    """The policies of one source.

    Raises:
        UsageError: an agent of another task.
    """
    if source == RANDOM:
        return [UniformPolicy(task)]
    policies = load_agents(source) if isinstance(source, str) else [source]
    for policy in policies:
        if policy.task not in (None, task):
            raise UsageError(f"{policy.name} is an agent of the task {policy.task}, not {task}")
    return list(policies)


def asked(
    clips: Clips, seen: NDArray[np.float64], pairs: int, rater: Rater, seed: int
) -> Preferences:
    """Answers about pairs drawn uniformly; the two clips of a pair differ.

    Args:
        clips: N clips.
        seen: float64[N], the return of each that the rater sees.
        pairs: number of questions.
        rater: who answers.
        seed: of pairs and answers.
    """
    if len(clips) < 2:
        raise UsageError("a question needs two clips")
    rng = np.random.default_rng(stream_seed(seed, "pairs"))
    left = rng.integers(len(clips), size=pairs)
    right = (left + rng.integers(1, len(clips), size=pairs)) % len(clips)
    answer, probability = rater.answer(
        seen[left], seen[right], np.random.default_rng(stream_seed(seed, "answers"))
    )
    return preferences_of(
        clips,
        left,
        right,
        answer=answer,
        rater=np.full(pairs, rater.name),
        probability=probability,
        time=np.zeros(pairs),
    )


def summary(preferences: Preferences, file: str | Path) -> Collected:
    """The :class:`Collected` of a file."""
    clips = preferences.clips
    return Collected(
        task=clips.task,
        file=str(file),
        pairs=len(preferences),
        clips=len(clips),
        length=clips.length,
        sources=clips.policies,
        rater=str(preferences.rater[0]),
        left=float((preferences.answer == LEFT).mean()),
    )
