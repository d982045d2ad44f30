"""The contract of a proxylab environment, as a check for any Gymnasium environment.

``check_proxy_env`` plays a few random episodes and returns one sentence per violation. It
does not depend on the environments of this package, and does not repeat the checks of
``gymnasium.utils.env_checker.check_env``.
"""

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass, field
from numbers import Real
from typing import Any, SupportsFloat, TypeGuard

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from proxylab_envs.channels import (
    LEVEL_SEED,
    OUTCOME,
    OUTCOMES,
    PROXY_FIRST,
    PROXY_PREFIX,
    TRUE,
    return_key,
    reward_key,
)

_TOLERANCE = 1e-4
_KEPT_STEPS = 500
"""Number of observations of an episode that are stored for comparison."""


@dataclass
class _Episode:
    """One episode of T steps; the first observations of T + 1, the rest T."""

    kept: list[Any] = field(default_factory=list)  # as returned by the environment
    copies: list[Any] = field(default_factory=list)  # deep copies made on return
    rewards: list[SupportsFloat] = field(default_factory=list)
    infos: list[dict[str, Any]] = field(default_factory=list)
    ended: bool = False

    @property
    def steps_of_channels(self) -> list[dict[str, Any]]:
        """The values of the reward channels, one dict per step."""
        prefix = reward_key("")
        return [
            {
                key.removeprefix(prefix): value
                for key, value in info.items()
                if key.startswith(prefix)
            }
            for info in self.infos
        ]


def check_proxy_env(
    env: gym.Env[Any, Any], *, episodes: int = 3, max_steps: int = 10_000, seed: int = 0
) -> list[str]:
    """List the violations of the contract.

    The contract: every step's ``info`` holds ``reward/true`` and a
    ``reward/proxy/<name>`` for each proxy; the last step's also ``return/<channel>``
    (undiscounted sums), ``outcome``, ``proxy_first`` and ``level_seed``; the level seed
    determines the level, so ``reset(options={"level_seed": s})`` starts the same one again;
    equal seeds give equal episodes; a returned observation is not modified later and
    does not contain a reward channel.

    Args:
        env: a ``gymnasium.Env``. It is stepped but not closed.
        episodes: random episodes to play, at least 1.
        max_steps: steps after which an episode is abandoned.
        seed: of the first episode and of the random actions.

    Returns:
        list[str], one sentence per violation; empty if there is none.
    """
    env.action_space.seed(seed)
    played = [_play(env, max_steps, seed=seed)]
    played += [_play(env, max_steps) for _ in range(episodes - 1)]
    findings = []
    for check in (_channels, _ending, _sums, _aliasing, _leaks):
        findings += check(played)
    findings += _repetition(env, played[0], max_steps, seed)
    findings += _levels(env, played, max_steps)
    return findings


def _play(env: gym.Env[Any, Any], max_steps: int, **reset_arguments: Any) -> _Episode:
    """A random episode, or its first ``max_steps`` steps."""
    episode = _Episode()
    _keep(episode, env.reset(**reset_arguments)[0])
    for _ in range(max_steps):
        observation, reward, terminated, truncated, info = env.step(env.action_space.sample())
        _keep(episode, observation)
        episode.rewards.append(reward)
        episode.infos.append(dict(info))
        if terminated or truncated:
            episode.ended = True
            break
    return episode


def _keep(episode: _Episode, observation: Any) -> None:
    if len(episode.kept) <= _KEPT_STEPS:
        episode.kept.append(observation)
        episode.copies.append(deepcopy(observation))


def _channels(played: list[_Episode]) -> Iterator[str]:
    """Every step has the same channels, ``true`` and a proxy among them, all finite numbers."""
    steps = [step for episode in played for step in episode.steps_of_channels]
    names = sorted(set().union(*steps))
    if TRUE not in names:
        yield f"info has no {reward_key(TRUE)!r}: put each step's reward of the intended goal there"
    if not any(name.startswith(PROXY_PREFIX) for name in names):
        yield f"info has no {reward_key(PROXY_PREFIX)}<name>: put each proxy's reward there"
    for name in names:
        values = [step.get(name) for step in steps]
        absent = sum(value is None for value in values)
        if absent:
            yield f"{reward_key(name)!r} is absent from info at {absent} of {len(steps)} steps"
        if any(value is not None and not _is_number(value) for value in values):
            yield f"{reward_key(name)!r} is not a finite number at every step"


def _ending(played: list[_Episode]) -> Iterator[str]:
    """The info of the last step contains returns, outcome and level seed."""
    finished = [episode for episode in played if episode.ended]
    if not finished:
        steps = max(len(episode.infos) for episode in played)
        yield f"no random episode ended within {steps} steps: the last step's entries are unseen"
        return
    names = sorted(set().union(*(step for e in finished for step in e.steps_of_channels)))
    rules: dict = {return_key(name): (_is_number, "a finite number") for name in names}
    rules |= {
        OUTCOME: (lambda v: isinstance(v, str) and v in OUTCOMES, f"one of {', '.join(OUTCOMES)}"),
        PROXY_FIRST: (lambda v: isinstance(v, bool | np.bool_), "a bool"),
        LEVEL_SEED: (_is_integer, "an integer"),
    }
    for key, (holds, wanted) in rules.items():
        values = [episode.infos[-1].get(key) for episode in finished]
        if any(value is None for value in values):
            yield f"the last info of an episode has no {key!r} ({wanted})"
        elif not all(holds(value) for value in values):
            yield f"{key!r} in the last info of an episode is {values[0]!r}, not {wanted}"


def _sums(played: list[_Episode]) -> Iterator[str]:
    """Returns are the undiscounted sums of their channel's rewards."""
    wrong = {}
    for episode in played:
        for name in sorted(set().union(*episode.steps_of_channels)) if episode.ended else ():
            told = episode.infos[-1].get(return_key(name))
            values: list[Any] = [step.get(name) for step in episode.steps_of_channels]
            if not _is_number(told) or not all(_is_number(value) for value in values):
                continue
            summed = float(np.sum(values))
            if abs(summed - told) > _TOLERANCE * max(1, abs(summed)):
                wrong.setdefault(name, (told, summed))
    for name, (told, summed) in wrong.items():
        yield f"{return_key(name)!r} is {told:g}, but its rewards add up to {summed:g}"


def _aliasing(played: list[_Episode]) -> Iterator[str]:
    """A returned observation is not modified later."""
    for episode in played:
        pairs = zip(episode.kept, episode.copies, strict=True)
        changed = [k for k, (kept, copy) in enumerate(pairs) if not _equal(kept, copy)]
        if changed:
            yield (
                f"the observation of step {changed[0]} changed after it was handed out: "
                "return a copy of the buffer"
            )
            return


def _leaks(played: list[_Episode]) -> Iterator[str]:
    """No entry of the observation equals a channel's reward or running return at every step.

    Channels whose values are only 0 and 1 are skipped: a cell of a 0/1 plane may
    legitimately show that the agent is on the goal.
    """
    observations = np.array([_flat(o) for episode in played for o in episode.copies[1:]])
    for name in sorted(set().union(*(s for e in played for s in e.steps_of_channels))):
        columns: list[list[Any]] = [
            [s.get(name) for s in e.steps_of_channels][:_KEPT_STEPS] for e in played
        ]
        if not all(_is_number(value) for column in columns for value in column):
            continue
        sums = np.concatenate([np.cumsum(column) for column in columns])
        rewards = np.concatenate([np.asarray(column, float) for column in columns])
        for values, what in ((rewards, "reward"), (sums, "running return")):
            if set(np.unique(values)) <= {0.0, 1.0} or np.ptp(values) == 0:
                continue
            gaps = np.abs(observations - values[:, None]).max(axis=0)
            if (gaps < _TOLERANCE).any():
                entry = int(np.argmin(gaps))
                yield f"the observation leaks the {what} of {name!r} (flattened entry {entry})"


def _repetition(
    env: gym.Env[Any, Any], first: _Episode, max_steps: int, seed: int
) -> Iterator[str]:
    """Equal seeds give equal episodes."""
    env.action_space.seed(seed)
    again = _play(env, max_steps, seed=seed)
    if not _equal(again.copies, first.copies) or again.rewards != first.rewards:
        yield f"two episodes with reset(seed={seed}) and equal actions differ"


def _levels(env: gym.Env[Any, Any], played: list[_Episode], max_steps: int) -> Iterator[str]:
    """``reset(options={"level_seed": s})`` starts level s, and the same one each time."""
    seeds = [e.infos[-1].get(LEVEL_SEED) for e in played if e.ended]
    wanted = next((int(seed) for seed in seeds if _is_integer(seed)), None)
    if wanted is None:
        return
    tries = [_play(env, max_steps, options={LEVEL_SEED: wanted}) for _ in range(2)]
    told = [e.infos[-1].get(LEVEL_SEED) for e in tries if e.ended]
    if any(seed != wanted for seed in told):
        yield f"reset(options={{'level_seed': {wanted}}}) starts level {told[0]} instead"
    elif not _equal(tries[0].copies[0], tries[1].copies[0]):
        yield f"level_seed {wanted} does not fix the level: two starts of it differ"


def _is_number(value: Any) -> TypeGuard[float]:
    return isinstance(value, Real | np.number) and bool(np.isfinite(value))


def _is_integer(value: Any) -> TypeGuard[int]:
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


def _equal(a: Any, b: Any) -> bool:
    """Whether two observations, possibly nested, are equal."""
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(_equal(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(_equal(x, y) for x, y in zip(a, b, strict=True))
    return np.array_equal(np.asarray(a), np.asarray(b))


def _flat(observation: Any) -> NDArray[np.float64]:
    """All numbers of an observation: float64[n]; other values are skipped."""
    if isinstance(observation, dict):
        observation = tuple(observation.values())
    if isinstance(observation, list | tuple):
        return np.concatenate([_flat(part) for part in observation] or [np.zeros(0)])
    array = np.asarray(observation)
    return array.ravel().astype(float) if array.dtype.kind in "buif" else np.zeros(0)
