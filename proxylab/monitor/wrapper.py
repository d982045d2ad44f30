"""A Gymnasium wrapper that monitors the policy that acts in an environment."""

from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any, SupportsFloat, SupportsInt

import gymnasium as gym
import numpy as np

from proxylab.monitor.run import Monitor
from proxylab.rollouts.episodes import Episodes
from proxylab_envs.channels import LEVEL_SEED


class StepRecorder:
    """The states and actions of one running episode."""

    def __init__(self, facts: Mapping[str, Any]) -> None:
        """``facts``: task, policy, num_states and num_actions (``Monitor.facts``)."""
        self.facts = facts
        self.states: list[int] = []
        self.actions: list[int] = []

    def add(self, state: SupportsInt, action: SupportsInt) -> None:
        """Append a step: ``action`` was taken in the state of index ``state``."""
        self.states.append(int(state))
        self.actions.append(int(action))

    def finish(self, level_seed: SupportsInt, terminated: bool, truncated: bool) -> Episodes:
        """The Episodes of the one episode that ends here; a new episode starts."""
        states, actions = np.array(self.states), np.array(self.actions)
        self.states, self.actions = [], []
        return Episodes(
            **self.facts,
            episode_offsets=np.array([0, len(actions)]),
            state_id=states,
            features=np.zeros((len(actions), 0), np.float32),
            action=actions,
            probabilities=None,
            proxy_reward=None,
            level_seed=np.array([int(level_seed)]),
            terminated=np.array([bool(terminated)]),
            truncated=np.array([bool(truncated)]),
        )


class MonitorWrapper(gym.Wrapper):
    """Runs a :class:`~proxylab.monitor.run.Monitor` over the episodes of an environment.

    At the end of an episode ``info["monitor"]`` holds the reading: ``episode``,
    ``level_seed``, ``score``, ``e_value`` and ``alarm``. Actions and rewards are unchanged;
    an unfinished episode does not count.
    """

    def __init__(
        self,
        env: gym.Env[Any, Any],
        monitor: Monitor,
        state_of: Callable[[gym.Env[Any, Any]], SupportsInt] | None = None,
    ) -> None:
        """Monitor ``env`` (one environment).

        Args:
            env: a ``gymnasium.Env`` whose ``reset`` returns ``level_seed`` in its info.
            monitor: a ``Monitor`` of the same task.
            state_of: function (env) -> index of its current state; not needed for the
                environments of this project.

        Raises:
            ValueError: ``state_of`` is missing.
        """
        super().__init__(env)
        if state_of is None and not hasattr(env.unwrapped, "batched"):
            raise ValueError("state_of: say how to read the state's index from this environment")
        self.monitor = monitor
        self._state_of = state_of or _batched_state
        self._recorder = StepRecorder(monitor.facts)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Reset the environment and discard an unfinished episode."""
        observation, info = super().reset(seed=seed, options=options)
        self._level_seed = info[LEVEL_SEED]
        self._recorder = StepRecorder(self.monitor.facts)
        return observation, info

    def step(self, action: Any) -> tuple[Any, SupportsFloat, bool, bool, dict[str, Any]]:
        """Step the environment; the info of the last step holds the reading of the monitor."""
        self._recorder.add(self._state_of(self.env), action)
        observation, reward, terminated, truncated, info = super().step(action)
        if terminated or truncated:
            episode = self._recorder.finish(self._level_seed, terminated, truncated)
            readings = self.monitor.observe(episode)
            info = {**info, "monitor": asdict(readings[0]) if readings else None}
        return observation, reward, terminated, truncated, info


def _batched_state(env: gym.Env[Any, Any]) -> int:
    """State index of an environment of this project."""
    unwrapped: Any = env.unwrapped
    return int(unwrapped.batched.core.state_ids[0])
