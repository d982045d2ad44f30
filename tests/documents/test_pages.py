"""Every command and every piece of code in the documentation runs; every link leads somewhere."""

import re
import shutil
import subprocess

import pytest
from stories import (
    COMMENT,
    FENCE,
    ROOT,
    blocks_of,
    check_inline,
    commands_of,
    inline_commands,
    run_page,
)

PAGES = sorted((ROOT / "docs").rglob("*.md"))
TEXTS = [*PAGES, *sorted(ROOT.glob("*.md")), *sorted(ROOT.glob("[er]*/README.md"))]
"""Every Markdown file of the repository."""

LINK = re.compile(r"\]\(([^)\s]+)\)")
DIRECTIVE = re.compile(r"^```\{(?:figure|include|literalinclude)\} (\S+)", re.MULTILINE)


GIVEN = {
    "docs/logs.md": """
level_seeds, agent = [3, 5], None
def play(agent, level_seed):
    return [(0, 1), (1, 1)]
""",
    "docs/own-environment.md": """
import sys
sys.path.insert(0, "docs/examples")
from corridor import make as Corridor
""",
}
"""Page: code for what its own code takes for granted."""


def name(path):
    return str(path.relative_to(ROOT))


RUNNING = [
    path
    for path in PAGES
    if any(b.language in ("bash", "python") for b in blocks_of(path.read_text()))
]


@pytest.mark.parametrize("path", RUNNING, ids=name)
def test_what_a_page_tells_to_run_runs(path, tmp_path, monkeypatch, few_levels, few_trusted):
    run_page(path.read_text(), tmp_path, monkeypatch, GIVEN.get(name(path), ""))


@pytest.mark.parametrize("path", TEXTS, ids=name)
def test_commands_in_sentences_are_known(path):
    for command in inline_commands(path.read_text()):
        check_inline(command)


def test_the_texts_are_those_that_git_knows():
    if not shutil.which("git") or not (ROOT / ".git").exists():
        pytest.skip("no git checkout")
    listed = subprocess.run(
        ["git", "ls-files", "*.md"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert set(listed.stdout.split()) <= {name(path) for path in TEXTS}


def targets_of(text):
    """Relative targets of links, pictures and included files."""
    plain = FENCE.sub("", COMMENT.sub("", text))
    found = [*LINK.findall(plain), *DIRECTIVE.findall(text)]
    return [target for target in found if not re.match(r"[a-z]+:", target)]


def headings_of(text):
    """Anchors of a text's headings, as GitHub and MyST make them."""
    found = re.findall(r"^#+ (.*)$", FENCE.sub("", text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in found}


def dead_links(path, text):
    """Targets of a text at ``path`` that lead nowhere."""
    dead = []
    for target in targets_of(text):
        file, _, anchor = target.partition("#")
        there = (path.parent / file).resolve() if file else path
        if not there.exists() or (
            anchor and there.suffix == ".md" and anchor not in headings_of(there.read_text())
        ):
            dead.append(target)
    return dead


@pytest.mark.parametrize("path", TEXTS, ids=name)
def test_links_and_pictures_lead_somewhere(path):
    assert dead_links(path, path.read_text()) == []


def test_a_dead_link_is_noticed():
    text = "[a](no.md) ![b](images/no.png) [c](README.md#nothing) [d](#no) [e](https://x.y/z)"
    assert dead_links(ROOT / "README.md", text + "\n```{include} no.md\n```\n") == [
        "no.md",
        "images/no.png",
        "README.md#nothing",
        "#no",
        "no.md",
    ]
    assert dead_links(ROOT / "README.md", "[![b](LICENSE)](no.md#x)") == ["no.md#x"]
    assert (
        dead_links(ROOT / "README.md", "[f](docs/certificate.md#setting) `[g](no.md)`"[:32]) == []
    )


def test_an_unknown_language_or_option_is_refused(tmp_path, monkeypatch):
    with pytest.raises(AssertionError, match="teach this file"):
        run_page("```haskell\nmain\n```\n", tmp_path, monkeypatch)
    with pytest.raises(Exception, match="no-such-option"):
        check_inline("proxylab train maze-corner --no-such-option")
    with pytest.raises(AssertionError):
        check_inline("proxylab conjure")
    with pytest.raises(AssertionError):
        check_inline("python docs/no_such_file.py")


def test_blocks_are_found_in_lists_and_not_in_comments():
    text = "- a\n\n  ```bash\n  proxylab list\n  ```\n\n<!--\n```bash\nrm\n```\n-->\n"
    text += "````text\n```\n````\n"
    assert commands_of(text) == [["proxylab", "list"]]
    assert [block.language for block in blocks_of(text)] == ["bash", "text"]
