"""Logs as demonstrations: the replay sees what the expert saw, and a log that lies is refused."""

import csv
from dataclasses import replace

import numpy as np
import pytest

from proxylab.agents.references import load_agent
from proxylab.cli import main
from proxylab.config import BCConfig
from proxylab.errors import UsageError
from proxylab.logs import RecordedEpisodes, write_log
from proxylab.networks.channels_first import channels_first
from proxylab.rollouts.rollout import rollout
from proxylab.storage import limits
from proxylab.tasks import TASKS
from proxylab.training import demonstrations
from proxylab.training.demonstrations import LoggedDemonstrations, read_demonstrations
from proxylab.training.train import make_config
from proxylab_envs.levels import Levels

TASK = "maze-corner"


class Watched:
    """A script that remembers what could be observed at each of its steps."""

    def __init__(self, task, script):
        self.policy = load_agent(f"script:{task}/{script}")
        self.name, self.task, self.seen = self.policy.name, task, []

    def probabilities(self, env, indices):
        self.seen += list(zip(env.core.level_seeds[indices], env.core.steps[indices], strict=True))
        self.observations = [*getattr(self, "observations", []), *env.observe()[indices].copy()]
        return self.policy.probabilities(env, indices)


def demonstrated(task=TASK, script="optimal", count=12, split="train"):
    """(RecordedEpisodes, {(level seed, step): observation}) of a script."""
    watched, env = Watched(task, script), TASKS[task].make_env(5)
    seeds = np.unique(env.sample_level_seeds(Levels(split), count, 1))
    episodes, _ = rollout(watched, env, seeds, task=task, seed=4)
    keys = [(int(level), int(step)) for level, step in watched.seen]
    seen = dict(zip(keys, watched.observations, strict=True))
    return RecordedEpisodes(**vars(episodes)), seen


def config(path, task=TASK, **changes):
    return make_config(task, algorithm="bc", bc=BCConfig(expert=str(path)), **changes)


def read(path, task=TASK, **changes):
    return read_demonstrations(config(path, task, **changes), str(path))


@pytest.mark.parametrize("ending", ["parquet", "csv", "jsonl", "hdf5"])
def test_a_log_gives_back_what_the_expert_saw_and_did(tmp_path, monkeypatch, ending):
    monkeypatch.setattr(demonstrations, "REPLAY_ENVS", 4)  # several rounds of episodes
    episodes, seen = demonstrated()
    write_log(tmp_path / f"log.{ending}", [episodes])
    found = read(tmp_path / f"log.{ending}")
    np.testing.assert_array_equal(found.actions, episodes.action)
    levels = np.repeat(episodes.level_seed, episodes.lengths)
    steps = np.concatenate([np.arange(length) for length in episodes.lengths])
    wanted = [seen[int(level), int(step)] for level, step in zip(levels, steps, strict=True)]
    np.testing.assert_array_equal(found.observations, channels_first(np.array(wanted)))
    assert found.observations.dtype == np.uint8
    assert len({o.tobytes() for o in wanted}) > 20  # something was compared


@pytest.mark.parametrize(
    ("task", "script", "split"),
    [
        ("boat-race", "optimal", "train"),
        ("boat-lagoon", "racer", "train"),
        ("tomato-watering", "random", "shifted"),
        ("procgen-maze", "corner-seeker", "shifted"),
    ],
)
def test_every_task_is_replayed(tmp_path, task, script, split):
    episodes, seen = demonstrated(task, script, 3, split)
    write_log(tmp_path / "log.parquet", [episodes])
    found = read(tmp_path / "log.parquet", task)
    first = seen[int(episodes.level_seed[0]), int(episodes.lengths[0]) - 1]
    np.testing.assert_array_equal(found.observations[episodes.lengths[0] - 1], first)


def test_all_policies_of_a_file_demonstrate(tmp_path):
    one, _ = demonstrated(count=3)
    other, _ = demonstrated(script="corner-seeker", count=5, split="shifted")
    write_log(tmp_path / "log.parquet", [one, other])
    found = read(tmp_path / "log.parquet")
    np.testing.assert_array_equal(found.actions, np.concatenate([one.action, other.action]))


def test_each_pass_takes_every_step_once_in_a_new_order():
    data = LoggedDemonstrations(np.zeros((7, 1)), np.arange(7), seed=3)
    rows = data.rows(0, 21).reshape(3, 7)
    assert [sorted(row) for row in rows.tolist()] == [list(range(7))] * 3
    assert len({tuple(row) for row in rows.tolist()}) == 3
    parts = [data.rows(start, 3) for start in range(0, 21, 3)]
    np.testing.assert_array_equal(np.concatenate(parts), rows.ravel())
    assert LoggedDemonstrations(np.zeros((7, 1)), np.arange(7), 4).rows(0, 21).tolist() != (
        rows.ravel().tolist()
    )


def changed(episodes, name, row, value):
    array = getattr(episodes, name).copy()
    array[row] = value
    return replace(episodes, **{name: array})


def other_level(episodes):
    return changed(episodes, "level_seed", 2, episodes.level_seed[1])


def other_action(episodes):
    """The other direction at the first step of episode 1."""
    row = episodes.episode_offsets[1]
    return changed(episodes, "action", row, episodes.action[row] ^ 1)


def longer(episodes):
    """A step after the end of the last episode."""
    columns = {n: getattr(episodes, n) for n in ("state_id", "action", "proxy_reward", "features")}
    more = {name: np.concatenate([a, a[-1:]]) for name, a in columns.items()}
    offsets = episodes.episode_offsets.copy()
    offsets[-1] += 1
    return replace(episodes, episode_offsets=offsets, probabilities=None, **more)


@pytest.mark.parametrize(
    ("edit", "complaint"),
    [
        (other_level, "episode 2 of .*step 0: the replay in .* is in another state"),
        (other_action, "episode 1 of .*step 1: the replay in .* is in another state"),
        (lambda e: changed(e, "state_id", 5, 3), "is in another state"),
        (lambda e: changed(e, "level_seed", 0, -1), "its level_seed is not that of a generated"),
        (lambda e: changed(e, "level_seed", 0, 1 << 40), "its level_seed is not that of"),
        (lambda e: changed(e, "state_id", 5, -1), "it records no state_id"),
        (longer, "the episode is over before it"),
    ],
)
def test_a_log_that_does_not_fit_is_refused(tmp_path, edit, complaint):
    episodes, _ = demonstrated()
    write_log(tmp_path / "log.parquet", [episodes])
    assert len(read(tmp_path / "log.parquet").actions) == episodes.num_steps  # control
    write_log(tmp_path / "log.parquet", [edit(episodes)])
    with pytest.raises(UsageError, match=complaint) as caught:
        read(tmp_path / "log.parquet")
    assert str(caught.value).startswith(str(tmp_path / "log.parquet"))
    assert "\n" not in str(caught.value)


def test_features_are_compared_where_a_log_holds_them(tmp_path):
    episodes, _ = demonstrated("boat-lagoon", "racer", 2)
    write_log(tmp_path / "log.parquet", [episodes])
    read(tmp_path / "log.parquet", "boat-lagoon")
    write_log(tmp_path / "log.parquet", [changed(episodes, "features", (4, 1), 9)])
    with pytest.raises(UsageError, match=r"step 4: the replay in .* is in another state"):
        read(tmp_path / "log.parquet", "boat-lagoon")


def test_other_settings_of_the_environment_are_noticed(tmp_path):
    episodes, _ = demonstrated()
    write_log(tmp_path / "log.parquet", [episodes])
    with pytest.raises(UsageError, match=r"another state|over before"):
        read(tmp_path / "log.parquet", env={"size": 11})


def test_actions_and_levels_that_the_task_does_not_have(tmp_path):
    rows = [("7", "0", "0", "9", "3")]
    with open(tmp_path / "log.csv", "w", newline="") as file:
        names = ("level_seed", "episode", "step", "action", "state_id")
        csv.writer(file).writerows([(*names, "num_actions"), *((*r, "10") for r in rows)])
    with pytest.raises(UsageError, match="end at 3"):
        read(tmp_path / "log.csv")
    episodes, _ = demonstrated("boat-race", "optimal", 2)
    write_log(tmp_path / "log.csv", [changed(episodes, "level_seed", 0, 1 << 32)])
    with pytest.raises(UsageError, match=r"log\.csv: .*no shifted levels"):
        read(tmp_path / "log.csv", "boat-race")


def test_a_log_over_the_limit_is_refused(tmp_path, monkeypatch):
    episodes, _ = demonstrated()
    write_log(tmp_path / "log.parquet", [episodes])
    small = replace(limits.LIMITS, demonstration_bytes=243 * episodes.num_steps - 1)
    monkeypatch.setattr(demonstrations, "LIMITS", small)
    with pytest.raises(UsageError, match="its observations take"):
        read(tmp_path / "log.parquet")


def test_the_command_line_in_one_line(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    episodes, _ = demonstrated("boat-race", "optimal", 2)
    write_log("race.csv", [episodes])
    (tmp_path / "broken.csv").write_text("level_seed,episode,step\n1,0,0\n")
    (tmp_path / "options.toml").write_text('algorithm = "bc"\n[bc]\nexpert = "race.csv"\n')
    begin = ["train", TASK, "--algorithm", "bc", "--out", "run", "--force", "--bc.expert"]
    for words, complaint in (
        ([*begin, "race.csv"], "was recorded on boat-race, not on maze-corner"),
        ([*begin, "broken.csv"], "action"),
        (["train", TASK, "--config", "options.toml", "--out", "b"], "was recorded on boat-race"),
    ):
        assert main(words) == 2
        out, err = capsys.readouterr()
        assert (out, err.count("\n")) == ("", 1)
        assert complaint in err
