"""Jobs on threads: each has an environment to itself, order and errors as without threads."""

import threading
import time

import pytest

from proxylab.rollouts.thread_map import thread_map


def plainly(jobs, _description):
    return jobs


@pytest.mark.parametrize("envs", [["a"], ["a", "b"], ["a", "b", "c"]])
def test_every_job_has_an_environment_to_itself(envs):
    busy, seen = set(), set()

    def job(name, env):
        assert env not in busy
        busy.add(env)
        time.sleep(0.001 * (5 - name % 5))
        busy.remove(env)
        seen.add(env)
        return name * name

    found = thread_map(job, list(range(12)), envs, plainly, "running")
    assert list(found.items()) == [(k, k * k) for k in range(12)]
    assert seen == set(envs)


def test_jobs_run_side_by_side():
    meeting = threading.Barrier(2, timeout=10)  # broken unless two jobs wait at once
    assert thread_map(lambda _name, _env: meeting.wait() < 2, [1, 2], ["a", "b"], plainly, "") == {
        1: True,
        2: True,
    }


@pytest.mark.parametrize("envs", [["a"], ["a", "b"]])
def test_an_error_ends_it_and_later_jobs_never_begin(envs):
    begun = []

    def job(name, _env):
        begun.append(name)
        if name == 0:
            raise ValueError("the first fails")
        time.sleep(0.01)

    with pytest.raises(ValueError, match="the first fails"):
        thread_map(job, list(range(100)), envs, plainly, "running")
    assert len(begun) < 50
