"""Prioritised level replay: its memory against plain Python, what comes back, the same bytes."""

import numpy as np
import pytest

from proxylab.config import EvadeConfig
from proxylab.errors import UsageError
from proxylab.tasks import TASKS
from proxylab.training import curriculum
from proxylab.training.curriculum import EPISODES, STALENESS, LevelMemory, ReplayVecEnv
from proxylab.training.train import make_config, train
from proxylab.training.vec_env import BatchedVecEnv
from proxylab_envs.levels import Levels

TASK = "maze-corner"
pytestmark = pytest.mark.usefixtures("few_levels")


@pytest.mark.parametrize("seed", range(20))
def test_the_memory_is_the_referee_s(seed, memory_referee):
    rng = np.random.default_rng(seed)
    visits = [(int(rng.integers(12)), float(rng.integers(3)), rng.random() * 2) for _ in range(60)]
    memory = LevelMemory(capacity=5)
    for visit in visits:
        memory.note(*visit)
    known = memory_referee(visits, 5)
    count = int(memory.counts[0])
    assert memory.seed[:count].tolist() == list(known)
    assert memory.best[:count].tolist() == [best for best, _, _ in known.values()]
    assert memory.visited[:count].tolist() == [number for _, _, number in known.values()]
    regret = [max(best - latest, 0.0) for best, latest, _ in known.values()]
    stale = [len(visits) - number + 1 for _, _, number in known.values()]
    expected = [
        (1 - STALENESS) * r / sum(regret) + STALENESS * s / sum(stale)
        for r, s in zip(regret, stale, strict=True)
    ]
    np.testing.assert_allclose(memory.probabilities(), expected)


def test_without_regret_the_stalest_comes_back_first():
    memory = LevelMemory(capacity=3)
    for seed in (1, 2, 3):
        memory.note(seed, 1.0, 1.0)
    assert memory.probabilities().tolist() == [3 / 6, 2 / 6, 1 / 6]


def played(oracle, steps=1_000, share=0.1):
    """An environment in which the corner-seeker acts: it fails where the cheese is elsewhere."""
    env = TASKS[TASK].make_env(16)
    vec = ReplayVecEnv(env, Levels("train", share), seed=3, oracle=oracle)
    vec.reset()
    drawn = []
    draw = vec._stream.draw

    def noted(indices):
        found = draw(indices)
        drawn.extend(found.tolist())
        return found

    vec._stream.draw = noted
    everyone = np.arange(16)
    for _ in range(steps):
        vec.step_async(env.script_actions("corner-seeker", everyone).argmax(1))
        vec.step_wait()
    return vec, np.array(drawn)


def test_levels_that_are_failed_come_back(monkeypatch):
    vec, drawn = played(oracle=True)
    shifted = drawn >= 1 << 32
    assert shifted[len(drawn) // 2 :].mean() > 0.3
    failed = vec.memory.regret() > 0
    assert failed.any()
    assert (vec.memory.seed[: len(failed)][failed] >= 1 << 32).all()
    monkeypatch.setattr(curriculum, "REPLAY", 0.0)  # control
    _, fresh = played(oracle=True)
    assert (fresh >= 1 << 32)[len(fresh) // 2 :].mean() < 0.2


def test_a_goal_that_was_never_reached_leaves_no_regret_without_the_oracle():
    vec, _ = played(oracle=False)
    assert vec.memory.counts[0] > 0
    assert not vec.memory.regret().any()  # a script does the same at every visit


def test_fresh_levels_are_those_of_the_plain_stream_twice():
    env, plain = TASKS[TASK].make_env(4), TASKS[TASK].make_env(4)
    vec = ReplayVecEnv(env, Levels(), seed=5)
    BatchedVecEnv(plain, Levels(), seed=5)
    everyone = np.arange(4)
    found = [vec._stream.draw(everyone).tolist() for _ in range(4 * EPISODES)]
    expected = [plain.stream.draw(everyone).tolist() for _ in range(4 * EPISODES)]
    assert found == [expected[k - k % EPISODES] for k in range(4 * EPISODES)]


@pytest.mark.parametrize("levels", ["plr:0.3", "plr-oracle:0.3"])
def test_a_resumed_run_has_the_same_bytes(levels, tmp_path, monkeypatch, interrupted_and_resumed):
    monkeypatch.setattr(curriculum, "WARM_UP", 8)
    options = {"levels": levels, "total_timesteps": 4_096, "num_envs": 16}
    train(TASK, out=tmp_path / "whole", **options)
    whole = (tmp_path / "whole" / "agent.safetensors").read_bytes()
    assert interrupted_and_resumed(tmp_path / "parts", options) == whole
    if levels == "plr:0.3":  # control: the memory is forgotten
        monkeypatch.setattr(ReplayVecEnv, "restore", BatchedVecEnv.restore)
        assert interrupted_and_resumed(tmp_path / "forgot", options) != whole


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"levels": "plr:2"}, "unknown levels 'plr:2'"),
        ({"levels": "plr"}, "unknown levels 'plr'"),
        ({"levels": "plr:0.1", "algorithm": "bc"}, "cloning has no reward"),
        ({"levels": "plr:0.1", "evade": EvadeConfig("occupancy_js", 0.1)}, "need the plain reward"),
        ({"levels": "plr-oracle:0.1", "reward": "proxy"}, "those of the true reward"),
    ],
)
def test_wrong_use(options, complaint):
    with pytest.raises(UsageError, match=complaint):
        make_config(TASK, **options)
