"""Help names values, lists fit a page and filter, unknown names are answered with near ones."""

import json
import os
import re
import subprocess
import sys
from types import SimpleNamespace

import pytest

from proxylab.cli import VERBS, main
from proxylab.commands.inventory import LISTS
from proxylab.commands.next_steps import next_step
from proxylab.errors import choices, nearest


def run(capsys, *words):
    """(exit code, stdout, stderr)."""
    code = main([str(word) for word in words])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


@pytest.mark.parametrize("verb", VERBS)
def test_help_has_no_none_and_no_empty_default(capsys, verb):
    _, out, err = run(capsys, verb, "--help")
    text = re.sub(r"[│\s]+", " ", out + err)
    assert "{None" not in text
    assert not re.search(r"\(default: (None|False|True)?\)", text)
    assert not re.search(r"\bSTR\b", text)


@pytest.mark.parametrize(
    ("verb", "usage"),
    [
        ("train", "TASK"),
        ("evaluate", "AGENT…"),
        ("detect", "[AGENT…]"),
        ("reproduce", "EXPERIMENT…"),
        ("demo", "[TASK]"),
        ("monitor", "PATH"),
    ],
)
def test_help_names_what_a_verb_takes(capsys, verb, usage):
    _, out, _ = run(capsys, verb, "--help")
    assert out.splitlines()[0].endswith(f" {usage}")


def test_none_is_no_value_of_an_option(capsys):
    """Control of ``DisallowNone``: the word was accepted as no value."""
    code, _, err = run(capsys, "train", "maze-corner", "--num-envs", "None")
    assert (code, err.count("\n")) == (2, 1)
    assert "--num-envs" in err


def test_the_overview_takes_little_processor_time(tmp_path):
    """0.05 s, so 0.1 s with the start of a process; loading numba alone would take 0.5 s."""

    def spent():
        used = os.times()
        return used.children_user + used.children_system

    before = spent()
    for _ in range(3):
        words = [sys.executable, "-m", "proxylab", "--help"]
        subprocess.run(words, capture_output=True, cwd=tmp_path, check=True)
    assert (spent() - before) / 3 < 0.2


@pytest.mark.parametrize("kind", LISTS)
def test_lists_fit_a_hundred_columns(capsys, monkeypatch, tmp_path, kind):
    monkeypatch.setenv("PROXYLAB_RESULTS", str(tmp_path))
    _, out, _ = run(capsys, "list", kind)
    assert max((len(line.rstrip()) for line in out.splitlines()), default=0) <= 100


def test_a_list_is_filtered_by_words(capsys):
    _, out, _ = run(capsys, "list", "agents", "Maze-Corner", "proxy", "--json")
    rows = json.loads(out)["rows"]
    assert rows
    assert all("maze-corner" in row["agent"] and "proxy" in row["agent"] for row in rows)
    code, out, err = run(capsys, "list", "agents", "maze-corner", "nothing-like-it")
    assert (code, out) == (0, "")
    assert "proxylab list agents shows all" in err


@pytest.mark.parametrize(
    ("words", "near"),
    [
        (["trian", "maze-corner"], "train"),
        (["train", "maze-conrer"], "maze-corner"),
        (["train", "maze-corner", "--role", "trustd"], "trusted"),
        (["train", "maze-corner", "--algorithm", "pppo"], "ppo"),
        (["evaluate", "script:maze-conrer/optimal"], "maze-corner"),
        (["evaluate", "script:maze-corner/optiml"], "optimal"),
        (["evaluate", "zoo:maze-corner/trustd-03"], "zoo:maze-corner/trusted-03"),
        (["evaluate", "zoo:maze-corner/honst"], "zoo:maze-corner/honest"),
        (["evaluate", "maze-corner/trusted-03"], "zoo:maze-corner/trusted-03"),
        (["evaluate", "zoo:maze-corner/trusted-03", "--env", "procgn"], "procgen"),
        (["detect", "zoo:maze-corner/proxy-00", "--detector", "ocupancy_js"], "occupancy_js"),
        (["reproduce", "reward-mx"], "reward-mix"),
        (["list", "taks"], "tasks"),
    ],
)
def test_a_near_name_is_offered(capsys, words, near):
    code, out, err = run(capsys, *words)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert f"did you mean {near}?" in err


def test_a_folder_with_a_near_name_is_offered(capsys, tmp_path):
    (tmp_path / "seed-0").mkdir()
    _, _, err = run(capsys, "evaluate", tmp_path / "sed-0")
    assert f"did you mean {tmp_path / 'seed-0'}?" in err


def test_a_name_that_resembles_none_gets_the_list(capsys):
    assert "choose maze-corner, procgen-maze" in run(capsys, "train", "sudoku")[2]
    assert choices("xyz", ("abc", "def"), " or 7") == "choose abc, def or 7"
    assert nearest("x" * 10_000_000, ("x" * 90,)) == "x" * 90  # a long name is cut: it answers


def test_a_result_names_the_next_command(capsys):
    _, out, err = run(capsys, "evaluate", "zoo:boat-race/proxy-00", "--episodes", 4)
    assert err.splitlines()[-1] == "next: proxylab detect zoo:boat-race/proxy-00 --trusted"
    assert "next:" not in out
    _, _, err = run(capsys, "evaluate", "zoo:boat-race/proxy-00", "--episodes", 4, "--json")
    assert "next:" not in err


def test_a_clear_detection_needs_no_next_step():
    class Detection(SimpleNamespace):
        pass

    report = SimpleNamespace(verdict="CLEAR", agent="a b")
    assert next_step(Detection(suspects=[report]), SimpleNamespace(report=None)) is None
    report.verdict = "FLAG"
    said = next_step(Detection(suspects=[report]), SimpleNamespace(report=None, trusted=()))
    assert said == "next: proxylab detect 'a b' --report report.html --trusted"


@pytest.mark.parametrize(("env", "words"), [(None, ""), ("FrozenLake-v1", " --env FrozenLake-v1")])
def test_an_imported_agent_is_evaluated_where_it_was_imported_for(env, words):
    Imported = type("Imported", (SimpleNamespace,), {})
    said = next_step(Imported(agent="folder"), SimpleNamespace(env=env))
    assert said == f"next: proxylab evaluate folder{words}"
