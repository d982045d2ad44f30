"""Executing many jobs: order, retries, workers that die."""

import os
import signal

import pytest

from proxylab.errors import UsageError
from proxylab.training.jobs import execute, run_jobs


def double(job):
    return 2 * job


def fail_once(folder):
    """Fails on the first call for a folder, then succeeds."""
    mark = folder / "tried"
    if mark.exists():
        return "second"
    mark.touch()
    raise ValueError("first")


def die_once(job):
    """Kills its own process on the first call for a folder."""
    folder, name = job
    with open(folder / "calls", "a") as log:
        log.write(f"{name}\n")
    mark = folder / f"{name}-tried"
    if name == "mortal" and not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return name


def refuse(job):
    raise ValueError(f"no {job}")


def test_results_stand_in_the_order_of_the_jobs_and_each_is_watched():
    seen = []
    ended = execute(double, [3, 1, 2], processes=2, watch=seen.append)
    assert [one.result for one in ended] == [6, 2, 4]
    assert sorted(one.job for one in seen) == [1, 2, 3]


def test_a_job_that_fails_is_tried_again(tmp_path):
    (one,) = execute(fail_once, [tmp_path], retries=1)
    assert (one.result, one.error) == ("second", None)


def test_a_job_that_fails_for_good_is_reported_and_the_others_go_on():
    bad = execute(refuse, ["luck", "fun"], processes=1, retries=1)
    assert [str(one.error) for one in bad] == ["no luck", "no fun"]


def test_a_killed_worker_costs_one_try_and_loses_nothing(tmp_path):
    jobs = [(tmp_path, "mortal"), (tmp_path, "a"), (tmp_path, "b")]
    ended = execute(die_once, jobs, processes=1, retries=1)
    assert [one.result for one in ended] == ["mortal", "a", "b"]
    calls = (tmp_path / "calls").read_text().split()
    assert calls.count("mortal") == 2
    assert calls.count("b") == 1


def test_an_unknown_engine_is_refused():
    with pytest.raises(UsageError, match="unknown engine 'magic'"):
        execute(double, [1], engine="magic")


def test_nothing_to_do_is_nothing_done():
    assert run_jobs([]) == []
    assert execute(double, []) == []
