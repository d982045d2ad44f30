"""A Gymnasium wrapper that watches whoever acts in an environment."""

from dataclasses import asdict

import gymnasium as gym
import numpy as np

from proxylab.rollouts.episodes import Episodes
from proxylab_envs.channels import LEVEL_SEED


class StepRecorder:
    """The states and actions of one running episode."""

    def __init__(self, facts):
        """``facts``: task, policy, num_states and num_actions (``Monitor.facts``)."""
        self.facts = facts
        self.states, self.actions = [], []

    def add(self, state, action):
        """A step: the state index in which ``action`` was taken."""
        self.states.append(int(state))
        self.actions.append(int(action))

    def finish(self, level_seed, terminated, truncated):
        """The Episodes of the one episode that ends here; a new one begins."""
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
    ``level_seed``, ``score``, ``e_value`` and ``alarm``. Actions and rewards stay as they are,
    and an episode that is not played to its end is not counted.
    """

    def __init__(self, env, monitor, state_of=None):
        """Watch ``env`` (one environment).

        Args:
            env: a ``gymnasium.Env`` whose ``reset`` gives ``level_seed`` in its info.
            monitor: a ``Monitor`` of the same task.
            state_of: function (env) -> index of the state it is in; not needed for the
                environments of this project.

        Raises:
            ValueError: ``state_of`` is needed.
        """
        super().__init__(env)
        if state_of is None and not hasattr(env.unwrapped, "batched"):
            raise ValueError("state_of: say how to read the state's index from this environment")
        self.monitor = monitor
        self._state_of = state_of or (lambda env: env.unwrapped.batched.core.state_ids[0])
        self._recorder = StepRecorder(monitor.facts)

    def reset(self, *, seed=None, options=None):
        """As of the environment; what ran before is forgotten."""
        observation, info = super().reset(seed=seed, options=options)
        self._level_seed = info[LEVEL_SEED]
        self._recorder = StepRecorder(self.monitor.facts)
        return observation, info

    def step(self, action):
        """As of the environment, with the monitor's reading in the last step's info."""
        self._recorder.add(self._state_of(self.env), action)
        observation, reward, terminated, truncated, info = super().step(action)
        if terminated or truncated:
            episode = self._recorder.finish(self._level_seed, terminated, truncated)
            readings = self.monitor.observe(episode)
            info = {**info, "monitor": asdict(readings[0]) if readings else None}
        return observation, reward, terminated, truncated, info
