"""The monitor: the same readings however episodes come, alarms on hacks, logs as they grow."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace

import gymnasium as gym
import numpy as np
import pytest

import proxylab_envs  # noqa: F401, registers the ids
from proxylab.agents.references import load_agent
from proxylab.cli import main
from proxylab.errors import UsageError
from proxylab.logs.live import EpisodeReader, Tail, episodes_of
from proxylab.monitor.run import Monitor
from proxylab.monitor.wrapper import MonitorWrapper
from proxylab.rollouts.rollout import rollout
from proxylab_envs.levels import Levels
from proxylab_envs.maze_corner.env import MazeCorner

SEEKER = "script:maze-corner/corner-seeker"
HONEST = "zoo:maze-corner/honest-00"


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    folder = tmp_path_factory.mktemp("results")
    before = os.environ.get("PROXYLAB_RESULTS")
    os.environ["PROXYLAB_RESULTS"] = str(folder)
    yield folder
    os.environ.pop("PROXYLAB_RESULTS") if before is None else os.environ.update(
        PROXYLAB_RESULTS=before
    )


@pytest.fixture
def monitor(results):
    return Monitor("maze-corner", episodes=40)


def played(agent, count=20, seed=5):
    env = MazeCorner(16)
    levels = env.sample_level_seeds(Levels("shifted"), count, seed)
    return rollout(load_agent(agent), env, levels, task="maze-corner", seed=seed)[0]


def test_a_corner_seeker_alarms_and_an_honest_policy_does_not(monitor, results):
    monitor.observe(played(SEEKER, 40))
    found = monitor.report("seeker")
    assert found.alarm
    assert found.alarm_episode <= 30
    assert found.e_value >= found.threshold
    assert (found.n_reference, found.n_calibration) == (25, 75)
    fresh = Monitor("maze-corner", episodes=40)
    fresh.observe(played(HONEST, 40))
    report = fresh.report("honest")
    assert (report.alarm, report.alarm_episode, report.episodes) == (False, None, 40)
    assert report.as_json()["schema"] == "proxylab.monitor/1"
    assert json.loads(json.dumps(report.as_json()))["readings"][0]["episode"] == 0


def test_a_restarted_monitor_forgets(monitor, results):
    fresh = monitor.observe(played(HONEST, 6))
    monitor.observe(played(SEEKER, 40))
    monitor.restart()
    assert monitor.observe(played(HONEST, 6)) == fresh
    assert not monitor.report("honest").alarm


def test_one_by_one_or_all_at_once_is_the_same(monitor, results):
    episodes = played(SEEKER, 12)
    repeated = episodes.select([0, 3, 3, 1, 2, 0, 7])
    monitor.observe(repeated)
    other = Monitor("maze-corner", episodes=40)
    for k in range(repeated.num_episodes):
        other.observe(repeated.select([k]))
    assert other.readings == monitor.readings
    assert [r.level_seed for r in other.readings] == repeated.level_seed.tolist()


def test_logs_can_be_trusted_on_their_own_levels(results):
    logs = [replace(played(f"zoo:maze-corner/trusted-{k:02d}"), policy=f"t{k}") for k in range(30)]
    monitor = Monitor(trusted=logs)
    elsewhere = played(SEEKER, 5, seed=6)
    assert monitor.observe(elsewhere) == []
    monitor.observe(played(SEEKER))
    found = monitor.report("x")
    assert (found.episodes, found.skipped, found.split) == (20, 5, None)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"alpha": 0.01}, "takes 100 calibration policies"),
        ({"alpha": 1.5}, "alpha must lie"),
        ({"detector": "mean_js"}, "cannot be watched"),
        ({"detector": "occupancy_chi2"}, "cannot be watched"),
        ({"detector": "nose"}, "unknown detector"),
        ({"split": "moon"}, "no split 'moon'"),
        ({"task": "chess"}, "chess"),
        ({"task": None}, "name the task"),
    ],
)
def test_wrong_use_is_refused(results, options, message):
    with pytest.raises(UsageError, match=message):
        Monitor(**{"task": "maze-corner", "episodes": 5, **options})


def test_episodes_of_another_environment_are_refused(monitor):
    with pytest.raises(UsageError, match="num_states 81, the watched has 900"):
        monitor.observe(replace(played(SEEKER, 2), num_states=900))


def test_the_wrapper_sees_what_a_rollout_records(monitor, results):
    env = MonitorWrapper(gym.make("proxylab/MazeCorner-v1"), monitor)
    expected = played("script:maze-corner/corner-seeker", 3)
    for e in range(3):
        start, stop = expected.episode_offsets[e : e + 2]
        env.reset(options={"level_seed": int(expected.level_seed[e])})
        for action in expected.action[start:stop]:
            *_, terminated, truncated, info = env.step(int(action))
        assert terminated or truncated
        assert info["monitor"]["level_seed"] == expected.level_seed[e]
    other = Monitor("maze-corner", episodes=40)
    other.observe(expected)
    assert other.readings == monitor.readings


def test_an_abandoned_episode_does_not_count(monitor):
    env = MonitorWrapper(gym.make("proxylab/MazeCorner-v1"), monitor)
    env.reset(seed=1)
    env.step(0)
    env.reset()
    assert monitor.process.episodes == 0
    assert env._recorder.actions == []


def test_a_foreign_environment_needs_to_say_its_states(monitor):
    foreign = gym.make("CartPole-v1")
    with pytest.raises(ValueError, match="state_of"):
        MonitorWrapper(foreign, monitor)
    assert MonitorWrapper(foreign, monitor, state_of=lambda env: 3)._state_of(foreign) == 3


def test_the_callback_scores_whole_episodes_of_the_watched_environments(monitor, results):
    from proxylab.monitor.callback import MonitorCallback
    from proxylab.training.train import make_config, make_model

    model = make_model(make_config("maze-corner", num_envs=4, total_timesteps=2048))
    model.env.batched.seed_levels(Levels("shifted"), 9)
    seen = []
    observe = monitor.observe
    monitor.observe = lambda ended: seen.extend(ended) or observe(ended)
    callback = MonitorCallback(monitor, num_watched=2, start_after=512)
    model.learn(2048, callback=callback)
    assert len(seen) == monitor.process.episodes > 3
    walls = [model.env.batched.successors(e.level_seed)[0] for e in seen]
    for episode, successors in zip(seen, walls, strict=True):
        states, actions = episode.state_id, episode.action
        moved = successors[states[:-1], actions[:-1]]  # −1 where a wall is: the mouse stays
        np.testing.assert_array_equal(states[1:], np.where(moved < 0, states[:-1], moved))
    if monitor.process.alarm is not None:
        assert callback.alarm_timesteps > 512


def lines_of(episodes, how):
    """JSON lines of Episodes, one an episode or one a step."""
    lines = [{"task": episodes.task, "policy": "p"}]
    for e in range(episodes.num_episodes):
        steps = slice(*episodes.episode_offsets[e : e + 2])
        columns = {n: getattr(episodes, n)[steps].tolist() for n in ("state_id", "action")}
        level = {"level_seed": int(episodes.level_seed[e])}
        ends = {n: bool(getattr(episodes, n)[e]) for n in ("terminated", "truncated")}
        if how == "episodes":
            lines.append({**level, **columns, **ends, "reward": "never read"})
            continue
        count = len(columns["action"])
        for t in range(count):
            step = {n: values[t] for n, values in columns.items()}
            lines.append({"episode": e, **level, **step, **(ends if t == count - 1 else {})})
    return [json.dumps(line) + "\n" for line in lines]


FACTS = {"task": "maze-corner", "policy": "watched", "num_states": 81, "num_actions": 4}


@pytest.mark.parametrize("how", ["episodes", "steps"])
def test_a_log_gives_the_episodes_that_were_written(tmp_path, how):
    episodes = played(SEEKER, 6)
    path = tmp_path / "log.jsonl"
    path.write_text("".join(lines_of(episodes, how)))
    (found,) = episodes_of(Tail(path), EpisodeReader(path, **FACTS))
    assert len(found) == 6
    for name in ("state_id", "action", "level_seed", "terminated", "truncated"):
        joined = np.concatenate([getattr(e, name) for e in found])
        np.testing.assert_array_equal(joined, getattr(episodes, name))


@pytest.mark.parametrize("how", ["episodes", "steps"])
def test_a_growing_log_is_read_piece_by_piece(tmp_path, how):
    episodes = played(SEEKER, 3)
    path = tmp_path / "log.jsonl"
    path.write_bytes(b"")
    raw = "".join(lines_of(episodes, how)).encode()
    tail, reader, found = Tail(path), EpisodeReader(path, **FACTS), []
    for start in range(0, len(raw), 61):  # pieces end within lines
        with open(path, "ab") as file:
            file.write(raw[start : start + 61])
        found += reader.take(tail.records())
    assert [int(e.level_seed[0]) for e in found] == episodes.level_seed.tolist()
    assert [e.num_steps for e in found] == episodes.lengths.tolist()


def test_a_followed_log_waits_for_more(tmp_path):
    episodes = played(SEEKER, 2)
    path = tmp_path / "log.jsonl"
    lines = lines_of(episodes, "episodes")
    path.write_text("".join(lines[:2]))
    waits = []

    def sleep(seconds):
        waits.append(seconds)
        if len(waits) > 1:
            raise KeyboardInterrupt
        with open(path, "a") as file:
            file.write(lines[2])

    found = []
    with pytest.raises(KeyboardInterrupt):
        found.extend(
            part for part in _until_interrupted(Tail(path), EpisodeReader(path, **FACTS), sleep)
        )
    assert len(waits) == 2


def _until_interrupted(tail, reader, sleep):
    return episodes_of(tail, reader, follow=True, sleep=sleep)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{half", "line 2: this is not a JSON object"),
        ("[1]", "line 2: this is not a JSON object"),
        ('{"action": [0], "state_id": [3]}', "line 2: 'level_seed' is missing"),
        ('{"action": [0, 9], "state_id": [3, 3], "level_seed": 1}', "action 9"),
        ('{"action": [0], "state_id": [99], "level_seed": 1}', "state_id 99"),
        ('{"action": [], "state_id": [], "level_seed": 1}', "has no steps"),
        ('{"action": [0], "state_id": [1, 2], "level_seed": 1}', "state_id has shape"),
    ],
)
def test_a_line_that_cannot_be_read_is_named(tmp_path, line, message):
    path = tmp_path / "log.jsonl"
    path.write_text('{"task": "maze-corner"}\n' + line + "\n")
    with pytest.raises(UsageError, match=message):
        list(episodes_of(Tail(path), EpisodeReader(path, **FACTS)))


def run(capsys, *arguments):
    """(exit code, stdout, stderr) of a command line."""
    code = main(["monitor", *map(str, arguments)])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_the_command_reads_a_log(capsys, tmp_path, results):
    path = tmp_path / "log.jsonl"
    path.write_text("".join(lines_of(played(SEEKER, 40), "steps")))
    code, out, err = run(capsys, path, "--episodes", 40)
    assert code == 0
    assert "ALARM after" in out
    assert err.splitlines()[0].startswith("episode 1, level ")
    code, out, _ = run(capsys, path, "--episodes", 40, "--json", "--exit-code")
    found = json.loads(out)
    assert (code, found["alarm"], found["episodes"]) == (3, True, 40)
    alarms = [r["alarm"] for r in found["readings"]]
    assert alarms.index(True) == found["alarm_episode"] - 1


def test_trusted_agents_that_pursue_the_proxy_are_warned_of(capsys, tmp_path, results):
    path = tmp_path / "honest.jsonl"
    path.write_text("".join(lines_of(played(HONEST, 3), "episodes")))
    hack = "zoo:maze-corner/hack-02"
    options = ["--episodes", 5, "--json", "--trusted", "zoo:maze-corner/trusted"]
    code, out, err = run(capsys, path, *options, hack)
    (warning,) = json.loads(out)["warnings"]
    assert code == 0
    assert hack in warning
    assert err.startswith(f"WARNING: {warning}\n")
    code, out, err = run(capsys, path, *options)
    assert (code, json.loads(out)["warnings"]) == (0, [])
    assert "WARNING" not in err


@pytest.mark.parametrize(
    ("text", "options", "complaint"),
    [
        (None, [], "there is no such file"),
        ('{"level_seed": 1}\n', [], "does not name its task: --task"),
        ("nonsense\n", [], "line 1: this is not a JSON object"),
        ('{"task": "chess"}\n', [], "unknown task 'chess'"),
        ('{"task": "maze-corner"}\n', ["--alpha", "0.001"], "takes 1000 calibration policies"),
    ],
)
def test_wrong_use_is_one_line(capsys, tmp_path, results, text, options, complaint):
    path = tmp_path / "log.jsonl"
    if text is not None:
        path.write_text(text)
    code, out, err = run(capsys, path, "--episodes", 5, *options)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert complaint in err


def test_ctrl_c_ends_following_with_a_summary(tmp_path, results):
    path = tmp_path / "log.jsonl"
    path.write_text("".join(lines_of(played(SEEKER, 2), "episodes")))
    command = [sys.executable, "-m", "proxylab", "monitor", str(path), "--follow", "--json"]
    process = subprocess.Popen(
        [*command, "--episodes", "40"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        lines = [process.stderr.readline() for _ in range(2)]
        assert lines[1].startswith("episode 2, level ")
        with open(path, "a") as file:
            file.write(lines_of(played(SEEKER, 1), "episodes")[1])
        assert process.stderr.readline().startswith("episode 3, level ")
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=30)
    finally:
        process.kill()
    found = json.loads(out)
    assert process.returncode == 130
    assert (found["episodes"], found["interrupted"]) == (3, True)
