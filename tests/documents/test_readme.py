"""Every command of the README runs; its map and lists are true.

The quick tests give the long commands a smaller budget and run those that need none of the
others in this process; the slow one runs all of them as they stand, as the installed program.
How that is done is in ``stories.py``.
"""

import re
import shlex

import pytest
from stories import IN_PROCESS, ROOT, commands_of, inside, run_story, with_smoke_budget

README = (ROOT / "README.md").read_text()
COMMANDS = commands_of(README)
ALONE = [w for w in COMMANDS if w[0] == "proxylab" and w[1] in ("demo", "reproduce", "bench")]
"""Long commands that need nothing of another one."""


def that_end(words):
    """The same command; one that would serve for ever is told not to."""
    return with_smoke_budget(words) if words[:2] == ["proxylab", "app"] else words


def test_readme_commands_run_with_a_smoke_budget(tmp_path):
    assert ["make", "demo"] in COMMANDS
    assert ["make", "test"] in COMMANDS
    run_story(tmp_path, [with_smoke_budget(words) for words in COMMANDS if words not in ALONE])


def once(call):
    """Seconds of one call, in place of a median of many."""
    call()
    return [1.0]


def in_this_process(call, jobs, _processes, _retries):
    """Jobs one after the other, in place of processes, which start with the full evaluation."""
    return ((index, call(job), None) for index, job in enumerate(jobs))


SLOW = ("demo", "boat-lagoon")  # `make demo` is the same on mazes


@pytest.mark.parametrize(
    "words",
    [pytest.param(w, marks=[pytest.mark.slow] * (tuple(w[1:]) == SLOW)) for w in ALONE],
    ids=shlex.join,
)
def test_a_long_readme_command_runs_with_a_smoke_budget(
    words, tmp_path, monkeypatch, few_levels, few_trusted
):
    monkeypatch.setattr("proxylab.training.jobs._local", in_this_process)
    monkeypatch.setattr("proxylab.bench.timing.durations", once)
    monkeypatch.setattr("proxylab.bench.envs.REPEATS", 1)
    inside(tmp_path, monkeypatch)
    run_story(tmp_path, [with_smoke_budget(words)], IN_PROCESS)


def test_the_long_commands_are_there():
    assert {words[1] for words in ALONE} == {"demo", "reproduce", "bench"}


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
