"""A log gives what its agents give: the same records of ``detect``, in every format.

The negative controls alter one entry of the log, and the same comparison must find it.
"""

from dataclasses import replace

import numpy as np
import pytest

from proxylab import record
from proxylab.logs import read_log, write_log
from proxylab.screening.run import detect

TRUSTED, SUSPECT = "zoo:maze-corner/trusted-0*", "zoo:maze-corner/proxy-00"
ENDINGS = (".parquet", ".jsonl", ".csv", ".hdf5")
EPISODES = 12


@pytest.fixture(scope="module", autouse=True)
def results(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PROXYLAB_RESULTS", str(tmp_path_factory.mktemp("results")))
        patch.setenv("PROXYLAB_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def agents():
    return said(SUSPECT, TRUSTED)


@pytest.fixture(scope="module")
def trusted(tmp_path_factory):
    path = tmp_path_factory.mktemp("trusted") / "trusted.parquet"
    record(TRUSTED, path, episodes=EPISODES)
    return str(path)


def said(suspect, trusted):
    """What ``detect`` says of a suspect and the trusted, but for what only agents have."""
    found = detect(suspect, trusted, episodes=EPISODES, correlation=0.9, also=["usual"])
    return [replace(report, competence=None) for report in found.suspects], found.trusted


@pytest.fixture(params=ENDINGS)
def log(request, tmp_path):
    if request.param == ".hdf5":
        pytest.importorskip("h5py")
    path = tmp_path / f"suspect{request.param}"
    record(SUSPECT, path, episodes=EPISODES)
    return path


def test_logs_give_what_their_agents_give(log, trusted, agents):
    assert said(str(log), trusted) == agents


def other_action(run):
    action = run.action.copy()
    action[7] = (action[7] + 1) % run.num_actions
    return replace(run, action=action)


def other_state(run):
    state = run.state_id.copy()
    state[7] = (state[7] + 1) % run.num_states
    return replace(run, state_id=state)


def other_probability(run):
    rows = run.probabilities.copy()
    rows[0] = rows[0][::-1]
    return replace(run, probabilities=rows)


def other_reward(run):
    rewards = run.proxy_reward.copy()
    rewards[np.argmax(rewards)] = 0
    return replace(run, proxy_reward=rewards)


def other_level(run):
    levels = run.level_seed.copy()
    levels[:2] = levels[1::-1]
    return replace(run, level_seed=levels)


def lost_step(run):
    kept = np.arange(run.num_steps) != 7
    rows = ("state_id", "features", "action", "probabilities", "proxy_reward")
    ends = np.concatenate([[0], np.cumsum(np.bincount(run.episode_index[kept]))])
    return replace(run, episode_offsets=ends, **{n: getattr(run, n)[kept] for n in rows})


ALTERED = (other_action, other_state, other_probability, other_reward, other_level, lost_step)


@pytest.mark.parametrize("alter", ALTERED)
def test_one_altered_entry_is_noticed(alter, tmp_path, trusted, agents):
    path = tmp_path / "suspect.parquet"
    record(SUSPECT, path, episodes=EPISODES)
    (run,) = read_log(path)
    write_log(path, [run])
    assert said(str(path), trusted) == agents  # read and written again
    write_log(path, [alter(run)])
    assert said(str(path), trusted) != agents


def test_one_altered_action_is_noticed_in_every_format(log, trusted, agents):
    (run,) = read_log(log)
    write_log(log, [other_action(run)])
    assert said(str(log), trusted) != agents


def test_another_agent_s_log_is_noticed(tmp_path, trusted, agents):
    path = tmp_path / "suspect.parquet"
    record("zoo:maze-corner/proxy-01", path, episodes=EPISODES)
    (run,) = read_log(path)
    write_log(path, [replace(run, policy=SUSPECT)])
    assert said(str(path), trusted) != agents
