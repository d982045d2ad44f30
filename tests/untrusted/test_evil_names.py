"""Names of strangers reach the terminal with nothing in them that it would obey."""

import json
import unicodedata

import pytest

from proxylab.agents.format import read_agent, save_agent
from proxylab.agents.references import load_agent
from proxylab.cli import main
from proxylab.commands import printing
from proxylab.console import output as console
from proxylab.console import terminal
from proxylab.console.terminal import one_line, visible

NASTY = "a\x1b]0;owned\x07b\r\x7fc\u202ed\u009b2Je[bold]f\u2028g\nh[/]\u2066i\ud800"
ON_DISK = NASTY.replace("\ud800", "").replace("/", "")
RAW = ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")


def raw(text):
    """The characters of a text that a terminal would obey or hide."""
    return {c for c in text if unicodedata.category(c) in RAW and c != "\n"}


@pytest.fixture
def said(capsys, monkeypatch, tmp_path):
    """Function: run a command line, and give (exit code, stdout, stderr)."""
    monkeypatch.setenv("PROXYLAB_RESULTS", str(tmp_path / "results"))
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        code = main([str(a) for a in arguments])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


@pytest.fixture
def agent(tmp_path):
    """A sound agent of boat-race in a folder with a nasty name, with nasty facts."""
    kept = load_agent("zoo:boat-race/trusted-00")
    save_agent(tmp_path / ON_DISK, kept.spec, kept.network.state_dict())
    return tmp_path / ON_DISK


def change(agent, **fields):
    record = json.loads((agent / "agent.json").read_text())
    (agent / "agent.json").write_text(json.dumps(record | fields))
    return agent


@pytest.fixture
def log(tmp_path, said):
    """A log whose policy has a nasty name."""
    path = tmp_path / "log.jsonl"
    said("record", "script:boat-race/optimal", "--out", path, "--split", "train", "--episodes", 8)
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    name = NASTY.replace("\ud800", "")  # half a pair is refused in JSON
    path.write_text("".join(json.dumps(row | {"policy": name}) + "\n" for row in rows))
    return path


def clean(code, out, err, *, wanted, lines=None):
    assert code == wanted, err
    assert not raw(out), out
    assert not raw(err), err
    if lines is not None:
        assert err.count("\n") == lines, err
    return out + err


TRUSTED = ["--trusted", *(f"zoo:boat-race/trusted-{k:02d}" for k in range(5))]


def test_an_agent_s_names(said, agent, capsys):
    read_agent(agent)
    shown = clean(*said("evaluate", agent, "--episodes", 4), wanted=0)
    assert "owned" in shown
    assert "[bold]" in shown
    told = clean(*said("evaluate", agent, "--episodes", 4, "--json"), wanted=0)
    assert told.isascii()
    assert json.loads(told)["agents"][0]["agent"] == str(agent)
    shown = clean(*said("detect", agent, *TRUSTED, "--episodes", 8), wanted=0)
    assert "owned" in shown
    change(agent, task=NASTY)
    clean(*said("evaluate", agent), wanted=2, lines=1)
    change(agent, task="boat-race", architecture=NASTY)
    clean(*said("evaluate", agent), wanted=2, lines=1)


def test_a_log_s_names(said, log):
    shown = clean(*said("detect", log, *TRUSTED, "--episodes", 8), wanted=0)
    assert "owned" in shown
    assert "\nh" not in shown  # no line of its own that could look like a verdict
    clean(*said("monitor", log, *TRUSTED, "--episodes", 8, "--alpha", 0.5), wanted=0)
    clean(*said("monitor", log, *TRUSTED, "--detector", NASTY), wanted=2, lines=1)
    clean(*said("detect", log, "--task", NASTY), wanted=2, lines=1)


def test_a_run_s_names(said, tmp_path):
    folder = tmp_path / "results" / "runs" / ON_DISK / "seed-0"
    folder.mkdir(parents=True)
    record = dict.fromkeys(("task", "role", "status", "timesteps", "seed"), NASTY)
    (folder / "run.json").write_text(json.dumps(record))
    assert "owned" in clean(*said("list", "runs"), wanted=0)
    assert clean(*said("list", "runs", "--json"), wanted=0).isascii()
    for text in ("{", '{"complete": 1}'):
        (folder / "run.json").write_text(text)
        clean(*said("list", "runs"), wanted=0)


def test_a_configuration_s_names(said, tmp_path):
    path = tmp_path / f"{ON_DISK}.toml"
    nasty = json.dumps(ON_DISK)
    for text in (f"{nasty} = 1", f"levels = {nasty}", f"env = {{{nasty} = 1}}", "x = "):
        path.write_text(text)
        code, out, err = said("train", "boat-race", "--config", path, "--dry-run")
        clean(code, out, err, wanted=2, lines=1)
    out = tmp_path / ON_DISK
    clean(*said("train", "boat-race", "--dry-run", "--out", out), wanted=0)
    clean(*said("train", NASTY), wanted=2, lines=1)
    clean(*said(NASTY), wanted=2, lines=1)
    clean(*said("train", "boat-race", f"--{NASTY}"), wanted=2, lines=1)


def test_the_test_sees_what_is_not_made_visible(said, agent, monkeypatch):
    """Control: without the one function, every kind of character reaches the terminal."""
    for module in (terminal, printing, console):
        monkeypatch.setattr(module, "visible", lambda text, *_: text)
    _, out, _ = said("evaluate", agent, "--episodes", 4)
    assert raw(out) >= {"\x1b", "\x7f", "\u202e", "\x9b", "\u2028", "\u2066"}


def test_the_one_function():
    assert visible("plain — ÄÖ 漢字 5\u202fs\n") == "plain — ÄÖ 漢字 5\u202fs\n"
    assert visible("\x1b\x9b\u202e\u2028\ud800\x7f\r") == r"\x1b\x9b\u202e\u2028\ud800\x7f" + r"\r"
    assert not raw(visible("".join(map(chr, range(0x110000)))).replace("\t", ""))
    assert visible(visible(NASTY)) == visible(NASTY)
    assert one_line("a\n\nb\x07") == r"a b\x07"
    assert len(one_line("x" * 5_000)) == 300
    assert len(one_line("x" * 5_000, 1_000)) == 1_000
