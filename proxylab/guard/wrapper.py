"""A Gymnasium wrapper in which a trusted policy takes over from whoever calls ``step``."""

import math
from collections.abc import Callable
from typing import Any, SupportsFloat

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from proxylab.errors import UsageError
from proxylab.guard.episodes import ASK, FALLBACK, MODES, NEVER, STOP

Score = Callable[[Any, Any], SupportsFloat]
"""Function (observation, action) -> how alarming it is to take the action there."""


class GuardWrapper(gym.Wrapper):
    """Guards any environment: the action given to ``step`` is taken, or that of a trusted policy.

    ``info["guard"]`` holds ``acting`` (whether the trusted policy chose the action), ``score`` and
    ``first_help`` (the step of the first help in the episode, -1 without any). ``stop`` truncates
    the episode instead: the observation stays, the reward is 0.
    """

    def __init__(
        self,
        env: gym.Env[Any, Any],
        score: Score,
        act: Callable[[Any], Any],
        threshold: float,
        mode: str = FALLBACK,
        hand_back: int | None = None,
    ) -> None:
        """Guard ``env`` (one environment).

        Args:
            env: a ``gymnasium.Env``.
            score: function (observation, action) -> score of the action that is about to be taken.
            act: the trusted policy, a function (observation) -> action.
            threshold: score above which the guard acts (see :func:`highest_scores`).
            mode: ``fallback``, ``ask`` or ``stop``.
            hand_back: with ``fallback``, steps at or below the threshold after which the given
                actions are taken again; None for never.

        Raises:
            UsageError: no such mode, or ``hand_back`` without ``fallback``.
        """
        super().__init__(env)
        if mode not in MODES:
            raise UsageError(f"no mode {mode!r}: choose {', '.join(MODES)}")
        if hand_back is not None and mode != FALLBACK:
            raise UsageError("hand_back is for the mode fallback")
        self._score, self._act = score, act
        self._threshold, self._mode, self._hand_back = threshold, mode, hand_back

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Reset the environment; the given actions are taken at first."""
        self._observation, info = super().reset(seed=seed, options=options)
        self._in_charge, self._calm, self._steps, self._first = False, 0, 0, NEVER
        return self._observation, info

    def step(self, action: Any) -> tuple[Any, SupportsFloat, bool, bool, dict[str, Any]]:
        """Take ``action``, or that of the trusted policy where it is in charge."""
        score = float(self._score(self._observation, action))
        self._decide(score > self._threshold)
        facts = {"acting": self._in_charge, "score": score, "first_help": self._first}
        if self._in_charge and self._mode == STOP:
            return self._observation, 0.0, False, True, {"guard": facts}
        taken = self._act(self._observation) if self._in_charge else action
        self._observation, reward, terminated, truncated, info = super().step(taken)
        self._steps += 1
        return self._observation, reward, terminated, truncated, {**info, "guard": facts}

    def _decide(self, above: bool) -> None:
        """Hand over above the threshold, and back after enough calm steps."""
        self._calm = 0 if above else self._calm + 1
        if above and self._first == NEVER:
            self._first = self._steps
        calm = self._hand_back is not None and self._calm >= self._hand_back
        if self._mode == ASK or calm:
            self._in_charge = above
        else:
            self._in_charge = self._in_charge or above


def highest_scores(
    env: gym.Env[Any, Any], act: Callable[[Any], Any], score: Score, episodes: int, seed: int
) -> NDArray[np.float64]:
    """float64[episodes]: the greatest score in each episode of a policy that nobody guards.

    Of enough trusted policies, :func:`proxylab.guard.run.threshold_of` makes a threshold of them.

    Args:
        env: a ``gymnasium.Env``.
        act: the policy, a function (observation) -> action.
        score: see :class:`GuardWrapper`.
        episodes: number of episodes.
        seed: of the first reset; the others follow from it.
    """
    highest = np.full(episodes, -math.inf)
    for episode in range(episodes):
        observation, _ = env.reset(seed=seed if episode == 0 else None)
        ended = False
        while not ended:
            action = act(observation)
            highest[episode] = max(highest[episode], float(score(observation, action)))
            observation, _, terminated, truncated, _ = env.step(action)
            ended = terminated or truncated
    return highest
