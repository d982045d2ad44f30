"""proxylab completion: bash completes what a person would type; the other scripts hold the same."""

import json
import subprocess
from shutil import which

import pytest

from proxylab.cli import VERBS, main
from proxylab.commands.completion_scripts import FILES, SCRIPTS, Words, plain_words
from proxylab.tasks import TASKS

BASH = pytest.mark.skipif(which("bash") is None, reason="bash")
BREAKS = " \t\n\"'><=;|&(:"


@pytest.fixture(scope="module")
def script(tmp_path_factory):
    """File with the script for bash."""
    with pytest.MonkeyPatch.context() as patch:
        lines = []
        patch.setattr("builtins.print", lambda *a, file=None, **k: file or lines.append(a[0]))
        assert main(["completion", "bash"]) == 0
    path = tmp_path_factory.mktemp("completion") / "script"
    path.write_text(lines[-1])
    return path


def completed(script, line, folder):
    """The words that bash offers at the end of a line."""
    ask = 'source "$1"; COMP_LINE="$2"; COMP_POINT=${#2}; COMP_WORDBREAKS="$3"; _proxylab; '
    ask += 'printf "%s\\n" "${COMPREPLY[@]}"'
    words = ["bash", "-c", ask, "-", str(script), line, BREAKS]
    done = subprocess.run(words, capture_output=True, text=True, cwd=folder)
    assert done.stderr == ""
    return done.stdout.split()


@BASH
@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("proxylab eval", ["evaluate"]),
        ("proxylab train boat-", ["boat-race", "boat-lagoon"]),
        ("proxylab train boat-race --algorithm ", ["ppo", "a2c", "bc"]),
        ("proxylab train boat-race --ppo.l", ["--ppo.learning-rate"]),
        ("proxylab train --seed ", []),
        ("proxylab train --seed 3 boat-l", ["boat-lagoon"]),
        ("proxylab detect x --detector higher", ["higher_criticism"]),
        ("proxylab detect zoo:maze-corner/tr", ["maze-corner/trusted"]),
        ("proxylab evaluate script:boat-lagoon/r", ["boat-lagoon/racer"]),
        ("proxylab evaluate some_f", ["some_file"]),
        ("proxylab zoo ch", ["check"]),
        ("proxylab nonsense ", []),
    ],
)
def test_bash_completes(script, tmp_path, line, offered):
    (tmp_path / "some_file").touch()
    found = completed(script, line, tmp_path)
    assert [word for word in found if word in offered] == offered
    assert len(found) == len(offered)


@BASH
def test_bash_names_every_verb_and_task(script, tmp_path):
    assert set(VERBS) <= set(completed(script, "proxylab ", tmp_path))
    assert set(TASKS) <= set(completed(script, "proxylab play ", tmp_path))


@BASH
@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_a_name_never_runs(tmp_path, shell):
    """A file of experiments may be called $(touch here); a script completes plain words only."""
    evil = ("good", "$(touch here)", "`touch here`", "a;b", "x'y", 'q"', "new\nline", "ä")
    assert plain_words(evil) == ("good",)
    text = SCRIPTS[shell]({"v": "text"}, {"v": Words(plain_words(evil), {"--o": (FILES,)})})
    assert "touch" not in text


def test_fish_knows_the_same(capsys):
    assert main(["completion", "fish", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["schema"], found["shell"]) == ("proxylab.completion/1", "fish")
    for verb in VERBS:
        assert f"'__fish_use_subcommand' -a {verb} " in found["script"]
    assert "-l algorithm -x -a 'ppo a2c bc'" in found["script"]


def test_zsh_and_bash_share_their_table(capsys):
    texts = []
    for shell in ("bash", "zsh"):
        assert main(["completion", shell]) == 0
        texts.append(capsys.readouterr().out)
    tables = [text.partition("\n}\n")[0] for text in texts]
    assert tables[0] == tables[1]
    assert "compdef _proxylab proxylab" in texts[1]
