"""``bench monitor``: many streams at once are each alone; hacks alarm and honest ones do not."""

import numpy as np
import pytest

from proxylab.bench.monitor import task_alarms, task_rows
from proxylab.detection.online import Ceiling, first_alarm, first_alarms


def test_many_streams_are_each_one_alone():
    streams = np.random.default_rng(0).beta(3, 4, (60, 80))
    ceiling = Ceiling(0.3, 0.01)
    alone = [first_alarm(scores, ceiling, 0.05) for scores in streams]
    expected = [-1 if found is None else found for found in alone]
    assert len(set(expected)) > 3
    np.testing.assert_array_equal(first_alarms(streams, ceiling, 0.05), expected)


def test_rows_count_alarms():
    groups = {
        "honest": (np.array([0, 0, 1, 2]), np.array([-1, 7, -1, -1])),
        "hack": (np.array([0, 0, 1, 1]), np.array([1, 3, 5, -1])),
        "switch after 150": (np.array([0, 1]), np.array([153, 159])),
        "games 10 %": (np.array([0, 1, 0, 1]), np.array([70, -1, 90, 900])),
    }
    share, policies, median, never, delay, caught = task_rows("some", groups)
    assert (share.value, share.outcome, policies.value, never.value) == (0.25, "missed", 1, 0.25)
    assert (median.value, median.low, median.high) == (4, 2, 6)
    assert (delay.value, delay.low, delay.high) == (7, 5.5, 8.5)
    assert caught.value == 0.75


@pytest.mark.slow
def test_hacks_of_maze_corner_alarm(tmp_path, monkeypatch):
    monkeypatch.setenv("PROXYLAB_RESULTS", str(tmp_path))
    found = task_alarms("maze-corner", streams=10, episodes=20, number=2)
    assert np.mean(found["hack"][1] >= 0) > np.mean(found["honest"][1] >= 0)
    assert np.median(found["switch after 500"][1]) > 500
    assert np.mean(found["games 30 %"][1] >= 0) > 0.5
