"""Reward models: ensembles of small networks that pay for observations, and their files.

A model is stored like an agent: ``reward.json`` (specification) beside ``reward.safetensors``
(weights), without code, read under the same limits.
"""

import hashlib
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save as serialise_safetensors

from proxylab.agents.format import (
    OBSERVATION_DTYPES,
    TEXT_CHARACTERS,
    check_sha256,
    fields_of,
    loaded_weights,
    read_json,
    read_weights,
    require,
    stored_weights,
    weights_sha256,
)
from proxylab.agents.zoo import ZOO
from proxylab.errors import AgentError, UsageError
from proxylab.rewards.cells import MOST_PLANES, cell_flags, cell_rows, flag_count
from proxylab.storage.limits import LIMITS
from proxylab.storage.store import write_json
from proxylab.storage.whole_files import whole_file
from proxylab.tasks import TASKS

SCHEMA = "proxylab.reward-model/1"
JSON_NAME, WEIGHTS_NAME = "reward.json", "reward.safetensors"
MOST_MEMBERS = 64

MLP, CELLS = "mlp", "cells"
ARCHITECTURES = (MLP, CELLS)
"""A network of the whole observation, or one of each cell; see ``rewards.cells``."""

COMBINATIONS = ("mean", "min", "uwo", "member")
"""How the members' rewards become one; see :func:`parse_combination`."""


@dataclass(frozen=True)
class RewardSpec:
    """The specification of a reward model, without its weights.

    Attributes:
        task: task of the clips that it was fitted to.
        env: env_kwargs of the environment.
        observation_shape: shape of one observation.
        observation_dtype: ``uint8`` or ``float32``.
        num_actions: number of actions if it reads the action of a step, else 0.
        widths: of the hidden layers.
        members: networks of the ensemble.
        clip_length: steps of the clips.
        offset: mean of each member's reward on the reference states.
        scale: standard deviation of each member's reward on them.
        architecture: one of :data:`ARCHITECTURES`.
        training: facts about the fit.
    """

    task: str
    env: dict[str, Any]
    observation_shape: tuple[int, ...]
    observation_dtype: str
    num_actions: int
    widths: tuple[int, ...]
    members: int
    clip_length: int
    offset: tuple[float, ...]
    scale: tuple[float, ...]
    architecture: str = MLP
    training: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Check every field; ``AgentError`` names the invalid one."""
        short = isinstance(self.task, str) and len(self.task) <= TEXT_CHARACTERS
        require(short, "task", "a short text")
        require(isinstance(self.env, dict), "env", "an object")
        for name, least, most in (
            ("num_actions", 0, LIMITS.size),
            ("members", 1, MOST_MEMBERS),
            ("clip_length", 1, LIMITS.size),
        ):
            require(
                _is_count(getattr(self, name), least, most), name, f"between {least} and {most}"
            )
        for name, most in (("observation_shape", 4), ("widths", LIMITS.depth)):
            values = getattr(self, name)
            fits = isinstance(values, (list, tuple)) and len(values) <= most
            counts = fits and all(_is_count(n, 1, LIMITS.size) for n in values)
            require(counts, name, "a short list of counts")
            object.__setattr__(self, name, tuple(values))
        known = OBSERVATION_DTYPES
        require(self.observation_dtype in known, "observation_dtype", " or ".join(known))
        for name in ("offset", "scale"):
            values = getattr(self, name)
            fits = isinstance(values, (list, tuple)) and len(values) == self.members
            numbers = fits and all(_is_finite(value) for value in values)
            require(numbers, name, "a number for each member")
            object.__setattr__(self, name, tuple(map(float, values)))
        require(all(value > 0 for value in self.scale), "scale", "positive")
        require(isinstance(self.training, dict), "training", "an object")
        known = self.architecture in ARCHITECTURES
        require(known, "architecture", " or ".join(ARCHITECTURES))
        if self.architecture == CELLS:
            shape = self.observation_shape
            planes = len(shape) == 3 and shape[0] <= MOST_PLANES and not self.num_actions
            require(planes, "observation_shape", f"up to {MOST_PLANES} planes, without actions")
            require(flag_count(shape) <= LIMITS.size, "observation_shape", "fewer cells")

    @property
    def sizes(self) -> list[int]:
        """Width of the network's input, of every hidden layer and of the output."""
        if self.architecture == CELLS:
            return [self.observation_shape[0] + 2, *self.widths, 1]
        return [self.num_inputs, *self.widths, 1]

    @property
    def num_inputs(self) -> int:
        """Length I of what :func:`inputs` gives for an observation."""
        if self.architecture == CELLS:
            return flag_count(self.observation_shape)
        return math.prod(self.observation_shape) + self.num_actions

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """{name: shape} of the weights."""
        shapes: dict[str, tuple[int, ...]] = {}
        for layer, (before, after) in enumerate(zip(self.sizes, self.sizes[1:], strict=False)):
            shapes[f"layer{layer}.weight"] = (self.members, before, after)
            shapes[f"layer{layer}.bias"] = (self.members, after)
        return shapes


def _is_count(value: object, least: int, most: int) -> bool:
    return type(value) is int and least <= value <= most


def _is_finite(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


class RewardModel:
    """An ensemble of M networks that give a reward to a step, from what is observed after it.

    Attributes:
        spec: the :class:`RewardSpec`.
        weights: {name: float32 array} as in :meth:`RewardSpec.shapes`.
        name: for messages.
        sha256: of the weights and of the offsets and scales.
    """

    def __init__(
        self, spec: RewardSpec, weights: Mapping[str, NDArray[np.float32]], name: str = "model"
    ) -> None:
        """Check the shapes of the weights; ``AgentError`` names the one that does not fit."""
        for key, shape in spec.shapes().items():
            if key not in weights or weights[key].shape != shape:
                raise AgentError(f"{name}: {key} is missing or not {list(shape)}")
        if len(weights) != len(spec.shapes()):
            raise AgentError(f"{name}: there are weights of no layer")
        self.spec, self.weights, self.name = spec, dict(weights), name
        standard = repr((spec.offset, spec.scale)).encode()
        self.sha256 = hashlib.sha256(weights_sha256(weights).encode() + standard).hexdigest()
        self._first = np.ascontiguousarray(weights["layer0.weight"].transpose(1, 0, 2))
        self._of_flags = (
            self._network(cell_rows(spec.observation_shape)) if spec.architecture == CELLS else None
        )
        self._offset = np.array(spec.offset, np.float32)[:, None]
        self._scale = np.array(spec.scale, np.float32)[:, None]

    def rewards(
        self, observations: NDArray[Any], actions: NDArray[np.integer] | None = None
    ) -> NDArray[np.float32]:
        """float32[M, K]: the standardised reward of each member.

        Args:
            observations: [K, ...], after the step.
            actions: int[K], of the step, where the model reads them; negative after the end of
                an episode.
        """
        rows = inputs(self.spec, observations, actions)
        return (self.raw(rows) - self._offset) / self._scale

    def raw(self, rows: NDArray[np.float32]) -> NDArray[np.float32]:
        """float32[M, K]: rewards before they are standardised, of inputs float32[K, I]."""
        return self._network(rows) if self._of_flags is None else self._of_flags @ rows.T

    def _network(self, rows: NDArray[np.float32]) -> NDArray[np.float32]:
        """float32[M, K]: each member's network on its inputs float32[K, sizes[0]]."""
        members, width = self.spec.members, self.spec.sizes[1]
        flat = rows @ self._first.reshape(len(self._first), -1)  # one product for all members
        layer = flat.reshape(-1, members, width).transpose(1, 0, 2)
        layer = layer + self.weights["layer0.bias"][:, None]
        for number in range(1, len(self.spec.sizes) - 1):
            layer = np.tanh(layer) @ self.weights[f"layer{number}.weight"]
            layer += self.weights[f"layer{number}.bias"][:, None]
        return layer[:, :, 0]


def inputs(
    spec: RewardSpec, observations: NDArray[Any], actions: NDArray[np.integer] | None
) -> NDArray[np.float32]:
    """float32[K, I]: flat observations, and the action as one of ``num_actions`` flags.

    For a network of each cell the flags of its combination of planes.
    """
    if spec.architecture == CELLS:
        return cell_flags(observations)
    rows = observations.reshape(len(observations), -1).astype(np.float32, copy=False)
    if not spec.num_actions:
        return rows
    if actions is None:
        raise UsageError("this reward model reads actions")
    flags = (actions[:, None] == np.arange(spec.num_actions)).astype(np.float32)
    return np.concatenate([rows, flags], 1)


def parse_combination(text: str) -> tuple[str, float]:
    """(kind, number) of ``mean``, ``min``, ``uwo:λ`` or ``member:i``.

    ``mean`` is the mean over members; ``min`` the worst case ("WCO") and ``uwo`` the mean minus
    λ times the variance, Coste et al. 2023, arXiv 2310.02743, section 3; ``member`` is one model.

    Raises:
        UsageError: another text.
    """
    kind, _, number = text.partition(":")
    takes = kind in ("uwo", "member")
    try:
        value = float(number or 0)
    except ValueError:
        value = math.nan
    whole = kind != "member" or value % 1 == 0
    if kind not in COMBINATIONS or takes != bool(number) or not (0 <= value < math.inf and whole):
        raise UsageError(f"{text!r}: choose mean, min, uwo:<weight> or member:<number>")
    return kind, value


def combine(rewards: NDArray[np.float32], how: str) -> NDArray[np.float32]:
    """float32[K]: one reward of the members' float32[M, K]; see :func:`parse_combination`."""
    kind, value = parse_combination(how)
    if kind == "min":
        return rewards.min(0)
    if kind == "member":
        if value >= len(rewards):
            raise UsageError(f"{how}: the model has {len(rewards)} members")
        return rewards[int(value)]
    mean = rewards.mean(0)
    return mean - np.float32(value) * rewards.var(0) if kind == "uwo" else mean


def save_model(model: RewardModel, folder: str | Path) -> Path:
    """Write a reward model into ``folder``, which is created if missing."""
    folder = Path(folder)
    stored = stored_weights(model.weights)
    with whole_file(folder / WEIGHTS_NAME) as temporary:
        temporary.write_bytes(serialise_safetensors(stored))
    record = {"schema": SCHEMA, **asdict(model.spec), "sha256": weights_sha256(stored)}
    write_json(folder / JSON_NAME, record)
    return folder


def load_model(path: str | Path) -> RewardModel:
    """Read a reward model from its folder, either of its files, or ``zoo:TASK/NAME``.

    Raises:
        AgentError: no such model, or a file is missing, damaged, modified or over a limit.
    """
    folder = _folder_of(str(path))
    if folder.name in (JSON_NAME, WEIGHTS_NAME):
        folder = folder.parent
    record = {"architecture": MLP, **read_json(folder / JSON_NAME, SCHEMA)}  # older files
    try:
        spec = RewardSpec(**fields_of(record, RewardSpec))
    except AgentError as error:
        raise AgentError(f"{folder / JSON_NAME}: {error}") from None
    weights = read_weights(folder / WEIGHTS_NAME)
    check_sha256(weights, record.get("sha256"), folder / WEIGHTS_NAME)
    return RewardModel(spec, loaded_weights(weights, folder / WEIGHTS_NAME), str(folder))


SHIPPED = "zoo:"


def _folder_of(text: str) -> Path:
    """The folder, or the file, that a reference names."""
    if not text.startswith(SHIPPED):
        return Path(text)
    task, _, name = text.removeprefix(SHIPPED).partition("/")
    known = shipped_names(task)
    if name not in known:
        named = f"that of {task} has {', '.join(known)}" if known else f"{task} has none"
        raise AgentError(f"{text}: no such reward model in the zoo; {named}")
    return shipped_folder(task) / name


def shipped_folder(task: str) -> Path:
    """Folder of the shipped reward models of a task."""
    return ZOO / task / "rewards"


def shipped_names(task: str) -> list[str]:
    """Names of the shipped reward models of a task, sorted."""
    return [f.name for f in model_folders(shipped_folder(task))] if task in TASKS else []


def model_folders(root: str | Path) -> list[Path]:
    """Folders of the reward models below ``root``, sorted."""
    return sorted(path.parent for path in Path(root).glob(f"**/{JSON_NAME}"))
