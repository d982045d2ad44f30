"""TaskView: its rows, and what it refuses."""

from dataclasses import replace

import numpy as np
import pytest
from toy_population import LEVELS, VIEW, episodes_from

from proxylab.detection.pairing import NotApplicable
from proxylab.detection.task_view import bare_view


def test_rows_are_those_of_the_levels():
    assert VIEW.rows(np.array([103, 100, 103]), "x").tolist() == [3, 0, 3]


def test_an_unknown_level_and_an_unknown_world_are_named():
    with pytest.raises(NotApplicable, match="x: the map of level 99 is not known"):
        VIEW.rows(np.array([100, 99]), "x")
    with pytest.raises(NotApplicable, match="x needs the task's environment"):
        bare_view(episodes_from([[0, 1]])).rows(np.array([100]), "x")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"landmarks": ("one",)}, r"landmark_distances has shape \(24, 2, 6\), expected"),
        ({"num_actions": 3}, "successors has shape"),
        ({"levels": LEVELS[::-1]}, "levels must ascend"),
    ],
)
def test_a_view_that_does_not_fit_is_refused(change, message):
    with pytest.raises(ValueError, match=message):
        replace(VIEW, **change)
