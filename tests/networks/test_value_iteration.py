"""Value iteration: numba against torch against plain Python, values and gradients."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from proxylab.networks.architectures import ARCHITECTURES, build_network
from proxylab.networks.value_iteration import BLOCKED_STEPS, ReadValues, read_values_torch

CHANNELS = 3
GRIDS = {
    "seed": st.integers(0, 10**6),
    "size": st.integers(4, 9),
    "wall_share": st.sampled_from([0, 0.3, 0.6]),
}


def grids(seed, count, size, wall_share):
    """Random planes [B, 3, S·S] with a free cell each, that cell, and a network's parameters."""
    rng = np.random.default_rng(seed)
    walls = np.ones((count, size, size), np.float32)
    walls[:, 1:-1, 1:-1] = rng.random((count, size - 2, size - 2)) < wall_share
    places = rng.integers(1, size - 1, (count, 2))
    walls[np.arange(count), places[:, 0], places[:, 1]] = 0
    here = places[:, 0] * size + places[:, 1]
    planes = (rng.random((count, 3, size * size)) < 0.1).astype(np.float32)
    planes[:, 0] = walls.reshape(count, -1)
    look = rng.normal(size=(3, CHANNELS)).astype(np.float32)
    place = rng.normal(size=(size * size, CHANNELS)).astype(np.float32)
    cost = rng.uniform(0.1, 1, CHANNELS).astype(np.float32)
    return [torch.from_numpy(array) for array in (planes, here, look, place, cost)]


def plain_values(walls, here, source, cost):
    """v(r) = max over o of s(o) − k·steps(r, o), read here and beside, one grid, one channel."""
    size = len(walls)

    def value(start):
        best, seen, edge, steps = -np.inf, {start}, [start], 0
        while edge:
            best = max([best] + [source[cell] - cost * steps for cell in edge])
            around = {cell + d for cell in edge for d in (-size, size, -1, 1)}
            edge = [cell for cell in around - seen if not walls.flat[cell]]
            seen |= set(edge)
            steps += 1
        return best

    beside = [here + d for d in (-size, size, -1, 1)]
    blocked = value(here) - BLOCKED_STEPS * cost
    return [value(here)] + [blocked if walls.flat[c] else value(c) for c in beside]


@given(**GRIDS)
def test_values_equal_their_definition(seed, size, wall_share):
    planes, here, look, place, cost = grids(seed, 2, size, wall_share)
    found = ReadValues.apply(planes, here, look, place, cost)
    source = (place + planes.transpose(1, 2) @ look).numpy()
    for b in range(2):
        walls = planes[b, 0].numpy().reshape(size, size)
        for c in range(CHANNELS):
            expected = plain_values(walls, int(here[b]), source[b, :, c], float(cost[c]))
            np.testing.assert_allclose(found[b, :, c], expected, atol=1e-4)


@given(**GRIDS)
def test_the_kernel_and_torch_agree_in_values_and_gradients(seed, size, wall_share):
    planes, here, *parameters = grids(seed, 4, size, wall_share)
    results = []
    for read in (ReadValues.apply, read_values_torch):
        inputs = [tensor.clone().requires_grad_() for tensor in parameters]
        values = read(planes, here, *inputs)
        weights = torch.linspace(-1, 2, values.numel()).reshape(values.shape)
        (values * weights).sum().backward()
        results.append([values.detach(), *(tensor.grad for tensor in inputs)])
    for mine, theirs in zip(*results, strict=True):
        torch.testing.assert_close(mine, theirs, atol=1e-3, rtol=1e-4)


@pytest.mark.parametrize("which", [0, 1, 2], ids=["look", "place", "cost"])
def test_gradients_equal_finite_differences(which):
    planes, here, *parameters = grids(3, 1, 7, 0.3)
    weights = torch.linspace(-1, 2, 5 * CHANNELS).reshape(1, 5, CHANNELS)

    def loss(values):
        given = [*parameters[:which], values, *parameters[which + 1 :]]
        return (ReadValues.apply(planes, here, *given) * weights).sum()

    values = parameters[which].clone().requires_grad_()
    loss(values).backward()
    for place in range(values.numel()):
        step = torch.zeros(values.numel())
        step[place] = 1e-3
        step = step.reshape(values.shape)
        slope = (loss(parameters[which] + step) - loss(parameters[which] - step)) / 2e-3
        assert float(slope) == pytest.approx(float(values.grad.flatten()[place]), abs=0.03)


@pytest.mark.parametrize("architecture", sorted(ARCHITECTURES))
def test_every_architecture_gives_logits_and_values_and_learns(architecture):
    side = 36 if architecture == "nature-cnn" else 9  # smaller images leave nothing
    network = build_network(architecture, (3, side, side), 4)
    observations = torch.zeros(5, 3, side, side)
    observations[:, 0, [0, -1]] = observations[:, 0, :, [0, -1]] = 1
    observations[:, 1, 4, 4] = 1
    logits, values = network(observations.to(torch.uint8))
    assert logits.shape == (5, 4)
    assert values.shape == (5,)
    (logits.sum() + values.sum()).backward()
    unused = [name for name, p in network.named_parameters() if p.grad is None]
    assert unused == []


@pytest.mark.parametrize(
    ("name", "shape", "sizes", "what"),
    [
        ("resnet", (3, 9, 9), {}, "unknown architecture"),
        ("value-iteration", (4, 9, 9), {}, "value-iteration takes planes"),
        ("mlp", (3,), {"wide": 2}, "wide"),
    ],
)
def test_an_impossible_network_is_refused(name, shape, sizes, what):
    with pytest.raises(ValueError, match=what):
        build_network(name, shape, 4, **sizes)
