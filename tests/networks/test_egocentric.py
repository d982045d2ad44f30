"""The egocentric trunk: what it sees, against shifting by hand."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from proxylab.networks.architectures import EgocentricMLP, build_trunk


def shifted(planes, here):
    """planes [P, H, W] with the cell ``here`` in the middle, 0 outside, by going through all."""
    count, rows, cols = planes.shape
    view = np.zeros((count, 2 * (rows - 3) + 1, 2 * (cols - 3) + 1), np.float32)
    for down in range(-(rows - 3), rows - 2):
        for right in range(-(cols - 3), cols - 2):
            row, col = here[0] + down, here[1] + right
            if 0 <= row < rows and 0 <= col < cols:
                view[:, down + rows - 3, right + cols - 3] = planes[:, row, col]
    return view


@given(
    seed=st.integers(0, 10**6),
    shape=st.tuples(st.integers(2, 5), st.integers(4, 9), st.integers(4, 9)),
)
def test_the_view_has_the_walker_in_the_middle(seed, shape):
    rng = np.random.default_rng(seed)
    planes = (rng.random((3, *shape)) < 0.3).astype(np.float32)
    places = np.column_stack([rng.integers(0, side, 3) for side in shape[1:]])
    planes[:, 1] = 0
    planes[np.arange(3), 1, places[:, 0], places[:, 1]] = 1
    seen = EgocentricMLP(shape, width=4, depth=1).view(torch.from_numpy(planes)).numpy()
    for k in range(3):
        np.testing.assert_array_equal(seen[k], shifted(planes[k], places[k]))


def test_a_garden_moved_as_a_whole_looks_the_same():
    trunk = EgocentricMLP((3, 7, 9))
    planes = torch.zeros(2, 3, 7, 9)
    planes[0, 1, 2, 3] = planes[0, 2, 4, 4] = 1
    planes[1, 1, 3, 5] = planes[1, 2, 5, 6] = 1
    first, second = trunk(planes)
    assert torch.equal(first, second)
    planes[1, 2] = planes[1, 2].roll(1, 1)
    first, second = trunk(planes)
    assert not torch.equal(first, second)


@pytest.mark.parametrize("shape", [(1, 7, 9), (3, 3, 9)])
def test_maps_without_a_walker_or_an_inside_are_refused(shape):
    with pytest.raises(ValueError, match="egocentric-mlp takes planes"):
        build_trunk("egocentric-mlp", shape)
