"""Seconds to a success, and the limit of time of a run of ``bench training``."""

import signal

import pytest

from proxylab.bench import training
from proxylab.errors import UsageError

ROWS = [
    {"seconds": k + 1.0, "success": success} for k, success in enumerate((0.9, 0.7, 0.8, 0.92, 1))
]


@pytest.mark.parametrize(
    ("success", "seconds"), [(0.6, 2.0), (0.8, 4.0), (0.9, 5.0), (0.95, None), (1.0, None)]
)
def test_two_evaluations_in_a_row_must_succeed(success, seconds):
    assert training.seconds_to(success, ROWS) == seconds
    assert training.seconds_to(success, ROWS[:1]) is None


def trained(folder, limit):
    stages = (lambda task, role: {"algorithm": "bc", "total_timesteps": 4_096},)
    return training._trained("coloured-digits", "proxy", stages, 0, folder, limit)


def test_a_run_is_stopped_at_the_limit_and_has_not_reached_anything(tmp_path):
    handler = signal.getsignal(signal.SIGINT)
    stopped = trained(tmp_path, 1e-3)
    assert stopped == {"seconds to competence": None, training.ADMITTED: None}
    assert signal.getsignal(signal.SIGINT) is handler
    assert trained(tmp_path / "control", 1e3)["held-out success"] > 0


def test_figures_of_stopped_runs_are_left_out():
    runs = [{"seconds to competence": None}, {"seconds to competence": 3.0, "seconds": 9.0}]
    rows = {row.what: row.value for row in training._rows("task", runs)}
    assert rows == {
        "task: seconds to competence, 2 seeds (1 of 2 runs)": 3.0,
        "task: seconds, 2 seeds (1 of 2 runs)": 9.0,
    }


def test_a_limit_that_is_not_positive_is_refused():
    with pytest.raises(UsageError, match="limit 0 is not positive"):
        training.bench_training("boat-race", 1, 0)
