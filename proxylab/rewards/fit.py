"""Fit a reward model to preferences: Bradley-Terry on the sums of clips.

The probability that the left clip is preferred is σ(Σ r(left) − Σ r(right)) (Bradley and Terry
1952; Christiano et al. 2017, arXiv 1706.03741, equation 1). All members of the ensemble are
fitted at once; each has its own initial weights and its own order of pairs, and keeps the weights
of the epoch in which its loss on a held-out tenth was least.
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import torch
from gymnasium import spaces
from numpy.typing import NDArray
from torch.nn import functional as F

from proxylab.errors import UsageError
from proxylab.rewards.cells import are_planes, cell_rows
from proxylab.rewards.clips import Clips, record_clips
from proxylab.rewards.model import ARCHITECTURES, CELLS, MLP, RewardModel, RewardSpec, inputs
from proxylab.rewards.preferences import Preferences
from proxylab.rollouts.rollout import Policy
from proxylab.rollouts.thread_map import one_network_thread
from proxylab.seeds import stream_seed
from proxylab.tasks import known_task

HELD_OUT = 10
"""One of so many answers is held out."""

CLIPS_AT_ONCE = 512


@dataclass(frozen=True)
class FitConfig:
    """How a reward model is fitted.

    Attributes:
        members: networks of the ensemble.
        widths: of their hidden layers (tanh).
        learning_rate: of AdamW.
        weight_decay: of AdamW.
        batch_size: pairs of a step.
        epochs: passes over the pairs, at most.
        most_pairs: comparisons in all epochs together, at most; at least :attr:`least_epochs`
            passes are made.
        least_epochs: passes over the pairs, at least.
        patience: epochs without a lower loss on the held-out answers before the fit stops.
        reads_actions: whether the reward depends on the action as well.
        architecture: ``mlp``, a network of the whole observation; or ``cells``, one of each cell,
            which few planes of 0 and 1 have by default.
        seed: of initial weights and orders.
    """

    members: int = 5
    widths: tuple[int, ...] = (64, 64)
    learning_rate: float = 1e-3
    weight_decay: float = 0.01
    batch_size: int = 64
    epochs: int = 30
    most_pairs: int = 60_000
    least_epochs: int = 4
    patience: int = 5
    reads_actions: bool = False
    architecture: str | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        """``UsageError`` for a value out of range."""
        for name in ("members", "batch_size", "epochs", "most_pairs", "least_epochs", "patience"):
            if getattr(self, name) < 1:
                raise UsageError(f"{name} {getattr(self, name)} is less than 1")
        if not self.learning_rate > 0 or not self.weight_decay >= 0:
            raise UsageError("learning_rate and weight_decay are positive")
        if self.architecture not in (None, *ARCHITECTURES):
            known = " or ".join(ARCHITECTURES)
            raise UsageError(f"architecture {self.architecture!r}: choose {known}")

    def passes(self, pairs: int) -> int:
        """Epochs for a number of pairs."""
        return min(self.epochs, max(self.least_epochs, self.most_pairs // pairs))


class Data(NamedTuple):
    """Pairs as tensors: inputs float32[N, T, I] of the clips, and targets.

    Where the reward is linear in the inputs T is 1: they are summed over the steps.
    """

    states: torch.Tensor
    left: torch.Tensor
    right: torch.Tensor
    target: torch.Tensor


def fit(
    preferences: Preferences,
    config: FitConfig | None = None,
    *,
    reference: Policy | None = None,
) -> RewardModel:
    """Fit a reward model.

    Args:
        preferences: the answers; those that say nothing are left out.
        config: how; the defaults of :class:`FitConfig` if None.
        reference: policy on whose states the rewards have mean 0 and standard deviation 1;
            by default those of the clips.

    Returns:
        :class:`~proxylab.rewards.model.RewardModel`.

    Raises:
        UsageError: fewer than 10 usable answers.
    """
    config = config or FitConfig()
    usable = preferences.usable()
    if len(usable) < HELD_OUT:
        raise UsageError(f"{len(usable)} answers are too few: a reward model needs {HELD_OUT}")
    spec = _spec(usable.clips, config)
    with one_network_thread(load_torch=True):
        weights, facts = _fitted(spec, usable, config)
    unscaled = RewardModel(spec, weights)
    states = usable.clips if reference is None else _states_of(reference, usable.clips, config.seed)
    offset, scale = _standard(unscaled, states)
    spec = replace(spec, offset=tuple(offset), scale=tuple(scale), training=facts)
    return RewardModel(spec, weights)


def _spec(clips: Clips, config: FitConfig) -> RewardSpec:
    env = known_task(clips.task).make_env(1, **clips.env)
    space = env.single_observation_space
    if space.shape != clips.observations.shape[2:] or space.dtype != clips.observations.dtype:
        raise UsageError(f"the observations of the clips are not those of {clips.task}")
    return RewardSpec(
        task=clips.task,
        env=clips.env,
        observation_shape=space.shape,
        observation_dtype=str(space.dtype),
        num_actions=int(env.single_action_space.n) if config.reads_actions else 0,
        widths=config.widths,
        members=config.members,
        clip_length=clips.length,
        offset=(0.0,) * config.members,
        scale=(1.0,) * config.members,
        architecture=_architecture(space, config),
    )


def _architecture(space: spaces.Space[Any], config: FitConfig) -> str:
    """The architecture for observations: that of ``config``, if it names one."""
    box = isinstance(space, spaces.Box)
    high = float(space.high.max()) if box else np.inf
    planes = box and are_planes(space.shape, str(space.dtype), high)
    possible = planes and not config.reads_actions
    if config.architecture == CELLS and not possible:
        raise UsageError("architecture cells: observations are few planes, without actions")
    return config.architecture or (CELLS if possible else MLP)


def _states_of(reference: Policy, clips: Clips, seed: int) -> Clips:
    """Clips of the reference policy, as many as were compared."""
    own = stream_seed(seed, "reference")
    kwargs: dict[str, Any] = {"length": clips.length, "env_kwargs": clips.env, "seed": own}
    return record_clips([reference], clips.task, count=min(len(clips), CLIPS_AT_ONCE), **kwargs)[0]


def _standard(model: RewardModel, clips: Clips) -> tuple[list[float], list[float]]:
    """Mean and standard deviation of each member's reward on the states of clips."""
    size = model.spec.num_inputs
    parts = [
        model.raw(clip_inputs(model.spec, some).reshape(-1, size)) for some in _some_at_once(clips)
    ]
    rewards = np.concatenate(parts, 1, dtype=np.float64)
    return rewards.mean(1).tolist(), np.maximum(rewards.std(1), 1e-6).tolist()


def _some_at_once(clips: Clips) -> Iterable[Clips]:
    """Clips in parts, whose inputs fit in memory."""
    for start in range(0, len(clips), CLIPS_AT_ONCE):
        yield clips.select(np.arange(start, min(start + CLIPS_AT_ONCE, len(clips))))


def clip_inputs(spec: RewardSpec, clips: Clips) -> NDArray[np.float32]:
    """float32[N, T, I]: the inputs of a model at every step of clips."""
    count, length = clips.actions.shape
    return inputs(spec, clips.states, clips.actions.ravel()).reshape(count, length, -1)


def _fitted(
    spec: RewardSpec, usable: Preferences, config: FitConfig
) -> tuple[dict[str, NDArray[np.float32]], dict[str, Any]]:
    """Weights of all members, and facts about the fit."""
    data = _data(spec, usable)
    order = np.random.default_rng(stream_seed(config.seed, "held out")).permutation(len(usable))
    held, train = np.split(order, [max(1, len(order) // HELD_OUT)])
    weights = initial_weights(spec, config.seed)
    parameters = list(weights.values())
    optimiser = torch.optim.AdamW(
        parameters, lr=config.learning_rate, weight_decay=config.weight_decay
    )
    best = _Best(weights, config.members)
    rewards = _network_of(spec)
    draws = np.random.default_rng(stream_seed(config.seed, "order"))
    for epoch in range(config.passes(len(train))):
        for batch in _batches(train, config, draws):
            optimiser.zero_grad()
            _loss(rewards, weights, data, batch).sum().backward()
            optimiser.step()
        with torch.no_grad():
            everyone = np.tile(held, (config.members, 1))
            best.see(epoch, weights, _loss(rewards, weights, data, everyone))
        if epoch - best.epoch.max() >= config.patience:
            break
    kept = {name: tensor.numpy() for name, tensor in best.weights.items()}
    accuracy = float(accuracies(RewardModel(spec, kept), usable.select(held)).mean())
    facts = {
        "answers": len(usable),
        "held_out_loss": [round(float(loss), 4) for loss in best.loss],
        "held_out_accuracy": None if math.isnan(accuracy) else round(accuracy, 4),
        "epochs": [int(epoch) + 1 for epoch in best.epoch],
        **asdict(config),
        "widths": list(config.widths),
    }
    return kept, facts


def _data(spec: RewardSpec, usable: Preferences) -> Data:
    states = torch.from_numpy(_summed(spec, usable.clips))
    sides = (torch.from_numpy(side) for side in (usable.left, usable.right))
    return Data(states, *sides, torch.from_numpy(usable.targets()))


def _summed(spec: RewardSpec, clips: Clips) -> NDArray[np.float32]:
    """float32[N, T, I]: the inputs of clips; flags of cells summed over the steps, T = 1."""
    if spec.architecture == MLP:
        return clip_inputs(spec, clips)
    parts = [clip_inputs(spec, some).sum(1, keepdims=True) for some in _some_at_once(clips)]
    return np.concatenate(parts)


def _batches(
    train: NDArray[np.int64], config: FitConfig, rng: np.random.Generator
) -> Iterable[NDArray[np.int64]]:
    """int64[M, B]: for each member pairs of its own order; the last batch may be smaller."""
    orders = np.stack([rng.permutation(train) for _ in range(config.members)])
    for start in range(0, len(train), config.batch_size):
        yield orders[:, start : start + config.batch_size]


def initial_weights(spec: RewardSpec, seed: int) -> dict[str, torch.Tensor]:
    """Uniform within ±1/√inputs, as torch's linear layers; a generator of its own."""
    generator = torch.Generator().manual_seed(stream_seed(seed, "reward model") % 2**63)
    weights = {}
    for name, shape in spec.shapes().items():
        layer = int(name.removeprefix("layer").split(".")[0])
        bound = 1 / math.sqrt(spec.sizes[layer])
        uniform = torch.rand(shape, generator=generator)
        weights[name] = ((2 * uniform - 1) * bound).requires_grad_()
    return weights


Network = Callable[[dict[str, torch.Tensor], torch.Tensor], torch.Tensor]
"""function (weights, inputs float32[M, K, I]) -> rewards float32[M, K]."""


def _network_of(spec: RewardSpec) -> Network:
    """The function of an architecture."""
    if spec.architecture == MLP:
        return network
    rows = torch.from_numpy(cell_rows(spec.observation_shape)).expand(spec.members, -1, -1)

    def of_flags(weights: dict[str, torch.Tensor], flags: torch.Tensor) -> torch.Tensor:
        return (flags @ network(weights, rows)[:, :, None])[:, :, 0]

    return of_flags


def _loss(
    network: Network, weights: dict[str, torch.Tensor], data: Data, pairs: NDArray[np.int64]
) -> torch.Tensor:
    """float32[M]: mean cross entropy of each member on its pairs (int64[M, B])."""
    chosen = torch.from_numpy(np.ascontiguousarray(pairs))
    members, count = chosen.shape
    clips = torch.stack([data.left[chosen], data.right[chosen]], 1)  # [M, 2, B]
    states = data.states[clips]  # [M, 2, B, T, I]
    rewards = network(weights, states.flatten(1, 3)).reshape(members, 2, count, -1)
    returns = rewards.sum(-1)
    logits = returns[:, 0] - returns[:, 1]
    target = data.target[chosen]
    return F.binary_cross_entropy_with_logits(logits, target, reduction="none").mean(1)


def network(weights: dict[str, torch.Tensor], rows: torch.Tensor) -> torch.Tensor:
    """float32[M, K]: rewards of inputs float32[M, K, I], before they are standardised."""
    layers = len(weights) // 2
    for number in range(layers):
        rows = torch.baddbmm(
            weights[f"layer{number}.bias"][:, None], rows, weights[f"layer{number}.weight"]
        )
        if number < layers - 1:
            rows = torch.tanh(rows)
    return rows[:, :, 0]


class _Best:
    """Each member's weights at its least loss on the held-out answers."""

    def __init__(self, weights: dict[str, torch.Tensor], members: int) -> None:
        self.weights = {name: tensor.detach().clone() for name, tensor in weights.items()}
        self.loss = np.full(members, np.inf)
        self.epoch = np.zeros(members, int)

    def see(self, epoch: int, weights: dict[str, torch.Tensor], loss: torch.Tensor) -> None:
        for member in np.flatnonzero(loss.numpy() < self.loss):
            self.loss[member], self.epoch[member] = float(loss[member]), epoch
            for name, tensor in weights.items():
                self.weights[name][member] = tensor.detach()[member]


def clip_rewards(model: RewardModel, clips: Clips) -> NDArray[np.float32]:
    """float32[M, N, T]: each member's standardised reward of every step of clips."""
    return model.rewards(clips.states, clips.actions.ravel()).reshape(-1, *clips.actions.shape)


def clip_returns(model: RewardModel, clips: Clips) -> NDArray[np.float32]:
    """float32[M, N]: each member's standardised return of each clip."""
    return clip_rewards(model, clips).sum(2)


def accuracies(model: RewardModel, preferences: Preferences) -> NDArray[np.float64]:
    """float64[M]: share of answers left or right in which each member prefers the same clip.

    NaN where there is no such answer.
    """
    decided = preferences.select(np.flatnonzero(np.isin(preferences.answer, ("left", "right"))))
    if not len(decided):
        return np.full(model.spec.members, np.nan)
    returns = clip_returns(model, decided.clips)
    right = (returns[:, decided.left] > returns[:, decided.right]) == (decided.answer == "left")
    return right.mean(1)
