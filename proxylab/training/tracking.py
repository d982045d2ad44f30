"""Curves of a run for TensorBoard and Weights & Biases, beside ``metrics.parquet``.

Both get what Stable-Baselines3 logs after every rollout, and every evaluation on held-out
levels under ``evaluation/``. Tracking draws no random numbers: the agent has the same bytes.
"""

from collections.abc import Generator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from stable_baselines3.common.logger import KVWriter

from proxylab.config import TrainConfig
from proxylab.errors import UsageError, choices, require_extra

TRACKERS = ("tensorboard", "wandb")
"""Where curves can go; the extra and the module have the same name."""


def check_trackers(names: Sequence[str]) -> None:
    """``UsageError`` for an unknown tracker, or one that is not installed."""
    for name in names:
        if name not in TRACKERS:
            raise UsageError(f"unknown tracker {name!r}: {choices(name, TRACKERS)}")
        require_extra(name, name)


@contextmanager
def tracking(
    names: Sequence[str], folder: Path, config: TrainConfig, model: Any
) -> Generator[list[KVWriter]]:
    """Open the trackers of a run; they are closed however it ends.

    Args:
        names: of ``TRACKERS``.
        folder: of the run.
        config: its configuration, which Weights & Biases shows.
        model: SB3 algorithm; it writes TensorBoard's files itself.

    Yields:
        The writers that its logger needs besides its own.
    """
    check_trackers(names)
    if "tensorboard" in names:
        model.tensorboard_log = str(folder)
    with ExitStack() as stack:
        writers: list[KVWriter] = []
        if "wandb" in names:
            writers.append(WandbWriter(folder, config))
            stack.callback(writers[-1].close)
        yield writers


class WandbWriter(KVWriter):
    """Writes to a run of Weights & Biases; with ``WANDB_MODE=offline`` below the run's folder."""

    def __init__(self, folder: Path, config: TrainConfig) -> None:
        """Begin the run; ``UsageError`` where the service refuses it."""
        import wandb  # optional, slow to load

        settings = wandb.Settings(
            silent=True, console="off", disable_code=True, disable_git=True, save_code=False
        )
        try:
            self.run = wandb.init(
                project="proxylab",
                group=f"{config.task} {config.role}",
                name=f"{config.task} {config.role} seed {config.seed}",
                dir=str(folder),
                config=config.as_json(),
                settings=settings,
                reinit="create_new",
            )
        except wandb.errors.Error as error:
            advice = "log in with wandb login, or set WANDB_MODE=offline"
            raise UsageError(f"wandb: {error}: {advice}") from None

    def write(
        self, key_values: Mapping[str, Any], key_excluded: Mapping[str, Any], step: int = 0
    ) -> None:
        """Log the numbers among the values at a step; SB3 passes texts too."""
        numbers = (int, float, np.integer, np.floating)
        row = {name: float(v) for name, v in key_values.items() if isinstance(v, numbers)}
        self.run.log(row, step=step)

    def close(self) -> None:
        """End the run."""
        self.run.finish()
