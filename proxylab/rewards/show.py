"""What a reward model pays: agreement with each channel of the task, distances, a heat map."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from proxylab.environments.placement import at_every_cell
from proxylab.errors import UsageError
from proxylab.rewards.clips import Clips, record_clips
from proxylab.rewards.collect import default_sources, policies_of
from proxylab.rewards.fit import clip_rewards
from proxylab.rewards.model import (
    SHIPPED,
    RewardModel,
    combine,
    load_model,
    model_folders,
    shipped_names,
)
from proxylab.rollouts.rollout import Policy
from proxylab.seeds import stream_seed
from proxylab.statistics.resampling import wilson_interval
from proxylab.storage.store import results_folder
from proxylab.storage.whole_files import whole_file
from proxylab.tasks import TASKS, known_task
from proxylab_envs.batch import BatchedEnv
from proxylab_envs.levels import Levels

SCHEMA = "proxylab.rewards-show/1"
CLIPS, PAIRS = 400, 1_000
SPLITS = ("iid", "shifted")


@dataclass(frozen=True)
class Agreement:
    """How a reward model and a channel of the environment judge the steps of one split.

    Attributes:
        split: ``iid`` or ``shifted``.
        channel: reward channel.
        pairs: pairs of clips whose returns differ in the channel.
        accuracy: share of them in which the model prefers the same clip; NaN without pairs.
        low: lower end of its 95 % Wilson interval, over pairs.
        high: upper end.
        epic: √((1 − ρ)/2), ρ the correlation of the rewards of single steps. For rewards of the
            state after the step, as a model's without actions, it is the EPIC distance (Gleave
            et al. 2020, arXiv 2006.13900, definition 4.7); coverage: the steps of the clips.
            NaN where the channel pays the same everywhere.
    """

    split: str
    channel: str
    pairs: int
    accuracy: float
    low: float
    high: float
    epic: float


@dataclass(frozen=True)
class Shown:
    """What ``rewards show`` prints.

    Attributes:
        model: folder of the reward model.
        task: its task.
        members: networks of the ensemble.
        clip_length: steps of a clip.
        training: facts about the fit.
        sources: policies of the clips.
        agreements: one per split and channel.
        figure: file of the heat map, or "".
    """

    model: str
    task: str
    members: int
    clip_length: int
    training: dict[str, Any]
    sources: tuple[str, ...]
    agreements: tuple[Agreement, ...]
    figure: str

    def as_json(self) -> dict[str, Any]:
        """The object that ``rewards show --json`` prints."""
        return {"schema": SCHEMA, **asdict(self)}


@dataclass(frozen=True)
class Models:
    """What ``rewards list`` prints.

    Attributes:
        rows: one dict per reward model.
    """

    rows: list[dict[str, Any]]

    def as_json(self) -> dict[str, Any]:
        """The object that ``rewards list --json`` prints."""
        return {"schema": "proxylab.rewards-list/1", "models": self.rows}


def list_models(root: str | Path | None = None) -> Models:
    """The reward models below a folder; damaged ones are named.

    By default those below ``results/rewards`` and the shipped ones.
    """
    models = list(map(str, model_folders(root or results_folder() / "rewards")))
    if root is None:
        models += [f"{SHIPPED}{task}/{name}" for task in TASKS for name in shipped_names(task)]
    rows = []
    for folder in models:
        row: dict[str, Any] = {"model": folder, "task": "damaged", "members": 0}
        row |= {"answers": None, "held_out_accuracy": None, "sha256": ""}
        try:
            model = load_model(folder)
        except UsageError:
            rows.append(row)
            continue
        facts = model.spec.training
        row |= {"task": model.spec.task, "members": model.spec.members, "sha256": model.sha256}
        rows.append(row | {n: facts.get(n) for n in ("answers", "held_out_accuracy")})
    return Models(rows)


def show_model(
    path: str | Path,
    sources: Sequence[str] = (),
    *,
    how: str = "mean",
    seed: int = 0,
    out: str | Path | None = None,
) -> Shown:
    """Compare a reward model with every reward channel of its task.

    Args:
        path: folder of the model.
        sources: references of the policies of the clips; by default random actions and the
            scripts of the task.
        how: how the members are combined.
        seed: of levels, clips and pairs.
        out: file of a heat map of what it pays for every cell of two levels, ``.png`` or
            ``.svg``; for tasks with cells.

    Returns:
        :class:`Shown`.

    Raises:
        UsageError: a model, source or file name that is invalid.
    """
    model = load_model(path)
    spec = model.spec
    names = sources or default_sources(spec.task)
    policies = policies_of(names, spec.task)
    judged = agreements(model, policies, how, seed)
    figure = "" if out is None else str(_heat_map(model, how, seed, Path(out)))
    return Shown(
        model=str(path),
        task=spec.task,
        members=spec.members,
        clip_length=spec.clip_length,
        training=spec.training,
        sources=tuple(policy.name for policy in policies),
        agreements=tuple(judged),
        figure=figure,
    )


def agreements(
    model: RewardModel, policies: Sequence[Policy], how: str = "mean", seed: int = 0
) -> list[Agreement]:
    """One :class:`Agreement` per split and channel, on new clips of policies."""
    splits = known_task(model.spec.task).make_env(1, **model.spec.env).splits
    rows = (_agreements(model, policies, s, how, seed) for s in SPLITS if s in splits)
    return [row for group in rows for row in group]


def _agreements(
    model: RewardModel, policies: Sequence[Policy], split: str, how: str, seed: int
) -> list[Agreement]:
    """One per channel of the environment, on new clips of a split."""
    spec, own = model.spec, stream_seed(seed, f"show {split}")
    clips, paid, _ = record_clips(
        policies,
        spec.task,
        count=CLIPS,
        levels=split,
        share=Levels(split).share,
        length=spec.clip_length,
        env_kwargs=spec.env,
        seed=own,
    )
    given = step_rewards(model, clips, how)
    env = known_task(spec.task).make_env(1, **spec.env)
    rng = np.random.default_rng(stream_seed(own, "pairs"))
    pairs = rng.integers(len(clips), size=(2, PAIRS))
    return [
        _agreement(split, channel, given, paid[:, :, c].astype(np.float64), pairs)
        for c, channel in enumerate(env.channels)
    ]


def step_rewards(model: RewardModel, clips: Clips, how: str = "mean") -> NDArray[np.float64]:
    """float64[N, T]: what the model gives for every step of clips."""
    rewards = clip_rewards(model, clips)
    paid = combine(rewards.reshape(len(rewards), -1), how)
    return paid.reshape(clips.actions.shape).astype(np.float64)


def _agreement(
    split: str,
    channel: str,
    given: NDArray[np.float64],
    paid: NDArray[np.float64],
    pairs: NDArray[np.int64],
) -> Agreement:
    """Compare rewards float64[N, T] of a model and of a channel."""
    accuracy = pair_accuracy(given.sum(1), paid.sum(1), pairs)
    return Agreement(split, channel, *accuracy, next_state_epic(given, paid))


def pair_accuracy(
    given: NDArray[np.floating], paid: NDArray[np.floating], pairs: NDArray[np.int64]
) -> tuple[int, float, float, float]:
    """How often a model prefers the clip that is paid more.

    Args:
        given: float[N], a model's return of each clip.
        paid: float[N], a channel's.
        pairs: int64[2, P], indices of clips.

    Returns:
        Number of pairs whose channel's returns differ, the share of them in which the model
        prefers the same clip, and the ends of its 95 % Wilson interval over pairs; NaN without
        such pairs.
    """
    left, right = pairs[:, paid[pairs[0]] != paid[pairs[1]]]
    same = (given[left] > given[right]) == (paid[left] > paid[right])
    if not len(same):
        return 0, float("nan"), float("nan"), float("nan")
    share, low, high = wilson_interval(int(same.sum()), len(same))
    return len(same), share, low, high


def next_state_epic(given: NDArray[np.float64], paid: NDArray[np.float64]) -> float:
    """√((1 − ρ)/2) of two rewards of the same steps; NaN where one of them is constant."""
    if min(given.std(), paid.std()) == 0:
        return float("nan")
    rho = float(np.corrcoef(given.ravel(), paid.ravel())[0, 1])
    return float(np.sqrt(max(0.0, 1 - rho) / 2))


def _heat_map(model: RewardModel, how: str, seed: int, path: Path) -> Path:
    """Draw what the model gives for standing on every cell of a training and a shifted level."""
    from proxylab.plots.reward_map import PanelOfRewards, reward_map  # matplotlib is slow to load

    if path.suffix not in (".png", ".svg"):
        raise UsageError(f"{path}: a figure's name ends in .png or .svg")
    panels = []
    for split in ("train", "shifted"):
        env = known_task(model.spec.task).make_env(1, **model.spec.env)
        if split not in env.splits:
            continue
        chosen = stream_seed(seed, f"map {split}")
        env.reset_levels(env.sample_level_seeds(Levels(split), 1, chosen), np.array([0]))
        picture, text = env.render_rgb(0), env.level_text(0)
        cells, rewards = cell_rewards(model, env, how)
        panels.append(PanelOfRewards(split, picture, text, cells, rewards))
    figure = reward_map(panels, f"Reward for standing on a cell ({how} of {model.spec.members})")
    with whole_file(path) as temporary:
        figure.savefig(temporary, format=path.suffix[1:], dpi=150)
    return path


def cell_rewards(
    model: RewardModel, env: BatchedEnv[Any], how: str = "mean"
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """(int64[N, 2] cells, float32[N] rewards) with the agent on each cell of the level of ``env``.

    Raises:
        UsageError: the task has no cells, or the model reads actions.
    """
    if model.spec.num_actions:
        raise UsageError("a reward that depends on the action has no map of cells")

    def ask(at: BatchedEnv[Any], indices: NDArray[np.int64]) -> list[NDArray[Any]]:
        return [combine(model.rewards(at.observe()[indices]), how)]

    cells, (rewards,) = at_every_cell(env, ask)
    return cells, rewards
