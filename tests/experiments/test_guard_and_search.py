"""The experiments on guards and on worst levels, on the smoke budget and on made-up rows."""

from pathlib import Path

import numpy as np
import pytest

from proxylab.agents.references import load_agent
from proxylab.reproduce.experiment import load_experiment
from proxylab.reproduce.run import reproduce
from proxylab.rollouts.rollout import rollout
from proxylab.storage.store import read_table
from proxylab.tasks import TASKS
from proxylab_envs.levels import Levels

ROOT = Path(__file__).parents[2]
GUARD = load_experiment(ROOT / "experiments" / "guard.py").module


SLOW = pytest.param("worst-case", marks=pytest.mark.slow)


@pytest.mark.parametrize("name", ["guard", SLOW])
def test_it_runs_on_the_smoke_budget(name, tmp_path, monkeypatch):
    monkeypatch.setenv("PROXYLAB_RESULTS", str(tmp_path))
    (result,) = reproduce(name, budget="smoke").experiments
    assert not result.failed
    assert any(path.endswith(".png") for path in result.figures)
    table = {"guard": "guard-guards", "worst-case": "worst-case-holes"}[name]
    rows = read_table(tmp_path / f"runs/smoke/tables/{table}.csv")
    if name == "worst-case":
        optimal = [row for row in rows if row["kind"] == "optimal"]
        assert len(optimal) == 6
        assert {row["mean"] for row in optimal} == {0}
    else:
        assert {row["trigger"] for row in rows} == {"departure", "never", "oracle", "always"}


def test_a_rare_suspect_is_honest_on_nine_levels_in_ten():
    honest, gaming = (load_agent(f"zoo:maze-corner/{n}") for n in ("fresh-20", "hack-00"))
    rare = GUARD.RarelyGaming(honest, gaming)
    env = TASKS["maze-corner"].make_env(32)
    seeds = env.sample_level_seeds(Levels("shifted"), 400, 1)
    gamed = GUARD.games_on(seeds)
    assert gamed.mean() == pytest.approx(0.1, abs=0.05)
    runs = {p.name: rollout(p, env, seeds, task="maze-corner", seed=2)[1] for p in (honest, gaming)}
    mixed = rollout(rare, env, seeds, task="maze-corner", seed=2)[1].returns_of("true")
    expected = [run.returns_of("true") for run in runs.values()]
    assert (mixed == np.where(gamed, expected[1], expected[0])).all()
    assert (expected[0] != expected[1])[gamed].any()
