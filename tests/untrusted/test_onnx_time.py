"""The processor time of an ONNX model: bounded in its whole life, and enough for long rollouts."""

import os
import sys
import time
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("onnxruntime")
pytest.importorskip("onnx")

from evil_onnx import slow
from onnx_models import linear

from proxylab.errors import AgentError
from proxylab.storage.limits import LIMITS
from proxylab.untrusted import onnx_policy

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="/proc")
SIZE, ACTIONS = 243, 4
ROW = np.zeros((1, SIZE), np.float32)


def policy_of(folder, raw):
    (folder / "suspect.onnx").write_bytes(raw)
    return onnx_policy.OnnxPolicy(folder / "suspect.onnx")


def spent(policy):
    """Seconds of processor time of the model's process so far."""
    found = Path(f"/proc/{policy._process._process.pid}/stat").read_text()
    return sum(map(int, found.rsplit(")", 1)[1].split()[11:13])) / os.sysconf("SC_CLK_TCK")


def ask_often(policy, seconds=20):
    """Requests until the model's process has used so much; how many."""
    count = 0
    while spent(policy) < seconds:
        policy._ask(ROW, ACTIONS)
        count += 1
    return count


def test_many_requests_end_at_the_total(tmp_path, monkeypatch):
    """Each request is within its own bound, all together are not."""
    monkeypatch.setattr(onnx_policy, "WORKER", "hasty_worker")
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent), prepend=os.pathsep)
    policy = policy_of(tmp_path, slow(1000, 4))
    with pytest.raises(AgentError, match="used 4 s of processor time, the limit for one file"):
        ask_often(policy)


def test_the_same_requests_within_the_total(tmp_path):
    """Control: with the total of the table they go on well past those 4 s."""
    assert ask_often(policy_of(tmp_path, slow(1000, 4)), seconds=5) > 1


def test_half_a_million_requests_fit(tmp_path):
    policy = policy_of(tmp_path, linear(SIZE, ACTIONS)[0])
    before, count = spent(policy), 3000
    for _ in range(count):
        policy._ask(ROW, ACTIONS)
    assert (spent(policy) - before) / count * 500_000 < LIMITS.cpu_total


@pytest.mark.slow
def test_two_hundred_thousand_requests(tmp_path):
    policy = policy_of(tmp_path, linear(SIZE, ACTIONS)[0])
    began = time.perf_counter()
    for _ in range(200_000):
        found = policy._ask(ROW, ACTIONS)
    assert found.shape == (1, ACTIONS)
    print(f"{spent(policy):.0f} s of processor, {time.perf_counter() - began:.0f} s of the clock")
