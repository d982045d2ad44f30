"""Actor-critic networks: the closed registry of architectures an agent may have.

Each is a trunk, ``float32[K, ...] -> float32[K, features]``, with two linear heads.
"""

import math
from itertools import pairwise

import torch
from torch import nn
from torch.nn import functional as F

from proxylab.networks.value_iteration import READINGS, ReadValues, read_values_torch


class ValueIterationNet(nn.Module):
    """A trunk for grid mazes that plans to goals it has to learn.

    Every cell's source strength is a learnt function of what lies there (``look``, from
    the planes) and of where it is (``place``, one number per cell and channel). The
    planner (planning.py) spreads the sources through the maze; the mouse reads them where
    it stands. Nothing says what is worth going to: "the cheese" and "the top-right cell"
    are both one weight away, which is what makes it a model of goal misgeneralization.
    """

    def __init__(self, observation_shape, channels=32, width=64, look_scale=1.0):
        """Make the trunk; things weigh ``look_scale`` times, at the start and for learning."""
        super().__init__()
        planes, rows, columns = observation_shape
        if planes != 3 or rows != columns:
            raise ValueError(f"planner takes planes [3, S, S], not {list(observation_shape)}")
        self.num_features = width
        self.look = nn.Linear(planes, channels)
        self.look_scale = look_scale
        self.place = nn.Parameter(torch.randn(rows * columns, channels))
        self.log_cost = nn.Parameter(torch.full((channels,), math.log(0.5)))
        self.hidden = nn.Linear(READINGS * channels, width)

    def forward(self, observations):
        """float32[K, 3, S, S] -> float32[K, width]."""
        planes = observations.flatten(2)
        here = planes[:, 1].argmax(1)
        place, cost = self.place + self.look.bias, self.log_cost.exp()
        read = read_values_torch if observations.is_cuda else ReadValues.apply
        values = read(planes, here, self.look_scale * self.look.weight.T, place, cost)
        here, beside = values[:, :1], values[:, 1:]
        return F.relu(self.hidden(torch.cat([here, (beside - here) / cost], 1).flatten(1)))


class ResidualConv(nn.Module):
    """A trunk for grid mazes without built-in planning: convolutions on the lattice of rooms.

    The first convolution has stride 2, so its outputs are a tree maze's rooms with what
    surrounds each; residual 3×3 convolutions follow.
    """

    def __init__(self, observation_shape, channels=16, blocks=3, width=128):
        super().__init__()
        planes, rows, _ = observation_shape
        self.num_features = width
        self.rooms = nn.Conv2d(planes, channels, 3, stride=2)
        self.blocks = nn.ModuleList(
            nn.Conv2d(channels, channels, 3, padding=1) for _ in range(blocks)
        )
        self.hidden = nn.Linear(channels * ((rows - 1) // 2) ** 2, width)

    def forward(self, observations):
        """float32[K, planes, S, S] -> float32[K, width]."""
        rooms = F.relu(self.rooms(observations))
        for block in self.blocks:
            rooms = rooms + F.relu(block(rooms))
        return F.relu(self.hidden(rooms.flatten(1)))


class MLP(nn.Module):
    """A trunk for vectors or small grids: two tanh towers side by side."""

    def __init__(self, observation_shape, width=64, depth=2):
        super().__init__()
        size = math.prod(observation_shape)
        self.num_features = 2 * width
        self.towers = nn.ModuleList(_tower(size, width, depth) for _ in range(2))

    def forward(self, observations):
        """float32[K, ...] -> float32[K, 2 · width]."""
        flat = observations.flatten(1)
        return torch.cat([tower(flat) for tower in self.towers], 1)


class EgocentricMLP(nn.Module):
    """Two tanh towers on the map as seen from the walker: for grids that are new each time.

    The planes are shifted until the walker (plane 1) stands in the middle; what lies
    outside is 0. So "a step to the right, what is there?" is one input on every map, and
    need not be learnt cell by cell. Any two cells within the border see each other.
    """

    def __init__(self, observation_shape, width=64, depth=2):
        super().__init__()
        planes, rows, columns = observation_shape
        if planes < 2 or min(rows, columns) < 4:
            raise ValueError(f"centred takes planes [P, H, W], not {list(observation_shape)}")
        self.reach = (rows - 3, columns - 3)
        self.num_features = 2 * width
        size = planes * math.prod(2 * reach + 1 for reach in self.reach)
        self.towers = nn.ModuleList(_tower(size, width, depth) for _ in range(2))

    def forward(self, observations):
        """float32[K, P, H, W] -> float32[K, 2 · width]."""
        view = self.view(observations).flatten(1)
        return torch.cat([tower(view) for tower in self.towers], 1)

    def view(self, observations):
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


def _tower(size, width, depth):
    return _layers([size] + [width] * depth, nn.Tanh)


def _layers(sizes, activation):
    """Linear layers from each size to the next, each with an activation behind it."""
    layers = []
    for before, after in pairwise(sizes):
        layers += [nn.Linear(before, after), activation()]
    return nn.Sequential(*layers)


class SeparateMLPs(nn.Module):
    """Two multilayer perceptrons side by side, for policy and value: SB3's ``MlpPolicy``.

    The features are those of both; a head that reads one of them has zeros for the other
    (``proxylab.agents.import_sb3`` puts them there).
    """

    activation: type[nn.Module] = nn.Tanh

    def __init__(self, observation_shape, policy=(64, 64), value=(64, 64)):
        """Make the trunk; ``policy`` and ``value`` are the widths of their hidden layers."""
        super().__init__()
        size = math.prod(observation_shape)
        self.policy = _layers([size, *policy], self.activation)
        self.value = _layers([size, *value], self.activation)
        self.num_features = [size, *policy][-1] + [size, *value][-1]

    def forward(self, observations):
        """float32[K, ...] -> float32[K, last policy width + last value width]."""
        flat = observations.flatten(1)
        return torch.cat([self.policy(flat), self.value(flat)], 1)


class SeparateReluMLPs(SeparateMLPs):
    """The same with rectifiers."""

    activation = nn.ReLU


class Impala(nn.Module):
    """A trunk for pictures uint8[3, H, W]: three stages of convolution, pooling and residuals.

    The deep network of Espeholt et al. 2018, "IMPALA" (arXiv 1802.01561, figure 3), as
    Procgen's paper uses it (arXiv 1912.01588). Meant for a GPU.
    """

    def __init__(self, observation_shape, channels=(16, 32, 32), width=256):
        super().__init__()
        planes, rows, columns = observation_shape
        stages = []
        for count in channels:
            stages.append(_stage(planes, count))
            planes, rows, columns = count, -(-rows // 2), -(-columns // 2)
        self.num_features = width
        self.stages = nn.Sequential(*stages)
        self.hidden = nn.Linear(planes * rows * columns, width)

    def forward(self, observations):
        """float32[K, 3, H, W] in 0 to 255 -> float32[K, width]."""
        return F.relu(self.hidden(F.relu(self.stages(observations / 255)).flatten(1)))


def _stage(planes, channels):
    convolution = nn.Conv2d(planes, channels, 3, padding=1)
    pooling = nn.MaxPool2d(3, stride=2, padding=1)
    return nn.Sequential(convolution, pooling, Residual(channels), Residual(channels))


class Residual(nn.Module):
    """Two 3×3 convolutions beside the identity, each after a rectifier."""

    def __init__(self, channels):
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, features):
        """float32[K, C, H, W] -> float32[K, C, H, W]."""
        return features + self.second(F.relu(self.first(F.relu(features))))


ARCHITECTURES = {
    "impala": Impala,
    "planner": ValueIterationNet,
    "lattice-conv": ResidualConv,
    "towers": MLP,
    "centred": EgocentricMLP,
    "mlp-tanh": SeparateMLPs,
    "mlp-relu": SeparateReluMLPs,
}


class ActorCritic(nn.Module):
    """A trunk with a policy head and a value head."""

    def __init__(self, trunk, num_actions):
        super().__init__()
        self.trunk = trunk
        self.policy_head = nn.Linear(trunk.num_features, num_actions)
        self.value_head = nn.Linear(trunk.num_features, 1)

    def forward(self, observations):
        """Observations [K, ...] -> (logits float32[K, num_actions], values float32[K])."""
        features = self.trunk(observations.float())
        return self.policy_head(features), self.value_head(features).squeeze(1)


def build_trunk(architecture, observation_shape, **sizes):
    """A trunk of the registry; ``ValueError`` says which name or size is wrong."""
    if architecture not in ARCHITECTURES:
        raise ValueError(
            f"unknown architecture {architecture!r}: choose {', '.join(ARCHITECTURES)}"
        )
    try:
        return ARCHITECTURES[architecture](tuple(observation_shape), **sizes)
    except TypeError as error:
        raise ValueError(f"architecture {architecture}: {error}") from None


def build_network(architecture, observation_shape, num_actions, **sizes):
    """An :class:`ActorCritic` with fresh weights."""
    return ActorCritic(build_trunk(architecture, observation_shape, **sizes), num_actions)
