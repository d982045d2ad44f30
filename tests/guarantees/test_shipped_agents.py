"""A shipped agent is the one whose hash the index names.

The negative controls change one byte of the weights or one entry of the index, and reading must
refuse; without the comparison of hashes nothing would be noticed.
"""

import json
import shutil

import numpy as np
import pytest

from proxylab.agents import zoo
from proxylab.agents.zoo import ZOO, read_entry, zoo_entries
from proxylab.errors import AgentError

TASKS = sorted(path.parent.name for path in ZOO.glob("*/agents.json"))
TASK = "boat-race"


def refused(task, folder=None):
    """Names of a zoo's agents that are not what the index says."""
    zoo._index.cache_clear()
    zoo._weight_file.cache_clear()
    names = []
    for entry in zoo_entries(task, folder):
        try:
            read_entry(entry)
        except AgentError:
            names.append(entry.name)
    return names


@pytest.fixture(autouse=True)
def forget():
    """No other test reads what was cached here."""
    yield
    zoo._index.cache_clear()
    zoo._weight_file.cache_clear()


@pytest.fixture
def copy(tmp_path):
    shutil.copytree(ZOO / TASK, tmp_path / TASK)
    return tmp_path / TASK


def edit_index(folder, edit):
    path = folder / "agents.json"
    record = json.loads(path.read_text())
    edit(record["agents"])
    path.write_text(json.dumps(record))


@pytest.mark.parametrize("task", TASKS)
def test_every_shipped_agent_has_its_hash(task):
    assert refused(task) == []
    hashes = [entry.sha256 for entry in zoo_entries(task)]
    assert len(set(hashes)) == len(hashes) > 0


def flip(path, place):
    """Flip the lowest bit of one byte of the tensors."""
    raw = bytearray(path.read_bytes())
    start = 8 + int.from_bytes(raw[:8], "little")
    raw[start + int(place * (len(raw) - start - 1))] ^= 1
    path.write_bytes(raw)


@pytest.mark.parametrize("place", np.linspace(0, 1, 7))
@pytest.mark.parametrize("kind", ["trusted", "proxy"])
def test_one_flipped_byte_is_caught(copy, kind, place):
    flip(copy / f"{kind}.safetensors", place)
    (name,) = refused(TASK, copy)
    assert name.startswith(kind)


def other_digit(agents):
    digest = agents[0]["sha256"]
    agents[0]["sha256"] = ("1" if digest[0] == "0" else "0") + digest[1:]


def swapped(key):
    def swap(agents):
        agents[0][key], agents[1][key] = agents[1][key], agents[0][key]

    return swap


def other_file(agents):
    agents[0]["file"] = agents[-1]["file"]


EDITS = {
    "a digit of the hash": (other_digit, 1),
    "two hashes swapped": (swapped("sha256"), 2),
    "two names swapped": (swapped("name"), 2),
    "another weight file": (other_file, 1),
    "no hash": (lambda agents: agents[0].update(sha256=""), 1),
}


@pytest.mark.parametrize("edit", EDITS)
def test_a_changed_entry_of_the_index_is_caught(copy, edit):
    change, count = EDITS[edit]
    assert refused(TASK, copy) == []
    edit_index(copy, change)
    assert len(refused(TASK, copy)) == count


def test_swapped_weights_are_caught(copy):
    """Two sound files, each under the other's name."""
    trusted, proxy = (copy / f"{kind}.safetensors" for kind in ("trusted", "proxy"))
    content = trusted.read_bytes()
    trusted.write_bytes(proxy.read_bytes())
    proxy.write_bytes(content)
    assert len(refused(TASK, copy)) == len(zoo_entries(TASK))


def test_without_the_comparison_nothing_would_be_noticed(copy, monkeypatch):
    flip(copy / "proxy.safetensors", 0.5)
    edit_index(copy, other_digit)
    assert len(refused(TASK, copy)) == 2
    monkeypatch.setattr(zoo, "check_sha256", lambda *_: None)
    assert refused(TASK, copy) == []
