"""``bench statistics``: both sides of every row compute the same, and the verdict on its aim."""

import json
import os

import numpy as np
import pytest

from proxylab.bench import statistics as bench
from proxylab.bench import statistics_cases, timing
from proxylab.bench import statistics_peers as peers
from proxylab.bench.statistics_cases import KernelCase
from proxylab.cli import main
from proxylab.statistics.divergences import js_divergence, row_divergences
from proxylab.statistics.paths import path_features
from proxylab.statistics.resampling import auroc, estimate_of
from proxylab.statistics.returns import discounted_returns
from proxylab.statistics.sequences import first_divergence
from proxylab.statistics.two_sample import block_means, permute_blocks
from proxylab.statistics.visitation import discounted_visitation, pooled_visitation


@pytest.fixture(scope="module")
def walks():
    return statistics_cases.Walks(np.random.default_rng(1), episodes=30, longest=12)


def same(mine, theirs):
    np.testing.assert_allclose(mine, theirs, atol=1e-9)


def test_peers_of_sequences_agree(walks):
    parts = np.split(walks.rewards, walks.offsets[1:-1])
    same(discounted_returns(walks.rewards, walks.offsets, 0.9), peers.lfilter_returns(parts, 0.9))
    given = walks.states, walks.offsets
    same(discounted_visitation(*given, 81, 0.9), peers.bincount_visitation(*given, 81, 0.9))
    level = walks.level % 3
    same(
        pooled_visitation(*given, level, 3, 81, 0.9),
        peers.bincount_pooled(*given, level, 3, 81, 0.9),
    )
    lists = walks.states.tolist(), walks.actions.tolist(), walks.offsets.tolist()
    same(
        path_features(walks.states, walks.actions, walks.offsets, 81, 4),
        peers.python_paths(*lists, 4),
    )
    same(
        first_divergence(walks.states, walks.offsets, walks.others, walks.offsets),
        peers.python_divergence(lists[0], walks.others.tolist(), lists[2]),
    )


def test_peers_of_rows_and_blocks_agree():
    rng = np.random.default_rng(2)
    p, q = rng.dirichlet(np.ones(4), (2, 50))
    same(row_divergences(p, q), np.transpose(peers.numpy_divergences(p, q)))
    same(js_divergence(p, q) * np.log(2), peers.scipy_js(p, q) ** 2)
    points, offsets = rng.normal(size=(20, 3)), np.array([0, 4, 5, 11, 20])
    for kernel in ("gaussian", "distance"):
        blocks = block_means(points, offsets, kernel=kernel, bandwidth=2.0)
        same(blocks, peers.cdist_blocks(points, offsets, kernel, 2.0))
    # Both draw from the same 6 relabellings; 500 draws miss one with odds below 1e-38.
    labels = np.arange(4) < 2
    mine = permute_blocks(blocks, labels, rng, permutations=500).replicates
    theirs = peers.sign_matrix(blocks, labels, rng)
    assert set(mine.round(9)) == set(theirs.round(9))
    values = rng.normal(size=20)
    assert peers.middle_mean(values) == pytest.approx(estimate_of(values, "iqm"))
    ties = rng.integers(0, 4, (2, 9))
    assert peers.area(*ties) == auroc(*ties)


def toy(count=0, **changes):
    call = {"what": "x", "unit": "things/s", "mine": lambda: None, "count": count}
    return KernelCase(**(call | {"theirs": lambda: None, "peer": "p"} | changes))


@pytest.mark.parametrize(
    ("case", "seconds", "expected"),
    [
        (toy(10, least_ratio=5), (1.0, 4.0), (10, 2.5, 4, "5 times", "missed")),
        (toy(10, least_ratio=3), (1.0, 4.0), (10, 2.5, 4, "3 times", "met")),
        (toy(least_ratio=3), (1.0, 4.0), (1, 4, 4, "3 times", "met")),
        (toy(theirs=None, published=9.0, least_ratio=10), (1.0,), (1, 9, 9, "10 times", "missed")),
        (toy(10, least_value=10), (1.0, 1.0), (10, 10, 1, "10 things/s", "met")),
        (toy(10), (1.0, 2.0), (10, 5, 2, "", "")),
    ],
)
def test_aims_are_met_or_missed(monkeypatch, case, seconds, expected):
    clock = iter(seconds)
    monkeypatch.setattr(bench, "durations", lambda call: [next(clock)])
    row = bench.measure(case, 0.5)
    assert (row.value, row.peer_value, row.ratio, row.aim, row.outcome) == expected
    assert row.compile_seconds == 0.5


def test_a_first_call_is_what_it_takes_longer(monkeypatch):
    clock = iter([0.0, 3.0, 3.0, 4.0])
    monkeypatch.setattr(bench.time, "perf_counter", lambda: next(clock))
    assert bench._first_call(lambda: None) == 2.0


def test_every_kernel_has_a_row(capsys, monkeypatch):
    monkeypatch.setattr(timing, "REPEATS", 1)
    monkeypatch.setattr(timing, "REPEAT_SECONDS", 0)
    monkeypatch.setattr(bench, "compile_seconds", lambda: {"bootstrap of mean of 500 values": 2.0})
    monkeypatch.setattr(statistics_cases, "HYPPO", {1000: 26.0})
    assert main(["bench", "statistics", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["rows"]
    names = [row["what"] for row in rows]
    assert len(set(names)) == len(names) == 17
    assert all(row["value"] > 0 for row in rows)
    assert all((row["outcome"] in ("met", "missed")) == bool(row["aim"]) for row in rows)
    assert [r["compile_seconds"] for r in rows if r["compile_seconds"]] == [2.0]


def test_compile_times_come_from_a_process_without_a_cache(monkeypatch):
    seen = {}

    def run(command, env, **_):
        seen["files"] = os.listdir(env["NUMBA_CACHE_DIR"])
        return type("Done", (), {"stdout": '{"x": 1.5}'})

    monkeypatch.setattr(bench.subprocess, "run", run)
    assert bench.compile_seconds() == {"x": 1.5}
    assert seen["files"] == []
