"""A suspect's record is the one that it would get alone, whoever is judged beside it.

Everything but the q-value, which is over all suspects: verdict, scores, p-values, intervals,
certificate and places, to the last bit.
"""

from dataclasses import dataclass, replace

import numpy as np
import pytest

from proxylab.agents.format import save_agent
from proxylab.agents.references import load_agent
from proxylab.detection.calibration import divide
from proxylab.detection.judge import judge
from proxylab.errors import UsageError
from proxylab.logs import read_log, write_log
from proxylab.rollouts.rollout import rollout
from proxylab.screening.groups import PolicyGroup
from proxylab.screening.run import detect
from proxylab_envs.levels import Levels
from proxylab_envs.maze_corner.env import MazeCorner

TRUSTED = [f"zoo:maze-corner/trusted-{k:02d}" for k in range(28)]
HONEST, PROXY = "zoo:maze-corner/honest-02", "zoo:maze-corner/proxy-00"


def records(*suspects, trusted=TRUSTED, **options):
    """{name: its record without the q-value}."""
    options["also"] = ["usual", *options.get("also", ())]
    found = detect(list(suspects), trusted, episodes=12, correlation=0.9, **options)
    return {report.agent: replace(report, q_value=None) for report in found.suspects}


@pytest.fixture(scope="module", autouse=True)
def results(tmp_path_factory):
    """Rollouts of trusted agents are kept between the calls of this file."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PROXYLAB_RESULTS", str(tmp_path_factory.mktemp("results")))
        patch.setenv("PROXYLAB_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def mixed(tmp_path_factory):
    """Suspects of every sort: agents, a trusted one, a copy under another name, two logs."""
    folder = tmp_path_factory.mktemp("suspects")
    agent = load_agent(PROXY)
    weights = agent.network.state_dict()
    save_agent(folder / "renamed", agent.spec, weights, dtype="float16")
    env = MazeCorner(8)
    for name, script, seed in (("log-a", "optimal", 5), ("log-b", "corner-seeker", 6)):
        levels = env.sample_level_seeds(Levels("shifted"), 20 + seed, seed)
        run, _ = rollout(
            load_agent(f"script:maze-corner/{script}"), env, levels, task="maze-corner", seed=seed
        )
        write_log(folder / f"{name}.parquet", [replace(run, policy=name)])
    logs = [str(folder / f"{name}.parquet") for name in ("log-a", "log-b")]
    return [HONEST, PROXY, "zoo:maze-corner/trusted-03", str(folder / "renamed"), *logs]


@pytest.fixture(scope="module")
def alone(mixed):
    found = {}
    for suspect in mixed:
        found |= records(suspect)
    return found


def test_alone_together_and_reversed_are_one(mixed, alone):
    assert len(alone) == len(mixed)
    together, reverse = records(*mixed), records(*mixed[::-1])
    assert list(together) == list(reverse)[::-1]
    assert together == reverse == alone


@pytest.mark.parametrize("first", range(6))
def test_pairs_change_nothing(mixed, alone, first):
    other = mixed[(first + 1) % 6]
    pair = records(other, mixed[first])
    assert len(pair) == 2
    assert pair == {name: alone[name] for name in pair}


def test_what_is_compared_is_not_empty(alone):
    """The check above sees intervals and certificates, not only verdicts."""
    report = alone[HONEST]
    assert 0.9 < report.certificate.support_coverage < 1
    assert sum(row.ci is not None for row in report.scores.values()) > 10
    assert len({record.verdict for record in alone.values()}) > 1


def test_copies_of_one_agent_get_one_verdict(mixed, alone):
    copy = replace(alone[mixed[3]], agent=PROXY)
    assert copy == alone[PROXY]


def test_the_order_of_the_trusted_changes_nothing(alone):
    shuffled = [TRUSTED[k] for k in np.random.default_rng(0).permutation(len(TRUSTED))]
    assert records(HONEST, trusted=shuffled)[HONEST] == alone[HONEST]


@pytest.mark.parametrize("num_envs", [5])
def test_the_environments_that_run_at_once_change_nothing(num_envs, alone, monkeypatch):
    """A network evaluates other batches then; nothing is taken from the cache."""
    monkeypatch.setattr("proxylab.screening.paired.MAX_NUM_ENVS", num_envs)
    assert records(HONEST, no_cache=True)[HONEST] == alone[HONEST]


def test_one_group_for_all_would_be_noticed(mixed, alone, monkeypatch):
    """Negative control: the levels of logs, and trusted agents left out for everybody."""

    def one_group(suspects, trusted, fingerprint):
        hashes = {fingerprint(policy) for policy in suspects.values()}
        others = {n: p for n, p in trusted.items() if fingerprint(p) not in hashes}
        return [PolicyGroup(suspects, others)]

    monkeypatch.setattr("proxylab.screening.run.grouped", one_group)
    together = records(HONEST, mixed[2])
    assert together[HONEST] != alone[HONEST]
    assert together[mixed[2]] == alone[mixed[2]]
    assert records(HONEST, mixed[4])[HONEST] != alone[HONEST]


def test_scores_reported_beside_it_change_nothing(alone, monkeypatch):
    monkeypatch.setattr("proxylab.detection.scores.discriminator.UPDATES", 2)
    more = records(HONEST, also=["c2st"])[HONEST]
    assert "c2st" in more.scores
    kept = {name: row for name, row in more.scores.items() if name != "c2st"}
    assert replace(more, scores=kept) == alone[HONEST]


def test_with_fdr_only_the_verdict_may_depend_on_the_others(mixed):
    """The p-value, scores and certificate do not."""
    one, many = records(PROXY, fdr=True)[PROXY], records(*mixed, fdr=True)[PROXY]
    same = {"verdict": None, "reason": None, "episodes_needed": None, "trusted_needed": None}
    same |= {"difference": None}  # it goes with the verdict
    assert replace(one, **same) == replace(many, **same)


def test_too_few_trusted_too():
    few = TRUSTED[:3]
    alone = records(HONEST, trusted=few) | records(PROXY, trusted=few)
    assert records(PROXY, HONEST, trusted=few) == alone
    assert "permutation:" + TRUSTED[0] in alone[PROXY].scores


def test_two_that_trust_each_other_are_each_judged_by_the_other():
    pair = [HONEST, PROXY]
    assert records(*pair, trusted=pair) == records(HONEST, trusted=pair) | records(
        PROXY, trusted=pair
    )
    with pytest.raises(UsageError, match="no trusted policy other"):
        detect(HONEST, HONEST, episodes=4)


@dataclass(frozen=True)
class Drawn:
    """A detector that scores by a random number, so that every draw shows."""

    name: str = "drawn"
    access: str = "L"

    def fit(self, reference, task):
        return None

    def score(self, state, suspect, rng):
        return float(rng.random())


@pytest.fixture(scope="module")
def toys():
    env = MazeCorner(8)
    levels = env.sample_level_seeds(Levels("shifted"), 12, 3)
    agents = {name: load_agent(name) for name in (HONEST, PROXY, *TRUSTED)}
    return {
        name: rollout(agent, env, levels, task="maze-corner", seed=1)[0]
        for name, agent in agents.items()
    }


def drawn(toys, *names, trusted=TRUSTED, also=()):
    """{name: report} by the detector that draws."""
    found = judge(
        {name: toys[name] for name in names},
        {name: toys[name] for name in trusted},
        rng=np.random.default_rng(4),
        detector=Drawn(),
        also=also,
        reference=divide({name: name for name in TRUSTED})[0],
    )
    return {report.agent: replace(report, q_value=None) for report in found.suspects}


def test_detectors_that_draw_have_a_stream_for_each_policy(toys):
    alone = drawn(toys, HONEST) | drawn(toys, PROXY)
    assert drawn(toys, PROXY, HONEST) == alone
    assert drawn(toys, HONEST, trusted=TRUSTED[::-1])[HONEST] == alone[HONEST]
    more = drawn(toys, HONEST, also=("mean_js",))[HONEST]
    assert more.scores["drawn"] == alone[HONEST].scores["drawn"]
    assert alone[HONEST].scores["drawn"].score != alone[PROXY].scores["drawn"].score


def test_one_stream_for_all_would_be_noticed(toys, monkeypatch):
    """Negative control: suspects that share a generator get other records together."""
    shared = np.random.default_rng(4)
    monkeypatch.setattr("proxylab.detection.draws.Draws.of", lambda *_: shared)
    assert drawn(toys, PROXY, HONEST) != drawn(toys, HONEST) | drawn(toys, PROXY)


def test_a_log_gives_what_its_agent_gives(tmp_path, toys):
    """Names, probabilities and files play no part in the draws."""
    write_log(tmp_path / "a.parquet", [replace(toys[HONEST], policy="x", probabilities=None)])
    (log,) = read_log(tmp_path / "a.parquet")
    renamed = drawn(toys | {"x": log}, "x")["x"]
    assert renamed.scores == drawn(toys, HONEST)[HONEST].scores
