"""Recording of an episode of ``play`` as a log, which ``detect`` and behaviour cloning read."""

import filecmp
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from proxylab.errors import UsageError
from proxylab.logs import RecordedEpisodes, format_of, read_log, write_log
from proxylab.rollouts.episodes import Episodes, concatenate
from proxylab_envs.batch import BatchedEnv
from proxylab_envs.channels import proxy_channels

PLAYER = "player"
"""Name of the policy in the log where a person plays."""


class PlayLog:
    """Collects the steps of one episode and adds it to a log.

    The file is checked before the episode, so that nothing is played in vain.
    """

    def __init__(self, path: str | Path, task: str, policy: str = PLAYER, sha256: str = "") -> None:
        """Check ``path``: a new file, or a log of the same task that can be extended.

        Raises:
            UsageError: the file is something else, or holds more than such a log does.
        """
        self.path, self.task, self.policy, self.sha256 = Path(path), task, policy, sha256
        format_of(self.path)
        self._before = self._existing()
        self._rows: list[tuple[Any, ...]] = []

    def _existing(self) -> Sequence[RecordedEpisodes]:
        """The policies of the file, which must be what :func:`write_log` writes of them."""
        if not os.path.lexists(self.path):
            return []
        policies = read_log(self.path, self.task)
        with tempfile.TemporaryDirectory() as folder:
            again = Path(folder) / self.path.name
            write_log(again, policies)
            if not filecmp.cmp(again, self.path, shallow=False):
                raise UsageError(
                    f"{self.path} holds more than play records, which would be lost: "
                    "record into another file"
                )
        return policies

    def before(
        self, env: BatchedEnv, action: int, probabilities: NDArray[np.float32] | None
    ) -> None:
        """Record the state of the first environment and the action that is taken there."""
        first = np.array([0])
        state = int(env.core.state_ids[0])
        self._rows.append((state, env.features(first)[0].copy(), action, probabilities))

    def after(self, env: BatchedEnv) -> None:
        """Record the proxy reward of the step."""
        column = env.channels.index(proxy_channels(env.channels)[0])
        self._rows[-1] += (float(env.core.rewards[0, column]),)

    def write(self, env: BatchedEnv) -> None:
        """Add the episode to the log, which is replaced as a whole."""
        if not self._rows:
            raise UsageError(f"{self.path}: no step was played, so there is nothing to record")
        episode = self._episode(env)
        policies: list[Episodes] = [p for p in self._before if p.policy != self.policy]
        own = [p for p in self._before if p.policy == self.policy]
        if own and own[0].sha256 != self.sha256:
            raise UsageError(f"{self.path} holds another agent of the name {self.policy}")
        policies.append(concatenate([*own, episode]))
        write_log(self.path, policies)

    def _episode(self, env: BatchedEnv) -> RecordedEpisodes:
        state, features, action, probabilities, proxy = zip(*self._rows, strict=True)
        given = None if probabilities[0] is None else np.array(probabilities, np.float32)
        return RecordedEpisodes(
            task=self.task,
            policy=self.policy,
            num_states=env.num_states,
            num_actions=int(getattr(env.single_action_space, "n", 0)),
            episode_offsets=np.array([0, len(action)]),
            state_id=np.array(state),
            features=np.array(features, np.float32),
            action=np.array(action),
            probabilities=given,
            proxy_reward=np.array(proxy, np.float32),
            level_seed=env.core.level_seeds[:1].copy(),
            terminated=env.core.terminated[:1].copy(),
            truncated=env.core.truncated[:1].copy(),
            sha256=self.sha256,
        )
