"""Actor-critic networks: the closed registry of architectures.

Each network is a trunk, ``float32[K, ...] -> float32[K, features]``, with two linear heads.
"""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from proxylab.networks.value_iteration import READINGS, ReadValues, read_values_torch


class NetworkTrunk(nn.Module):
    """Maps observations ``float32[K, ...]`` to features ``float32[K, num_features]``.

    Attributes:
        num_features: length of a feature row.
    """

    num_features: int


class ValueIterationNet(NetworkTrunk):
    """A trunk for grid mazes with exact value iteration towards learnt goals.

    The source strength of a cell is a learnt function of the objects in the cell (``look``,
    the object weights, from the planes) and of its position (``place``, the position weights,
    one number per cell and channel). Value iteration (``value_iteration.py``) propagates the
    sources through the maze; the network reads the values at the mouse and beside it. The
    architecture prescribes no goal: "the cheese" and "the top-right cell" each take a single
    weight, which makes it a model of goal misgeneralization.
    """

    def __init__(
        self,
        observation_shape: Sequence[int],
        channels: int = 32,
        width: int = 64,
        look_scale: float = 1.0,
    ) -> None:
        """Make the trunk; ``look_scale`` multiplies the object weights, also their gradients."""
        super().__init__()
        planes, rows, columns = observation_shape
        if planes != 3 or rows != columns:
            raise ValueError(
                f"value-iteration takes planes [3, S, S], not {list(observation_shape)}"
            )
        self.num_features = width
        self.look = nn.Linear(planes, channels)
        self.look_scale = look_scale
        self.place = nn.Parameter(torch.randn(rows * columns, channels))
        self.log_cost = nn.Parameter(torch.full((channels,), math.log(0.5)))
        self.hidden = nn.Linear(READINGS * channels, width)

    def forward(self, observations: torch.Tensor) -> torch.Tensor:
        """float32[K, 3, S, S] -> float32[K, width]."""
        planes = observations.flatten(2)
        here = planes[:, 1].argmax(1)
        place, cost = self.place + self.look.bias, self.log_cost.exp()
        read = read_values_torch if observations.is_cuda else ReadValues.apply
        values = read(planes, here, self.look_scale * self.look.weight.T, place, cost)
        here, beside = values[:, :1], values[:, 1:]
        return F.relu(self.hidden(torch.cat([here, (beside - here) / cost], 1).flatten(1)))


class ResidualConv(NetworkTrunk):
    """A trunk for grid mazes without built-in planning: convolutions on the lattice of rooms.

    The first convolution has stride 2: each output covers one room of a tree maze and the
    cells around it. Residual 3×3 convolutions follow.
    """

    def __init__(
        self,
        observation_shape: Sequence[int],
        channels: int = 16,
        blocks: int = 3,
        width: int = 128,
    ) -> None:
        super().__init__()
        planes, rows, _ = observation_shape
        self.num_features = width
        self.rooms = nn.Conv2d(planes, channels, 3, stride=2)
        self.blocks = nn.ModuleList(
            nn.Conv2d(channels, channels, 3, padding=1) for _ in range(blocks)
        )
        self.hidden = nn.Linear(channels * ((rows - 1) // 2) ** 2, width)

    def forward(self, observations: torch.Tensor) -> torch.Tensor:
        """float32[K, planes, S, S] -> float32[K, width]."""
        rooms = F.relu(self.rooms(observations))
        for block in self.blocks:
            rooms = rooms + F.relu(block(rooms))
        return F.relu(self.hidden(rooms.flatten(1)))


class MLP(NetworkTrunk):
    """A trunk for vectors or small grids: two tanh MLPs in parallel."""

    def __init__(self, observation_shape: Sequence[int], width: int = 64, depth: int = 2) -> None:
        super().__init__()
        size = math.prod(observation_shape)
        self.num_features = 2 * width
        self.towers = nn.ModuleList(_tower(size, width, depth) for _ in range(2))

    def forward(self, observations: torch.Tensor) -> torch.Tensor:
        """float32[K, ...] -> float32[K, 2 · width]."""
        flat = observations.flatten(1)
        return torch.cat([tower(flat) for tower in self.towers], 1)


class EgocentricMLP(NetworkTrunk):
    """Two tanh MLPs on an egocentric view of the map: for grids generated anew each episode.

    The planes are shifted so that the agent (plane 1) is at the centre; cells outside the map
    are 0. A cell at a fixed offset from the agent is therefore the same input on every map
    and need not be learnt cell by cell. The view covers every cell within the border.
    """

    def __init__(self, observation_shape: Sequence[int], width: int = 64, depth: int = 2) -> None:
        super().__init__()
        planes, rows, columns = observation_shape
        if planes < 2 or min(rows, columns) < 4:
            raise ValueError(
                f"egocentric-mlp takes planes [P, H, W], not {list(observation_shape)}"
            )
        self.reach = (rows - 3, columns - 3)
        self.num_features = 2 * width
        size = planes * math.prod(2 * reach + 1 for reach in self.reach)
        self.towers = nn.ModuleList(_tower(size, width, depth) for _ in range(2))

    def forward(self, observations: torch.Tensor) -> torch.Tensor:
        """float32[K, P, H, W] -> float32[K, 2 · width]."""
        view = self.view(observations).flatten(1)
        return torch.cat([tower(view) for tower in self.towers], 1)

    def view(self, observations: torch.Tensor) -> torch.Tensor:
        """float32[K, P, H, W] -> float32[K, P, 2·(H − 3) + 1, 2·(W − 3) + 1], centred."""
        planes, columns = observations.shape[1], observations.shape[3]
        down, right = self.reach
        here = observations[:, 1].flatten(1).argmax(1)
        rows = (here // columns)[:, None] + torch.arange(2 * down + 1, device=here.device)
        cols = (here % columns)[:, None] + torch.arange(2 * right + 1, device=here.device)
        cells = rows[:, :, None] * (columns + 2 * right) + cols[:, None, :]
        padded = F.pad(observations, (right, right, down, down)).flatten(2)
        seen = padded.gather(2, cells.flatten(1)[:, None].expand(-1, planes, -1))
        return seen.unflatten(2, cells.shape[1:])


def _tower(size: int, width: int, depth: int) -> nn.Sequential:
    return _layers([size] + [width] * depth, nn.Tanh)


def _layers(sizes: Sequence[int], activation: type[nn.Module]) -> nn.Sequential:
    """Linear layers from each size to the next, each followed by an activation."""
    layers: list[nn.Module] = []
    for before, after in pairwise(sizes):
        layers += [nn.Linear(before, after), activation()]
    return nn.Sequential(*layers)


class SeparateMLPs(NetworkTrunk):
    """Two parallel multilayer perceptrons, for policy and value: SB3's ``MlpPolicy``.

    The features of both are concatenated; a head that reads one of them has zero weights for
    the other (set by ``proxylab.agents.import_sb3``).
    """

    activation: type[nn.Module] = nn.Tanh

    def __init__(
        self,
        observation_shape: Sequence[int],
        policy: Sequence[int] = (64, 64),
        value: Sequence[int] = (64, 64),
    ) -> None:
        """Make the trunk; ``policy`` and ``value`` are the widths of their hidden layers."""
        super().__init__()
        size = math.prod(observation_shape)
        self.policy = _layers([size, *policy], self.activation)
        self.value = _layers([size, *value], self.activation)
        self.num_features = [size, *policy][-1] + [size, *value][-1]

    def forward(self, observations: torch.Tensor) -> torch.Tensor:
        """float32[K, ...] -> float32[K, last policy width + last value width]."""
        flat = observations.flatten(1)
        return torch.cat([self.policy(flat), self.value(flat)], 1)


class SeparateReluMLPs(SeparateMLPs):
    """:class:`SeparateMLPs` with rectified linear units."""

    activation: type[nn.Module] = nn.ReLU


class NatureCNN(NetworkTrunk):
    """SB3's ``CnnPolicy``: three convolutions on an image uint8[C, H, W], then separate MLPs.

    The network of Mnih et al. 2015, "Human-level control through deep reinforcement learning",
    Nature 518, methods. With no widths both heads read its features, as in SB3 by default.
    """

    def __init__(
        self,
        observation_shape: Sequence[int],
        width: int = 512,
        policy: Sequence[int] = (),
        value: Sequence[int] = (),
        relu: bool = False,
    ) -> None:
        """Make the trunk.

        Args:
            observation_shape: [C, H, W], at least 36 pixels a side.
            width: number of features of the image.
            policy: widths of the hidden layers before the policy head.
            value: those before the value head.
            relu: whether these are rectified linear units, not tanh.
        """
        super().__init__()
        planes, rows, columns = observation_shape
        layers: list[nn.Module] = []
        for channels, side, stride in ((32, 8, 4), (64, 4, 2), (64, 3, 1)):
            layers += [nn.Conv2d(planes, channels, side, stride=stride), nn.ReLU()]
            planes, rows, columns = channels, *((n - side) // stride + 1 for n in (rows, columns))
        if min(rows, columns) < 1:
            raise ValueError(f"nature-cnn takes images of 36 pixels, not {list(observation_shape)}")
        self.cnn = nn.Sequential(*layers)
        self.linear = nn.Linear(planes * rows * columns, width)
        activation = nn.ReLU if relu else nn.Tanh
        self.policy = _layers([width, *policy], activation)
        self.value = _layers([width, *value], activation)
        self.num_features = [width, *policy][-1] + [width, *value][-1]

    def forward(self, observations: torch.Tensor) -> torch.Tensor:
        """float32[K, C, H, W] in 0 to 255 -> float32[K, last policy width + last value width]."""
        features = F.relu(self.linear(self.cnn(observations / 255).flatten(1)))
        return torch.cat([self.policy(features), self.value(features)], 1)


class Impala(NetworkTrunk):
    """A trunk for images uint8[3, H, W]: three stages of convolution, pooling, residual blocks.

    The deep network of Espeholt et al. 2018, "IMPALA" (arXiv 1802.01561, figure 3), as
    the Procgen paper uses it (arXiv 1912.01588). Feature maps are stored with channels last,
    which doubles the speed of training on a CPU.
    """

    def __init__(
        self,
        observation_shape: Sequence[int],
        channels: Sequence[int] = (16, 32, 32),
        width: int = 256,
    ) -> None:
        super().__init__()
        planes, rows, columns = observation_shape
        stages: list[nn.Module] = []
        for count in channels:
            stages.append(_stage(planes, count))
            planes, rows, columns = count, -(-rows // 2), -(-columns // 2)
        self.num_features = width
        self.stages = nn.Sequential(*stages)
        self.hidden = nn.Linear(planes * rows * columns, width)

    def forward(self, observations: torch.Tensor) -> torch.Tensor:
        """float32[K, 3, H, W] in 0 to 255 -> float32[K, width]."""
        images = (observations / 255).contiguous(memory_format=torch.channels_last)
        return F.relu(self.hidden(F.relu(self.stages(images)).flatten(1)))


def _stage(planes: int, channels: int) -> nn.Sequential:
    convolution = nn.Conv2d(planes, channels, 3, padding=1)
    pooling = nn.MaxPool2d(3, stride=2, padding=1)
    return nn.Sequential(convolution, pooling, Residual(channels), Residual(channels))


class Residual(nn.Module):
    """A residual block: two 3×3 convolutions, each after a ReLU, added to the identity."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """float32[K, C, H, W] -> float32[K, C, H, W]."""
        return features + self.second(F.relu(self.first(F.relu(features))))


ARCHITECTURES: dict[str, type[NetworkTrunk]] = {
    "conv": ResidualConv,
    "mlp": MLP,
    "egocentric-mlp": EgocentricMLP,
    "impala": Impala,
    "value-iteration": ValueIterationNet,
    "mlp-tanh": SeparateMLPs,
    "mlp-relu": SeparateReluMLPs,
    "nature-cnn": NatureCNN,
}


class ActorCritic(nn.Module):
    """A trunk with a policy head and a value head."""

    def __init__(self, trunk: NetworkTrunk, num_actions: int) -> None:
        super().__init__()
        self.trunk = trunk
        self.policy_head = nn.Linear(trunk.num_features, num_actions)
        self.value_head = nn.Linear(trunk.num_features, 1)

    def forward(self, observations: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Observations [K, ...] -> (logits float32[K, num_actions], values float32[K])."""
        features = self.trunk(observations.float())
        return self.policy_head(features), self.value_head(features).squeeze(1)


def build_trunk(architecture: str, observation_shape: Sequence[int], **sizes: Any) -> NetworkTrunk:
    """A trunk of the registry; ``ValueError`` names the wrong name or size."""
    if architecture not in ARCHITECTURES:
        raise ValueError(
            f"unknown architecture {architecture!r}: choose {', '.join(ARCHITECTURES)}"
        )
    try:
        return ARCHITECTURES[architecture](tuple(observation_shape), **sizes)
    except TypeError as error:
        raise ValueError(f"architecture {architecture}: {error}") from None


def build_network(
    architecture: str, observation_shape: Sequence[int], num_actions: int, **sizes: Any
) -> ActorCritic:
    """An :class:`ActorCritic` with newly initialised weights."""
    return ActorCritic(build_trunk(architecture, observation_shape, **sizes), num_actions)
