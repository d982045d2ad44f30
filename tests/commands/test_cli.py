"""The command line: what goes to stdout, what to stderr, and which exit code."""

import ast
import inspect
import itertools
import json
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from proxylab import cli
from proxylab.cli import VERBS, command_of, main, one_line, resume_line, without_nan
from proxylab.commands import detect as detect_verb


def run(capsys, *arguments):
    """(exit code, stdout, stderr) of a command line."""
    code = main([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def complaint(capsys, *arguments):
    """The one line that a wrong use gets."""
    code, out, err = run(capsys, *arguments)
    assert code == 2
    assert out == ""
    assert err.startswith("proxylab: ")
    assert err.count("\n") == 1
    return err.strip()


# Help


@pytest.mark.parametrize("arguments", [[], ["--help"], ["-h"]])
def test_help_names_every_verb(capsys, arguments):
    code, out, err = run(capsys, *arguments)
    assert (code, err) == (0, "")
    assert all(f"\n  {verb} " in out for verb in VERBS)


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_explains_itself(capsys, verb):
    code, out, err = run(capsys, verb, "--help")
    assert code == 0
    assert f"usage: proxylab {verb}" in out + err
    assert "--json" in out + err


@pytest.mark.parametrize("verb", VERBS)
def test_every_option_has_a_text(verb):
    """A field without a docstring would stand in --help without a word."""
    source = inspect.getsource(command_of(verb))
    body = ast.parse(source).body[0].body
    for node, following in itertools.pairwise(body):
        if isinstance(node, ast.AnnAssign):
            assert isinstance(following, ast.Expr), f"{verb}: {ast.unparse(node)} has no text"


@pytest.mark.parametrize("arguments", [["--help"], ["evaluate", "--help"], ["nonsense"]])
def test_answers_without_loading_what_is_heavy(arguments, tmp_path):
    code = (
        "import sys; from proxylab.cli import main; main(sys.argv[1:]);"
        "print('LOADED', *sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, cwd=tmp_path
    )
    loaded = set(done.stdout.split("LOADED")[1].split())
    assert "proxylab.cli" in loaded
    heavy = {"torch", "stable_baselines3", "numba", "gymnasium", "scipy", "duckdb", "matplotlib"}
    assert not loaded & heavy


def test_version(capsys):
    code, out, _ = run(capsys, "--version")
    assert code == 0
    assert out.startswith("proxylab ")


# Wrong use: one line, exit code 2


def test_an_unknown_verb(capsys):
    assert "did you mean evaluate?" in complaint(capsys, "evalute")
    assert "choose list, train" in complaint(capsys, "xyzzy")


def test_an_unknown_option(capsys):
    line = complaint(capsys, "evaluate", "script:maze-corner/optimal", "--episods", "3")
    assert "--episods" in line
    assert "perhaps you meant: --episodes" in line


def test_a_value_of_the_wrong_kind(capsys):
    assert "--episodes" in complaint(capsys, "evaluate", "x", "--episodes", "many")
    assert "'elsewhere'" in complaint(capsys, "evaluate", "x", "--split", "elsewhere")
    assert "'tables'" in complaint(capsys, "list", "tables")


def test_one_line_of_a_frame():
    inside = ["│ \x1b[31mBad thing\x1b[0m │", "│ happened. │", "│ ───────── │", "│ More text │"]
    assert one_line("\n".join(["╭─ Title ─╮", *inside, "╰─────────╯"])) == "Bad thing happened"
    plain = [" Title ", " ----- ", "  Bad thing  ", "  happened.  ", "  -----  ", "  More  "]
    assert one_line("\n".join(plain)) == "Bad thing happened"


# Failures and interruptions


@pytest.fixture
def verb(monkeypatch):
    """A function that makes ``proxylab list`` do something else."""

    def make(action):
        monkeypatch.setattr(command_of("list"), "run", lambda self: action())

    return make


def raising(error):
    def action():
        raise error

    return action


def test_a_failure_is_one_line_without_a_traceback(capsys, verb):
    verb(raising(OSError("the disk\nis full")))
    code, out, err = run(capsys, "list")
    assert (code, out) == (1, "")
    assert err.startswith("proxylab: OSError: the disk is full")
    assert err.count("\n") == 1


def test_a_failure_shows_where_when_asked(verb, monkeypatch):
    verb(raising(OSError("full")))
    monkeypatch.setenv("PROXYLAB_TRACEBACK", "1")
    with pytest.raises(OSError, match="full"):
        main(["list"])


def test_an_interruption_names_the_line_that_goes_on(capsys, verb):
    verb(raising(KeyboardInterrupt()))
    code, _, err = run(capsys, "list", "tasks")
    assert code == 130
    assert err == "proxylab: interrupted; to go on: proxylab list tasks\n"


def test_the_line_that_resumes_a_training():
    assert resume_line(["train", "maze-corner"]) == "proxylab train maze-corner --resume"
    assert resume_line(["train", "x", "--resume"]) == "proxylab train x --resume"
    assert resume_line(["evaluate", "a b"]) == "proxylab evaluate 'a b'"


def test_stray_output_goes_to_stderr(capsys, verb):
    result = SimpleNamespace(as_json=lambda: {"schema": "x/1"})
    verb(lambda: print("chatter") or result)
    code, out, err = run(capsys, "list", "--json")
    assert (code, json.loads(out)) == (0, {"schema": "x/1"})
    assert err == "chatter\n"


# JSON


def test_json_knows_no_nan():
    value = {"a": float("nan"), "b": [np.float32("inf"), np.int64(3)], 4: (True, None, "x")}
    assert json.dumps(without_nan(value)) == '{"a": null, "b": [null, 3], "4": [true, null, "x"]}'


@pytest.mark.parametrize("what", ["envs", "detectors", "experiments"])
def test_list_as_json(capsys, what):
    code, out, _ = run(capsys, "list", what, "--json")
    found = json.loads(out)
    assert code == 0
    assert found["schema"] == "proxylab.list/1"
    assert found["what"] == what


def test_lists_say_what_is_there(capsys):
    _, out, _ = run(capsys, "list", "envs")
    assert "proxylab/MazeCorner-v0" in out
    assert "\x1b[" not in out
    _, out, _ = run(capsys, "list", "detectors")
    assert out.count("yes") == 1


def test_exit_codes_are_the_agreed_ones():
    codes = (cli.DONE, cli.FAILURE, cli.WRONG_USE, cli.INTERRUPTED)
    assert codes == (0, 1, 2, 130)
    assert (detect_verb.FLAGGED, detect_verb.INCONCLUSIVE) == (3, 4)
