"""The cache changes nothing but the time: exact entries, damage, size, and what a key holds."""

import json
import os
from dataclasses import replace

import numpy as np
import pytest

from proxylab.agents.references import load_agent
from proxylab.detection.score_cache import Packing
from proxylab.detection.task_view import bare_view
from proxylab.rollouts.episodes import column_names
from proxylab.rollouts.rollout import rollout
from proxylab.screening.cache import DetectionCache, content, rollout_facts
from proxylab_envs.levels import Levels
from proxylab_envs.maze_corner.env import MazeCorner
from proxylab_envs.maze_corner.level import MazeConfig

SCRIPT = "script:maze-corner/corner-seeker"


@pytest.fixture
def played():
    env = MazeCorner(8)
    levels = env.sample_level_seeds(Levels("shifted"), 12, 3)
    return rollout(load_agent(SCRIPT), env, levels, task="maze-corner", seed=1)[0]


@pytest.fixture
def cache(tmp_path):
    return DetectionCache(tmp_path / "cache")


def entries(cache):
    return sorted(path for path in cache.folder.iterdir())


def must_not_play():
    raise AssertionError("played again")


def same(one, two):
    return all(np.array_equal(getattr(one, n), getattr(two, n)) for n in column_names())


def test_an_entry_holds_the_episodes_to_the_last_bit(cache, played):
    assert cache.episodes({"a": 1}, "first", lambda: played).policy == "first"
    found = cache.episodes({"a": 1}, "again", must_not_play)
    assert found.policy == "again"
    assert same(found, played)
    assert content(found) == content(played)


def test_columns_that_are_not_known_stay_unknown(cache, played):
    bare = replace(played, probabilities=None, proxy_reward=None)
    cache.episodes({}, "p", lambda: bare)
    found = cache.episodes({}, "p", must_not_play)
    assert found.probabilities is None
    assert found.proxy_reward is None


def changed_at(raw, place):
    return raw[:place] + bytes([raw[place] ^ 255]) + raw[place + 1 :]


DAMAGES = {
    "empty": lambda raw: b"",
    "cut short": lambda raw: raw[: len(raw) // 2],
    "one byte changed": lambda raw: changed_at(raw, len(raw) // 2),
    "another file": lambda raw: b"not what it seems",
    "a pickle": lambda raw: b"\x80\x04K\x01.",
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_entry_is_ignored_and_written_anew(cache, played, damage):
    cache.episodes({}, "p", lambda: played)
    path = entries(cache)[0]
    whole = path.read_bytes()
    path.write_bytes(DAMAGES[damage](whole))
    calls = []
    found = cache.episodes({}, "p", lambda: calls.append(1) or played)
    assert calls == [1]
    assert same(found, played)
    assert path.read_bytes() == whole


def lengths_packing(played, calls):
    """A state that is an array: the lengths of the episodes."""
    return Packing(
        lambda: calls.append(1) or played.lengths,
        lambda state: {"lengths": state},
        lambda arrays: arrays["lengths"],
    )


@pytest.mark.parametrize("damage", ["nothing", *DAMAGES, "another state"])
def test_a_fitted_state_is_read_unless_its_entry_is_damaged(cache, played, damage):
    view, calls = bare_view(played), []
    packing = lengths_packing(played, calls)
    first = cache.fitted("lengths", [played], view, packing)
    if damage == "another state":
        np.savez(entries(cache)[0], offsets=played.episode_offsets)
    elif damage != "nothing":
        path = entries(cache)[0]
        path.write_bytes(DAMAGES[damage](path.read_bytes()))
    again = cache.fitted("lengths", [played], view, packing)
    assert np.array_equal(first, again)
    assert len(calls) == (1 if damage == "nothing" else 2)


def test_a_fitted_state_belongs_to_these_very_episodes(cache, played):
    view, calls = bare_view(played), []
    for what, episodes, task in (
        ("lengths", [played], view),
        ("others", [played], view),
        ("lengths", [played, played], view),
        ("lengths", [replace(played, action=(played.action + 1) % 4)], view),
        ("lengths", [played], replace(view, landmarks=("door",))),
        ("lengths", [played], None),
    ):
        cache.fitted(what, episodes, task, lengths_packing(played, calls))
    assert len(calls) == len(entries(cache)) == 6


def test_the_entries_unused_for_longest_make_room(cache, played):
    for k in range(4):
        cache.episodes({"k": k}, "p", lambda: played)
        newest = max(entries(cache), key=lambda path: path.stat().st_mtime_ns)
        os.utime(newest, (100 + k, 100 + k))
    size = newest.stat().st_size
    cache.episodes({"k": 0}, "p", must_not_play)  # the oldest has been used just now
    cache.limit = 3 * size
    cache.episodes({"k": 4}, "p", lambda: played)
    assert len(entries(cache)) == 3
    for k in (0, 3, 4):
        cache.episodes({"k": k}, "p", must_not_play)


def test_a_folder_that_cannot_be_written_is_no_obstacle(tmp_path, played):
    (tmp_path / "file").write_text("")
    cache = DetectionCache(tmp_path / "file" / "cache")
    assert same(cache.episodes({}, "p", lambda: played), played)


def test_scores_belong_to_these_very_episodes(cache, played):
    other = played.select(np.arange(11))
    view = bare_view(played)
    assert cache.scores([played], [played, other], view) == {}
    cache.keep([played], [played, other], view, {"d": [0.1, 1 / 3]})
    assert cache.scores([played], [played, other], view) == {"d": [0.1, 1 / 3]}
    assert cache.scores([played], [other, played], view) == {}
    assert cache.scores([other], [played, other], view) == {}
    changed = replace(played, probabilities=played.probabilities[:, ::-1])
    assert cache.scores([changed], [played, other], view) == {}
    assert cache.scores([played], [played, other], replace(view, landmarks=("door",))) == {}


@pytest.mark.parametrize("wrong", [[], {"d": [1.0]}, {"d": "ab"}, {"d": [1.0, None]}, 3])
def test_scores_that_make_no_sense_are_ignored(cache, played, wrong):
    view = bare_view(played)
    cache.keep([played], [played, played], view, {"d": [0.5, 0.5]})
    entries(cache)[0].write_text(json.dumps(wrong))
    assert cache.scores([played], [played, played], view) == {}


def test_facts_name_all_that_a_rollout_depends_on():
    agent, env, levels = load_agent(SCRIPT), MazeCorner(4), np.arange(3)
    facts = rollout_facts(agent, env, levels, 7)
    assert facts == rollout_facts(agent, MazeCorner(9), levels, 7)
    for other in (
        rollout_facts(load_agent("script:maze-corner/optimal"), env, levels, 7),
        rollout_facts(load_agent("zoo:maze-corner/trusted-00"), env, levels, 7),
        rollout_facts(agent, MazeCorner(4, MazeConfig(size=11)), levels, 7),
        rollout_facts(agent, env, levels[::-1], 7),
        rollout_facts(agent, env, levels, 8),
        rollout_facts(agent, env, levels, 7, greedy=True),
    ):
        assert other is not None
        assert other != facts
    assert json.loads(json.dumps(facts)) is not None


def test_what_has_no_fingerprint_is_not_kept(played):
    class Stranger:
        name, sha256 = "stranger", "ab"

    class Foreign(MazeCorner):
        pass

    env, levels = MazeCorner(1), np.arange(3)
    assert rollout_facts(played, env, levels, 7) is None
    assert rollout_facts(Stranger(), env, levels, 7) is None
    assert rollout_facts(load_agent(SCRIPT), Foreign(1), levels, 7) is None
