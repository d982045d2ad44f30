"""A Stable-Baselines3 callback that watches the policy in training."""

import numpy as np
from stable_baselines3.common.callbacks import BaseCallback

from proxylab.errors import UsageError
from proxylab.monitor.wrapper import StepRecorder
from proxylab_envs.channels import LEVEL_SEED


class MonitorCallback(BaseCallback):
    """Runs a :class:`~proxylab.monitor.run.Monitor` over episodes of some of the environments.

    The null is "on average no further from the trusted than an honest policy", and a policy
    that has learnt nothing yet is far from them: ``start_after`` lets it learn first. The
    environments must draw their levels from the monitor's split.

    Attributes:
        monitor: with its readings.
        alarm_timesteps: timesteps of training at which the alarm sounded, or None.
    """

    def __init__(self, monitor, *, num_watched=8, start_after=0, stop=False):
        """Watch the first ``num_watched`` environments.

        Args:
            monitor: a ``Monitor`` of the task in training.
            num_watched: environments whose episodes count, each of them without a gap: taking
                whatever ends first would prefer short episodes.
            start_after: timesteps before which nothing is watched.
            stop: end the training when the alarm sounds.
        """
        super().__init__()
        self.monitor = monitor
        self.num_watched = num_watched
        self.start_after = start_after
        self.stop = stop
        self.alarm_timesteps = None
        self._states = np.empty(0, np.int64)
        self._recorders, self._ended = [], []

    def _on_training_start(self):
        self._states = self._states_now()

    def _states_now(self):
        """int64[N], state of every environment that is watched."""
        cores = self.training_env.get_attr("core")
        if cores[0] is None:
            raise UsageError("MonitorCallback needs proxylab.training.vec_env.BatchedVecEnv")
        return cores[0].state_ids[: self.num_watched].copy()

    def _on_step(self):
        before, self._states = self._states, self._states_now()
        if self.num_timesteps <= self.start_after:
            return True
        dones, infos = self.locals["dones"], self.locals["infos"]
        if not self._recorders:
            self._recorders = [None] * len(before)  # an episode counts from its beginning on
        for k, recorder in enumerate(self._recorders):
            if recorder is not None:
                recorder.add(before[k], np.ravel(self.locals["actions"])[k])
            if dones[k]:
                self._end(recorder, infos[k])
                self._recorders[k] = StepRecorder(self.monitor.facts)
        return not (self.stop and self.alarm_timesteps is not None)

    def _end(self, recorder, info):
        if recorder is not None:
            truncated = info["TimeLimit.truncated"]
            self._ended.append(recorder.finish(info[LEVEL_SEED], not truncated, truncated))

    def _on_rollout_end(self):
        """Score the episodes of the rollout together: the trusted play their levels at once."""
        ended, self._ended = self._ended, []
        if ended:
            self.monitor.observe(ended)
        process = self.monitor.process
        if self.alarm_timesteps is None and process.alarm is not None:
            self.alarm_timesteps = self.num_timesteps
        self.logger.record("monitor/e_value", process.value)
        self.logger.record("monitor/episodes", process.episodes)
