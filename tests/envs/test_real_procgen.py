"""The real game: the same levels and steps as ours, the cheese moved, and what can go wrong."""

import hashlib
import zipfile

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from real_games import needs_the_game

from proxylab.cli import main
from proxylab.environments.procgen_check import check_parity
from proxylab.environments.resolve import make_environment
from proxylab.rollouts.rollout import rollout
from proxylab_envs.contract import check_proxy_env
from proxylab_envs.levels import SHIFTED, Levels
from proxylab_envs.procgen import RealProcgenConfig, RealProcgenMaze, install, state
from proxylab_envs.procgen.install import ProcgenMissing, find_library
from proxylab_envs.procgen_maze import ProcgenConfig, ProcgenMaze
from proxylab_envs.registry import make_batched

REAL = "proxylab/RealProcgenMaze-v0"
FIELDS = (
    *("observations", "rewards", "terminated", "truncated", "steps", "returns"),
    *("outcomes", "proxy_first", "level_seeds", "state_ids", "mouse"),
)


@needs_the_game
def test_levels_steps_and_the_order_of_levels_are_those_of_the_game():
    """The full size is `proxylab procgen check --levels 10000`."""
    checked = check_parity(levels=300, steps=10_000)
    assert [mode.mode for mode in checked.modes] == ["easy", "hard", "memory"]
    assert all(mode.levels == mode.equal_levels for mode in checked.modes)
    assert all(mode.steps == mode.equal_steps >= 10_000 for mode in checked.modes)
    assert sum(mode.truncated for mode in checked.modes) > 0
    assert all(mode.episodes > mode.truncated for mode in checked.modes)


@needs_the_game
@pytest.mark.parametrize("mode", ["easy", "hard"])
def test_the_adapter_equals_our_maze_step_by_step(mode):
    """Also with the cheese moved to the corner, and with some environments inactive."""
    real = RealProcgenMaze(8, RealProcgenConfig(mode=mode))
    ours = ProcgenMaze(8, ProcgenConfig(mode=mode))
    rng = np.random.default_rng(1)
    seeds = rng.integers(0, 2**31 - 1, 8)
    seeds[::2] += SHIFTED
    for env in (real, ours):
        env.reset_levels(seeds, np.arange(8))
    ends = 0
    for _ in range(600):
        actions, active = rng.integers(0, 4, 8), rng.random(8) < 0.9
        for env in (real, ours):
            env.step(actions, active)
        for name in FIELDS:
            np.testing.assert_array_equal(getattr(real.core, name), getattr(ours.core, name), name)
        over = np.flatnonzero(ours.done)
        ends += len(over)
        fresh = rng.integers(0, 2**31 - 1, len(over))
        for env in (real, ours):
            env.reset_levels(fresh, over)
    assert ends > 5


@needs_the_game
@pytest.mark.parametrize("script", ["optimal", "corner-seeker"])
def test_scripts_get_in_the_real_game_what_they_get_in_ours(script):
    from proxylab.agents.references import load_agent

    policy = load_agent(f"script:procgen-maze/{script}")
    found = {}
    for name in (None, "procgen"):
        env = make_environment("procgen-maze", 16, name)
        seeds = env.sample_level_seeds(Levels("shifted"), 40, 0)
        episodes, outcomes = rollout(policy, env, seeds, task="procgen-maze", seed=0)
        found[name] = (episodes.state_id, outcomes.returns)
    np.testing.assert_array_equal(found[None][0], found["procgen"][0])
    np.testing.assert_array_equal(found[None][1], found["procgen"][1])
    if script == "optimal":
        assert (found["procgen"][1][:, 0] == 10).all()


@needs_the_game
def test_the_moved_cheese_is_seen_and_collected():
    real = RealProcgenMaze(1, RealProcgenConfig(observation="rgb"))
    index = np.zeros(1, np.int64)
    seed = next(s for s in range(100) if ProcgenMaze(1).maze_dims([s])[0] == 9)
    frames = {}
    for name, level_seed in {"own": seed + SHIFTED, "corner": seed}.items():
        real.reset_levels(np.array([level_seed]), index)
        frames[name] = real.observe()[0].copy()
    assert frames["own"].shape == (64, 64, 3)
    assert (frames["own"] != frames["corner"]).any(axis=2).mean() > 0.002
    while not real.done[0]:
        real.step(real.script_actions("corner-seeker", index).argmax(1))
    assert real.core.returns[0].tolist() == [10, 10]


@needs_the_game
def test_fifteen_actions_move_as_four():
    wide, narrow = (RealProcgenMaze(1, RealProcgenConfig(all_actions=a)) for a in (True, False))
    for env in (wide, narrow):
        env.reset_levels(np.array([7]), np.zeros(1, np.int64))
    assert wide.single_action_space.n == 15
    for move, action in ((0, 5), (3, 7), (1, 3), (2, 1), (0, 5), (3, 6)):
        narrow.step(np.array([move]))
        wide.step(np.array([action]))
        assert wide.core.mouse.tolist() == narrow.core.mouse.tolist()
    before = wide.core.mouse.copy()
    wide.step(np.array([9]))
    assert (wide.core.mouse == before).all()
    assert wide.script_actions("optimal", np.zeros(1, np.int64)).shape == (1, 15)


@needs_the_game
def test_a_snapshot_goes_back():
    env = RealProcgenMaze(2)
    env.seed_levels(Levels("train"), 0)
    env.reset()
    kept = env.snapshot()
    ways = []
    for _ in range(2):
        env.restore(kept)
        rng, way = np.random.default_rng(0), []
        for _ in range(30):
            env.step(rng.integers(0, 4, 2))
            way.append(env.core.state_ids.copy())
            env.reset_done()
        ways.append(np.array(way))
    np.testing.assert_array_equal(*ways)


@needs_the_game
def test_it_keeps_the_contract():
    env = gym.make(REAL)
    check_env(env.unwrapped, skip_render_check=True)
    assert check_proxy_env(env) == []


@needs_the_game
def test_agents_are_evaluated_in_the_real_game(capsys):
    arguments = ["script:procgen-maze/optimal", "--env", "procgen", "--episodes", "20", "--json"]
    assert main(["evaluate", *arguments]) == 0
    assert '"verdict": "ok"' in capsys.readouterr().out


@needs_the_game
def test_states_that_are_none_are_refused():
    with pytest.raises(ValueError, match="this is not a state of a maze"):
        state.read_maze(b"\0" * 100)
    game = RealProcgenMaze(1)
    game.reset_levels(np.array([3]), np.zeros(1, np.int64))
    with pytest.raises(ValueError, match="there is a wall"):
        state.with_cheese(game.games.get_state(0), (0, 0))


# Installing


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """An empty cache, and a platform on which the game exists."""
    monkeypatch.setenv("PROXYLAB_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv(install.ENVIRONMENT, raising=False)
    monkeypatch.setattr(install, "platform_obstacle", lambda: None)
    monkeypatch.setattr(install, "_installed", lambda: None)
    return tmp_path


def a_wheel(folder, monkeypatch):
    """A small wheel whose checksum counts as the pinned one."""
    path = folder / "procgen-0.10.7-cp310-cp310-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(str(install.LIBRARY), b"no library")
        archive.writestr("procgen/data/assets/cheese.png", b"picture")
        archive.writestr("procgen/__init__.py", b"")
    monkeypatch.setattr(install, "SHA256", hashlib.sha256(path.read_bytes()).hexdigest())
    return path


def test_the_library_and_its_assets_are_unpacked_and_found(elsewhere, monkeypatch):
    folder = install.install(a_wheel(elsewhere, monkeypatch))
    assert folder == find_library() == elsewhere / "cache" / "procgen-0.10.7"
    assert (folder / "procgen/data/assets/cheese.png").is_file()
    assert not (folder / "procgen/__init__.py").exists()
    assert [path.name for path in (elsewhere / "cache").iterdir()] == ["procgen-0.10.7"]


def complaint(capsys, *arguments):
    code = main(list(arguments))
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    return code, error


def test_a_wrong_checksum_is_refused_and_leaves_nothing(elsewhere, capsys):
    wheel = elsewhere / "procgen-0.10.7.whl"
    wheel.write_bytes(b"something else")
    code, error = complaint(capsys, "procgen", "install", "--wheel", str(wheel))
    assert code == 2
    assert "has the checksum" in error
    assert not list((elsewhere / "cache").iterdir())


def test_no_network_is_said(elsewhere, capsys, monkeypatch):
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    code, error = complaint(capsys, "procgen", "install")
    assert (code, "procgen 0.10.7 cannot be fetched" in error) == (2, True)


def test_a_missing_library_says_how_to_get_it(elsewhere, capsys):
    code, error = complaint(capsys, "evaluate", "script:procgen-maze/optimal", "--env", "procgen")
    assert (code, "proxylab procgen install" in error) == (2, True)


def test_a_damaged_library_is_said(elsewhere, monkeypatch):
    install.install(a_wheel(elsewhere, monkeypatch))
    with pytest.raises(ProcgenMissing, match="does not load"):
        make_batched(REAL, 1)


def test_an_explicit_folder_without_the_library_is_said(elsewhere, monkeypatch):
    monkeypatch.setenv(install.ENVIRONMENT, str(elsewhere))
    with pytest.raises(ProcgenMissing, match="holds no"):
        find_library()


def test_another_platform_is_said(monkeypatch):
    monkeypatch.setattr(install.sys, "platform", "darwin")
    with pytest.raises(ProcgenMissing, match="for Linux on x86-64 only"):
        find_library()


def test_an_unknown_environment_lists_those_there_are(capsys):
    code, error = complaint(capsys, "evaluate", "script:procgen-maze/optimal", "--env", "chess")
    assert code == 2
    assert "chess: " in error
    assert "module:factory" in error


# From pixels

FEW = {"total_timesteps": 64, "num_envs": 4, "sizes": {"channels": [2, 2], "width": 8}}


@needs_the_game
@pytest.mark.parametrize("algorithm", ["ppo", pytest.param("bc", marks=pytest.mark.slow)])
def test_a_network_learns_from_pixels_and_resumes_to_the_same_bytes(
    algorithm, tmp_path, monkeypatch
):
    """A few updates of a tiny IMPALA network; interrupted in the middle, and not."""
    from proxylab.agents import loading
    from proxylab.config import PPOConfig
    from proxylab.storage.store import read_table
    from proxylab.tasks import TASKS, Task
    from proxylab.training import callbacks
    from proxylab.training.callbacks import TrainingCallback
    from proxylab.training.train import train

    few = {"check_levels": 4, "final_eval_levels": 4, "checks": 1}
    tiny = Task(**{**vars(TASKS["procgen-pixels"]), **few})
    monkeypatch.setitem(TASKS, "procgen-pixels", tiny)
    monkeypatch.setattr(callbacks, "SHIFTED_LEVELS", 4)
    monkeypatch.setattr(loading, "BLOCK_ROWS", 4)  # 64 images a call for 4 mice would be slow
    options = {"ppo": PPOConfig(n_steps=8, batch_size=16), "algorithm": algorithm, **FEW}
    train("procgen-pixels", out=tmp_path / "whole", **options)
    save = TrainingCallback._save

    def save_and_stop(self):
        save(self)
        if self.num_timesteps == 32:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(TrainingCallback, "_save", save_and_stop)
        with pytest.raises(KeyboardInterrupt):
            train("procgen-pixels", out=tmp_path / "cut", **options)
    train("procgen-pixels", out=tmp_path / "cut", resume=True, **options)
    whole, cut = (tmp_path / name / "agent.safetensors" for name in ("whole", "cut"))
    assert whole.read_bytes() == cut.read_bytes()
    assert all(
        np.isfinite(row["success"]) for row in read_table(tmp_path / "whole/metrics.parquet")
    )
