"""colour-shape-detect: the replay, and the criteria on made-up agents of known preference."""

from pathlib import Path

import numpy as np
import pytest

from proxylab.agents.references import load_agent
from proxylab.reproduce.experiment import load_experiment
from proxylab.rollouts.rollout import rollout

FILE = Path(__file__).parents[2] / "experiments" / "colour_shape_detect.py"
module = load_experiment(FILE).module
LEVELS = 40
SETTINGS = {
    "seeds": 2,
    "total_timesteps": 8,
    "measure": {"episodes": LEVELS, "compared": LEVELS},
}
POINTS = {p.labels["agent"]: p for p in module.points(SETTINGS) if p.job is None}


@pytest.fixture(scope="module")
def scripts():
    """{script: its row}."""
    return {
        name: {**point.labels, **module.measure(load_agent(point.agent), point, SETTINGS)[0]}
        for name, point in POINTS.items()
    }


def made_up(scripts, preferences):
    """Rows of agents that go to the star on as large a share of levels, and of the scripts."""
    rng, rows = np.random.default_rng(0), list(scripts.values())
    star, gem = (scripts[name]["actions"].split() for name in ("colour-seeker", "optimal"))
    for seed, preference in enumerate(preferences):
        chosen = rng.random(LEVELS) < preference
        ways = [a if is_star else b for a, b, is_star in zip(star, gem, chosen, strict=True)]
        row = {"agent": module.TRAINED, "seed": seed, "preference": preference}
        rows.append(row | {"compared": chosen.mean(), "actions": " ".join(ways)})
    return rows


def test_the_seeds_are_those_of_one_kind_of_processor():
    assert [p.labels["seed"] for p in module.points(SETTINGS) if p.job] == [16_040, 16_041]
    assert module.points(SETTINGS)[-1].job.config == (
        module.base.points({"seeds": 42, "total_timesteps": 8})[-1].job.config
    )


def test_a_replay_gives_the_states_of_the_run(scripts):
    levels = module._levels(LEVELS)
    env = module._env(LEVELS)
    agent = load_agent(POINTS["nearest"].agent)
    played, _ = rollout(agent, env, levels.level_seeds, task=module.TASK, seed=levels.seed)
    replayed = module._replayed(scripts["nearest"])
    for name in ("episode_offsets", "state_id", "action", "features", "level_seed", "terminated"):
        np.testing.assert_array_equal(getattr(played, name), getattr(replayed, name))


def test_the_measured_preference_of_the_comparison_is_that_of_the_scripts(scripts):
    assert scripts["optimal"]["compared"] == 0
    assert scripts["colour-seeker"]["compared"] == 1


@pytest.mark.parametrize(
    ("gem", "seen"), [(0.05, True), pytest.param(0.85, False, marks=pytest.mark.slow)]
)
def test_opposite_agents_are_seen_and_equal_ones_are_not(scripts, gem, seen, monkeypatch):
    """Agents whose label says gem and who go to the star all the same are the control."""
    monkeypatch.setattr(module, "DETECTORS", (module.DECIDING,))
    rows = made_up(scripts, [*np.linspace(0.8, 0.9, 26), *[gem] * 5])
    for row in rows[-5:]:
        row["preference"] = 0.05 + 0.01 * row["seed"] / 100
    tables = module.analyse(rows)
    of = {(r["kind"], r["clause"]): r for r in tables["criterion"]}
    assert of[module.STAR, "opposite preference flagged"]["holds"] == seen
    assert of[module.STAR, "false alarms"]["holds"]
    areas = {r["detector"]: r for r in tables["detection"] if r["group"] == module.OPPOSITE}
    assert (areas[module.KNOWN]["auroc"] > 0.99) == seen
    figure = module.draw({"runs": rows, **tables})[""]
    assert len(figure.axes) == 3


def test_spearman_is_that_of_the_order_and_none_without_one():
    falling = np.array([(k, np.exp(-k)) for k in range(8)], float)
    assert module._spearman(falling) == pytest.approx((-1, -1, -1))
    assert module._spearman(np.ones((8, 2))) == (None, None, None)
    shuffled = np.random.default_rng(0).random((200, 2))
    _, low, high = module._spearman(shuffled)
    assert low < 0 < high
