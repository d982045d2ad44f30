"""``proxylab rewards fit``: from preferences files to the folder of a reward model."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from proxylab.agents.references import load_agent
from proxylab.errors import UsageError
from proxylab.rewards.fit import FitConfig, fit
from proxylab.rewards.model import JSON_NAME, RewardModel, save_model
from proxylab.rewards.preferences import read_preferences
from proxylab.storage.store import only_writer, results_folder

SCHEMA = "proxylab.rewards-fit/1"


@dataclass(frozen=True)
class Fitted:
    """What ``rewards fit`` prints.

    Attributes:
        task: name of the task.
        model: folder of the reward model.
        members: networks of the ensemble.
        answers: usable answers.
        held_out_accuracy: mean over members, on the held-out tenth of the answers; None where
            none of them is left or right.
        held_out_loss: mean over members; log 2 = 0.693 is a coin's.
        sha256: of the model.
    """

    task: str
    model: str
    members: int
    answers: int
    held_out_accuracy: float | None
    held_out_loss: float
    sha256: str

    def as_json(self) -> dict[str, Any]:
        """The object that ``rewards fit --json`` prints."""
        return {"schema": SCHEMA, **asdict(self)}


def fit_files(
    files: Sequence[str | Path],
    out: str | Path | None = None,
    reference: str | None = None,
    **options: Any,
) -> Fitted:
    """Fit a reward model to preferences files and save it.

    Args:
        files: preferences files of one task.
        out: folder of the model; by default ``results/rewards/<task>/seed-<n>``.
        reference: agent on whose states the rewards are standardised.
        options: fields of :class:`~proxylab.rewards.fit.FitConfig`.

    Raises:
        UsageError: an invalid file or option, or a folder that holds something else.
    """
    config = FitConfig(**options)
    preferences = read_preferences(*files)
    task = preferences.clips.task
    folder = Path(out or results_folder() / "rewards" / task / f"seed-{config.seed}")
    if folder.is_dir() and any(folder.iterdir()) and not (folder / JSON_NAME).is_file():
        raise UsageError(f"{folder} holds something else: choose another --out")
    policy = None if reference is None else load_agent(reference)
    with only_writer(folder):
        model = fit(preferences, config, reference=policy)
        save_model(model, folder)
    return summary(model, folder)


def summary(model: RewardModel, folder: str | Path) -> Fitted:
    """The :class:`Fitted` of a reward model."""
    facts = model.spec.training
    loss = facts["held_out_loss"]
    return Fitted(
        task=model.spec.task,
        model=str(folder),
        members=model.spec.members,
        answers=facts["answers"],
        held_out_accuracy=facts["held_out_accuracy"],
        held_out_loss=sum(loss) / len(loss),
        sha256=model.sha256,
    )
