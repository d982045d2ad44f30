"""The forward passes without torch: equal to torch's networks, row by row, in any batch."""

import numpy as np
import pytest
import torch

from proxylab.agents.format import AgentSpec
from proxylab.agents.loading import policy_of
from proxylab.errors import AgentError
from proxylab.networks.architectures import ARCHITECTURES, build_network
from proxylab.networks.forward import (
    BUILDERS,
    affine,
    convolution,
    egocentric_product,
    forward_pass,
    weight_shapes,
)

CASES = {
    "conv": ("conv", (3, 9, 9), {"blocks": 2, "width": 8}),
    "conv of another size": ("conv", (4, 15, 15), {"channels": 3, "blocks": 1}),
    "conv by default": ("conv", (3, 9, 9), {}),
    "mlp": ("mlp", (12,), {"width": 5, "depth": 3}),
    "mlp of planes": ("mlp", (3, 5, 5), {}),
    "egocentric-mlp": ("egocentric-mlp", (5, 9, 9), {"width": 6}),
    "egocentric-mlp, oblong": ("egocentric-mlp", (2, 5, 8), {"depth": 1}),
    "mlp-tanh": ("mlp-tanh", (4,), {"policy": [7, 3], "value": [5]}),
    "mlp-relu": ("mlp-relu", (3, 4, 4), {}),
    "mlp-tanh, bare": ("mlp-tanh", (4,), {"policy": [], "value": [2]}),
}


def network_of(case, seed=0):
    architecture, observation, sizes = CASES[case]
    torch.manual_seed(seed)
    network = build_network(architecture, observation, 4, **sizes).eval()
    return network, {name: tensor.numpy() for name, tensor in network.state_dict().items()}


def observations_of(case, count=70):
    rng = np.random.default_rng(1)
    return (rng.random((count, *CASES[case][1])) < 0.3).astype(np.uint8)


@pytest.mark.parametrize("case", CASES)
def test_it_is_what_torch_computes(case):
    architecture, observation, _ = CASES[case]
    network, weights = network_of(case)
    seen = observations_of(case)
    features, logits, values = forward_pass(architecture, weights, observation)(seen)
    with torch.inference_mode():
        wanted = network.trunk(torch.from_numpy(seen).float())
        heads = network(torch.from_numpy(seen))
    np.testing.assert_allclose(features, wanted, atol=2e-6)
    np.testing.assert_allclose(logits, heads[0], atol=2e-6)
    np.testing.assert_allclose(values, heads[1], atol=2e-6)
    assert {features.dtype, logits.dtype, values.dtype} == {np.dtype("float32")}


@pytest.mark.parametrize("case", CASES)
def test_the_shapes_are_those_of_the_networks(case):
    architecture, observation, sizes = CASES[case]
    wanted = {name: array.shape for name, array in network_of(case)[1].items()}
    assert weight_shapes(architecture, observation, 4, **sizes) == wanted


def test_every_one_of_them_is_in_the_registry():
    assert set(BUILDERS) < set(ARCHITECTURES)
    assert {architecture for architecture, _, _ in CASES.values()} == set(BUILDERS)


@pytest.mark.parametrize("case", CASES)
def test_a_row_does_not_depend_on_its_batch(case):
    architecture, observation, sizes = CASES[case]
    spec = AgentSpec("x", "maze-corner", "proxy", architecture, sizes, observation, "uint8", 4)
    policy = policy_of(spec, network_of(case)[1])
    seen = observations_of(case, 300)
    whole = policy.action_probabilities(seen)
    for count in (1, 7, 64, 129):
        assert np.array_equal(policy.action_probabilities(seen[:count]), whole[:count])
    assert np.array_equal(policy.action_probabilities(seen[::-1])[::-1], whole)


def test_a_layer_in_plain_python():
    rng = np.random.default_rng(3)
    inputs, weight, bias = (rng.normal(size=shape) for shape in ((7, 5), (3, 7), (3,)))
    single = (array.astype(np.float32) for array in (inputs, weight, bias))
    np.testing.assert_allclose(affine(*single), weight @ inputs + bias[:, None], atol=1e-5)


@pytest.mark.parametrize("stride", [1, 2])
def test_a_convolution_in_plain_python(stride):
    rng = np.random.default_rng(4)
    planes, weight, bias = (rng.normal(size=s) for s in ((2, 7, 5, 3), (4, 2, 3, 3), (4,)))
    found = convolution(*(a.astype(np.float32) for a in (planes, weight, bias)), stride)
    assert found.shape == (4, (7 - 3) // stride + 1, (5 - 3) // stride + 1, 3)
    for c, i, j, k in np.ndindex(found.shape):
        top, left = stride * i, stride * j
        window = planes[:, top : top + 3, left : left + 3, k]
        assert found[c, i, j, k] == pytest.approx((window * weight[c]).sum() + bias[c], abs=1e-5)


def test_the_view_from_the_agent_in_plain_python():
    rng = np.random.default_rng(2)
    planes = (rng.random((5, 3, 5, 6)) < 0.4).astype(np.uint8)
    weight = rng.normal(size=(3, 5, 7, 4)).astype(np.float32)
    wanted = np.zeros((5, 4))
    for k in range(5):
        row, column = divmod(int(planes[k, 1].argmax()), 6)
        for plane, i, j in zip(*np.nonzero(planes[k]), strict=True):
            down, right = i - row + 2, j - column + 3
            if 0 <= down < 5 and 0 <= right < 7:
                wanted[k] += weight[plane, down, right]
    np.testing.assert_allclose(egocentric_product(planes, weight), wanted, atol=1e-5)


@pytest.mark.parametrize(
    ("architecture", "observation", "sizes"),
    [
        ("conv", (3, 9, 9), {"channels": [4, 4]}),
        ("conv", (12,), {}),
        ("mlp", (12,), {"size": 3}),
        ("egocentric-mlp", (1, 9, 9), {}),
        ("mlp-tanh", (4,), {"policy": 8}),
    ],
)
def test_sizes_that_no_network_has_are_one_line(architecture, observation, sizes):
    spec = AgentSpec("x", "maze-corner", "proxy", architecture, sizes, observation, "uint8", 4)
    with pytest.raises(AgentError, match="cannot have these sizes"):
        policy_of(spec, {})
