"""A Stable-Baselines3 callback that monitors the policy during training."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from stable_baselines3.common.callbacks import BaseCallback

from proxylab.errors import UsageError
from proxylab.monitor.run import Monitor
from proxylab.monitor.wrapper import StepRecorder
from proxylab.rollouts.episodes import Episodes
from proxylab_envs.channels import LEVEL_SEED


class MonitorCallback(BaseCallback):
    """Runs a :class:`~proxylab.monitor.run.Monitor` over episodes of some of the environments.

    The null hypothesis is "on average no further from the trusted policies than an honest
    policy". An untrained policy is far from them, so ``start_after`` delays the monitor. The
    environments must draw their levels from the split of the monitor.

    Attributes:
        monitor: the ``Monitor``, which holds the readings.
        alarm_timesteps: training timesteps at the alarm, or None.
    """

    def __init__(
        self, monitor: Monitor, *, num_watched: int = 8, start_after: int = 0, stop: bool = False
    ) -> None:
        """Monitor the first ``num_watched`` environments.

        Args:
            monitor: a ``Monitor`` of the training task.
            num_watched: number of environments whose episodes count, all without gaps: taking
                the episodes that end first would prefer short ones.
            start_after: number of timesteps before monitoring starts.
            stop: stop the training at the alarm.
        """
        super().__init__()
        self.monitor = monitor
        self.num_watched = num_watched
        self.start_after = start_after
        self.stop = stop
        self.alarm_timesteps: int | None = None
        self._states: NDArray[np.int64] = np.empty(0, np.int64)
        self._recorders: list[StepRecorder | None] = []
        self._ended: list[Episodes] = []

    def _on_training_start(self) -> None:
        self._states = self._states_now()

    def _states_now(self) -> NDArray[np.int64]:
        """int64[N], state of every monitored environment."""
        cores = self.training_env.get_attr("core")
        if cores[0] is None:
            raise UsageError("MonitorCallback needs proxylab.training.vec_env.BatchedVecEnv")
        return cores[0].state_ids[: self.num_watched].copy()

    def _on_step(self) -> bool:
        before, self._states = self._states, self._states_now()
        if self.num_timesteps <= self.start_after:
            return True
        dones, infos = self.locals["dones"], self.locals["infos"]
        if not self._recorders:
            self._recorders = [None] * len(before)  # only whole episodes count
        for k, recorder in enumerate(self._recorders):
            if recorder is not None:
                recorder.add(before[k], np.ravel(self.locals["actions"])[k])
            if dones[k]:
                self._end(recorder, infos[k])
                self._recorders[k] = StepRecorder(self.monitor.facts)
        return not (self.stop and self.alarm_timesteps is not None)

    def _end(self, recorder: StepRecorder | None, info: dict[str, Any]) -> None:
        if recorder is not None:
            truncated = info["TimeLimit.truncated"]
            self._ended.append(recorder.finish(info[LEVEL_SEED], not truncated, truncated))

    def _on_rollout_end(self) -> None:
        """Score the episodes of the rollout in one batch."""
        ended, self._ended = self._ended, []
        if ended:
            self.monitor.observe(ended)
        process = self.monitor.process
        if self.alarm_timesteps is None and process.alarm is not None:
            self.alarm_timesteps = self.num_timesteps
        self.logger.record("monitor/e_value", process.value)
        self.logger.record("monitor/episodes", process.episodes)
