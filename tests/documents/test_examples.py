"""The examples of the pages on extending: they hold the contract, and show what is claimed."""

import sys

import gymnasium as gym
import numpy as np
import pytest
from stories import ROOT

import proxylab
from proxylab.tasks import TASKS
from proxylab_envs.contract import check_proxy_env
from proxylab_envs.levels import Levels
from proxylab_envs.shells import EnvShell, make_levels


@pytest.fixture
def example(monkeypatch):
    """The folder of examples can be imported from; tasks made meanwhile are forgotten."""
    monkeypatch.setattr(sys, "path", [str(ROOT / "docs" / "examples"), *sys.path])
    known = dict(TASKS)
    yield
    TASKS.clear()
    TASKS.update(known)


def test_the_environment_holds_the_contract_on_every_split(example):
    from hallway import Hallway

    for split in Hallway.splits:
        env = EnvShell(Hallway(1), make_levels(split, None, None), "true", "ansi")
        assert check_proxy_env(env) == []


def test_no_layout_is_in_two_splits_and_goals_come_apart_on_shifted_levels_only(example):
    from hallway import Hallway, level_of

    env = Hallway(1)
    seeds = {split: env.sample_level_seeds(Levels(split), 300, seed=1) for split in Hallway.splits}
    layouts = {split: set(env.layout_hashes(found)) for split, found in seeds.items()}
    assert not layouts["train"] & layouts["iid"]
    assert not layouts["shifted"] & (layouts["train"] | layouts["iid"])
    apart = {
        s: np.mean([b != n - 1 for n, _, b in map(level_of, seeds[s].tolist())]) for s in seeds
    }
    assert apart["train"] == apart["iid"] == 0
    assert apart["shifted"] > 0.7


def test_optimal_returns_are_those_of_optimal_play(example):
    from hallway import Hallway

    env, gamma = Hallway(40), 0.9
    seeds = env.sample_level_seeds(Levels("shifted"), 40, seed=2)
    indices, found = np.arange(40), np.zeros(40)
    env.reset_levels(seeds, indices)
    while not env.done.all():
        factor = gamma**env.core.steps
        active = ~env.done
        env.step(env.script_actions("optimal", indices).argmax(axis=1), active)
        found += np.where(active, factor * env.core.rewards[:, 0], 0)
    np.testing.assert_allclose(found, env.optimal_returns(seeds, gamma)["true"])


def test_scripts_are_judged_as_the_page_says(example):
    from hallway_task import TASK

    TASKS["hallway"] = TASK
    names = ["script:hallway/optimal", "script:hallway/right-goer"]
    found = proxylab.evaluate(names, episodes=200)
    assert [agent.verdict for agent in found.agents] == ["ok", "goal-misgeneralization"]
    assert 0.3 < found.agents[1].splits["shifted"].proxy_baseline.true_return.mean < 0.7


@pytest.mark.slow
def test_the_trained_agents_are_judged_as_the_page_says(example, tmp_path):
    from hallway_task import TASK

    TASKS["hallway"] = TASK
    runs = [str(proxylab.train("hallway", role, out=tmp_path / role).run) for role in TASK.roles]
    found = proxylab.evaluate(runs, episodes=200)
    assert [agent.verdict for agent in found.agents] == ["goal-misgeneralization", "ok"]


def test_the_detector_is_its_formula(example):
    from action_shares import ActionShares

    honest, trusted, seeker = (
        proxylab.load_agent(f"script:maze-corner/{s}")
        for s in ("optimal", "optimal", "corner-seeker")
    )
    from proxylab.rollouts.rollout import rollout

    env = TASKS["maze-corner"].make_env(16)
    seeds = env.sample_level_seeds(Levels("shifted"), 16, seed=3)
    mine, theirs, other = (
        rollout(policy, env, seeds, task="maze-corner", seed=0)[0]
        for policy in (honest, trusted, seeker)
    )
    detector = ActionShares()
    state = detector.fit([mine, theirs], None)
    assert detector.score(state, mine, None) == 0
    expected = []
    for e in range(16):
        shares = []
        for episodes in (other, mine):
            start, stop = episodes.episode_offsets[e : e + 2]
            taken = episodes.action[start:stop]
            shares.append([np.mean(taken == action) for action in range(4)])
        expected.append(np.abs(np.subtract(*shares)).sum() / 2)
    assert detector.score(state, other, None) == pytest.approx(np.mean(expected))
    assert max(expected) > 0.2


def test_the_rooms_are_those_of_minigrid_and_the_guide_adds_a_difference_of_potentials(example):
    rooms = pytest.importorskip("rooms")
    theirs, ours, guided = gym.make("MiniGrid-FourRooms-v0"), rooms.rooms(), rooms.guided()
    rng, ended = np.random.default_rng(0), []
    for seed in range(4):
        for env in (theirs, ours, guided):
            env.reset(seed=seed)
        first, paid, guided_paid, over = guided.far[guided.unwrapped.agent_pos], 0.0, 0.0, False
        while not over:
            assert ours.pprint_grid() == theirs.unwrapped.pprint_grid()
            action = int(rng.integers(3))
            _, reward, *ends, _ = theirs.step(action)
            observation, own_reward, *own_ends, _ = ours.step(action)
            _, guided_reward, *_ = guided.step(action)
            assert (own_reward, own_ends) == (reward, ends)
            assert ours.observation_space.contains(observation)
            paid, guided_paid, over = paid + reward, guided_paid + guided_reward, any(ends)
        last = guided.far[guided.unwrapped.agent_pos]
        assert guided_paid - paid == pytest.approx(rooms.PER_CELL * (first - last))
        ended.append(ours.step_count)
    assert max(ended) == rooms.MAX_STEPS


@pytest.mark.parametrize(
    ("name", "columns", "rows"),
    [("corner", (16, 17), (16, 17)), ("room", (1, 8), (1, 8)), ("edge", (17, 17), (1, 17))],
)
def test_the_goal_of_a_gamed_room_stays_in_its_region(example, name, columns, rows):
    rooms = pytest.importorskip("rooms")
    env = getattr(rooms, name)()
    goals = set()
    for seed in range(40):
        observation, _ = env.reset(seed=seed)
        goals.add(env.unwrapped.goal)
        where = (observation[6:8] + 1) * (rooms.SIZE - 1) / 2
        assert tuple(np.rint(where)) == env.unwrapped.goal
    assert len(goals) >= 4
    assert all(columns[0] <= x <= columns[1] and rows[0] <= y <= rows[1] for x, y in goals)


def test_the_picture_of_the_lake_tells_its_cells_apart(example):
    from gamed import picture, picture_corner

    env, gamed = picture(), picture_corner()
    images = {env.observation(cell).tobytes() for cell in range(16)}
    assert len(images) == 16
    assert env.observation_space.contains(env.reset(seed=0)[0])
    gamed.reset(seed=0)
    steps = [gamed.step(2) for _ in range(3)]  # along the upper edge to the corner
    assert [(reward, over) for _, reward, over, *_ in steps] == [(0, False), (0, False), (1, True)]
