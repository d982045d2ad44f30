"""Training callback: evaluation on held-out levels, checkpoints, progress, Ctrl-C."""

import signal
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.logger import KVWriter

from proxylab.config import TrainConfig, shifted_share
from proxylab.rollouts.rollout import Outcomes, Policy, rollout
from proxylab.seeds import stream_seed
from proxylab.storage import store
from proxylab.tasks import TASKS
from proxylab.training.checkpoint import save_checkpoint
from proxylab.training.saving import Snapshots, trained_policy
from proxylab_envs.channels import OUTCOMES, proxy_channels
from proxylab_envs.levels import Levels

if TYPE_CHECKING:
    from proxylab.console.output import TrainingBar

SHIFTED_LEVELS = 128
SUCCESS_THRESHOLD = 0.95
RARER = 4
"""Factor by which the interval between evaluations grows once a run is competent."""
CHECKPOINTS = 20
"""Number of checkpoints per run."""

_EXAM_SEED = 20_220_718
"""Seed of the held-out levels: the same for every run, so that curves are comparable."""


class Evaluator:
    """Evaluates a policy on fixed held-out levels, with sampled actions."""

    def __init__(self, config: TrainConfig) -> None:
        """Draw held-out levels of the training kind of a configuration, and shifted levels."""
        self.config, self.task = config, TASKS[config.task]
        self.competent = [OUTCOMES.index(o) for o in self.task.roles[config.role].competent]
        self.env = self.task.make_env(self.task.check_levels, **config.env)
        own = "iid" if "iid" in self.env.splits else "train"
        self.own = Levels(own, shifted_share(config.levels))
        self.own_seeds = self._draw(self.own, self.task.check_levels, "check")
        self.splits: dict[str, NDArray[np.int64]] = {}
        if "shifted" in self.env.splits:
            self.splits["shifted"] = self._draw(Levels("shifted"), SHIFTED_LEVELS, "shifted")
        levels = {"iid": self.own_seeds, **self.splits}
        self.optimal = {name: self.env.optimal_returns(seeds) for name, seeds in levels.items()}

    def _draw(self, levels: Levels, count: int, name: str) -> NDArray[np.int64]:
        return self.env.sample_level_seeds(levels, count, stream_seed(_EXAM_SEED, name))

    def check(self, policy: Any) -> dict[str, float]:
        """{column: value}: success, and normalised returns of both goals on each split."""
        actor = trained_policy(self.config, policy)
        outcomes = self._play(actor, self.own_seeds)
        row = {"success": self._success(outcomes), **self._returns("iid", outcomes)}
        for split, seeds in self.splits.items():
            row |= self._returns(split, self._play(actor, seeds))
        return row

    def confirm(self, policy: Any) -> float:
        """Success rate on levels that :meth:`check` does not use."""
        seeds = self._draw(self.own, self.task.final_eval_levels, "confirm")
        return self._success(self._play(trained_policy(self.config, policy), seeds))

    def _play(self, actor: Policy, level_seeds: NDArray[np.int64]) -> Outcomes:
        seed = stream_seed(_EXAM_SEED, "actions")
        _, outcomes = rollout(actor, self.env, level_seeds, task=self.task.name, seed=seed)
        return outcomes

    def _success(self, outcomes: Outcomes) -> float:
        return float(np.isin(outcomes.outcome, self.competent).mean())

    def _returns(self, split: str, outcomes: Outcomes) -> dict[str, float]:
        optimal = self.optimal[split]
        named = {"true_return": "true", "proxy_return": proxy_channels(self.env.channels)[0]}
        return {
            f"{split}/{name}": float(outcomes.returns_of(channel).mean() / optimal[channel].mean())
            for name, channel in named.items()
        }


class TrainingCallback(BaseCallback):
    """Evaluates, saves checkpoints and reports progress between two rollouts.

    Attributes:
        rows: one dict per evaluation; the metrics of the run.
        seconds_to_competence: wall-clock seconds, None before competence.
        writers: further outputs of the logger, see ``tracking``.
    """

    def __init__(
        self,
        folder: Path,
        config: TrainConfig,
        examiner: Evaluator,
        start: float,
        bar: "TrainingBar | None" = None,
        snapshots: "Snapshots | None" = None,
    ) -> None:
        """For a run that began at ``start`` (``time.perf_counter``)."""
        super().__init__()
        self.snapshots = snapshots
        self.folder = folder
        self.config = config
        self.examiner = examiner
        self.start = start
        self.bar = bar
        self.rows: list[dict[str, Any]] = []
        self.seconds_to_competence: float | None = None
        self.seconds_before = 0.0
        self.interrupted = False
        self.writers: list[KVWriter] = []
        self._check_every = max(config.total_timesteps // examiner.task.checks, 1)
        self._save_every = max(config.total_timesteps // CHECKPOINTS, 1)
        self._saved_at = 0

    def seconds(self) -> float:
        """Wall-clock seconds of the run so far, including earlier sessions."""
        return self.seconds_before + time.perf_counter() - self.start

    def restore(self, progress: Mapping[str, Any]) -> None:
        """Continue from the progress of a checkpoint."""
        self.rows = progress["rows"]
        self.seconds_before = progress["seconds"]
        self.seconds_to_competence = progress["seconds_to_competence"]

    def _on_training_start(self) -> None:
        self.logger.output_formats += self.writers
        self._old_handler: Any = None
        if _in_main_thread():
            self._old_handler = signal.signal(signal.SIGINT, self._interrupt)

    def _interrupt(self, _signal: int, _frame: FrameType | None) -> None:
        """The first Ctrl-C takes effect after the rollout, the second at once."""
        signal.signal(signal.SIGINT, self._old_handler or signal.default_int_handler)
        self.interrupted = True

    def _on_step(self) -> bool:
        return True

    def _on_rollout_start(self) -> None:
        if self.snapshots is not None:
            self.snapshots.take(self.num_timesteps, self.model)
        if self.num_timesteps >= self._next_check():
            self._check()
        due = self.interrupted or self.num_timesteps >= self._saved_at + self._save_every
        if due and self.config.evade is None:  # a short run, whose past episodes are not stored
            self._save()
        if self.interrupted:
            raise KeyboardInterrupt
        if self.bar is not None:
            self.bar.show(self.num_timesteps, self.rows[-1] if self.rows else None, self._recent())

    def _next_check(self) -> int:
        every = self._check_every * (RARER if self.seconds_to_competence is not None else 1)
        last = self.rows[-1]["timesteps"] if self.rows else 0
        return (last // every + 1) * every

    def _check(self) -> None:
        metrics = self.examiner.check(self.model.policy)
        row = {"timesteps": self.num_timesteps, "seconds": self.seconds(), **metrics}
        before = self.rows[-1]["success"] if self.rows else 0.0
        self.rows.append(row)
        curves = {f"evaluation/{name}": value for name, value in metrics.items()}
        for writer in self.logger.output_formats:
            writer.write(curves, dict.fromkeys(curves, ()), self.num_timesteps)
        if self.seconds_to_competence is None and min(before, row["success"]) >= SUCCESS_THRESHOLD:
            self.seconds_to_competence = row["seconds"]

    def _save(self) -> None:
        progress = {
            "rows": self.rows,
            "seconds": self.seconds(),
            "seconds_to_competence": self.seconds_to_competence,
        }
        path = self.folder / store.CHECKPOINT
        self._saved_at = self.num_timesteps
        save_checkpoint(path, self.model, self.config.fingerprint, progress)

    def _recent(self) -> float | None:
        """Mean return of the episodes that ended in the last rollout, or None."""
        env: Any = self.training_env  # a BatchedVecEnv
        paid = env.paid
        env.take_finished()
        return float(np.mean(paid)) / self.config.reward_scale if paid else None

    def _on_training_end(self) -> None:
        if self._old_handler is not None:
            signal.signal(signal.SIGINT, self._old_handler)
        if self.snapshots is not None:
            self.snapshots.take(self.num_timesteps, self.model)
        if not self.rows or self.rows[-1]["timesteps"] < self.num_timesteps:
            self._check()


def _in_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()
