"""Every command of the README runs, as the installed program; its map and lists are true.

The quick test gives the long commands a smaller budget, the slow one runs them as they
stand. How that is done is in ``stories.py``.
"""

import re

import pytest
from stories import ROOT, commands_of, run_story, with_smoke_budget

README = (ROOT / "README.md").read_text()
COMMANDS = commands_of(README)


def that_end(words):
    """The same command; one that would serve for ever is told not to."""
    return with_smoke_budget(words) if words[:2] == ["proxylab", "app"] else words


def test_readme_commands_run_with_a_smoke_budget(tmp_path):
    assert ["make", "demo"] in COMMANDS
    assert ["make", "test"] in COMMANDS
    run_story(tmp_path, [with_smoke_budget(words) for words in COMMANDS])


@pytest.mark.slow
def test_readme_commands_run_as_they_stand(tmp_path):
    run_story(tmp_path, [that_end(words) for words in COMMANDS])


def test_an_unknown_command_is_refused(tmp_path):
    text = "```bash\n# a comment\nfortune --of the-day\n```\n"
    with pytest.raises(AssertionError, match="nobody tests: fortune"):
        run_story(tmp_path, commands_of(text))
    with pytest.raises(AssertionError, match="nobody tests"):
        with_smoke_budget(["proxylab", "conjure"])


def test_the_map_names_what_exists():
    section = README.split("## Where things are")[1]
    rows = re.findall(r"^\| (`.*?`) \|", section, re.MULTILINE)
    assert rows
    for row in rows:
        first, *others = re.findall(r"`([^`]+)`", row)
        assert (ROOT / first).exists(), first
        for name in others:
            beside = (ROOT / first.rstrip("/")).parent / name
            assert (ROOT / name).exists() or beside.exists(), name


def test_the_readme_lists_the_tasks_there_are():
    from proxylab.tasks import TASKS

    rows = re.findall(r"^\| `([a-z-]+)` \|", README, re.MULTILINE)
    assert sorted(rows) == sorted(TASKS)
