"""What the build adds to the sources: detectors, the notebook, links; and what the pages claim."""

import fnmatch
import importlib.util
import json
import re
import sys
from pathlib import Path

import pytest
from stories import ROOT

from proxylab.cli import VERBS
from proxylab.detection.scores.registry import ON_REQUEST, SCORES
from proxylab.detection.settings import DEFAULT_DETECTOR
from proxylab.statistics.conformal import calibration_needed, realised_rate_bound

EXTENSIONS = ROOT / "docs" / "extensions"
NOTEBOOK = ROOT / "docs" / "first_look.ipynb"


def loaded(path):
    """The module of a file outside the packages."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_detector_has_a_section_with_its_docstring():
    sections = loaded(EXTENSIONS / "detector_sections.py")
    text = sections.detectors_as_markdown(SCORES, ON_REQUEST, DEFAULT_DETECTOR)
    for name, score in SCORES.items():
        assert f"({sections.anchor(name)})=" in text
        assert f"| [`{name}`](#{sections.anchor(name)}) | {score.access}:" in text
        first = type(score).__doc__.split("\n")[0]
        assert first in text
    assert text.count("Source: ") == text.count("\nCode: ")
    assert text.count("always, and decides") == 1
    assert "``" not in re.sub("```", "", text), "inline code of reStructuredText is left"


def test_the_page_of_detectors_has_the_place_for_them():
    sections = loaded(EXTENSIONS / "detector_sections.py")
    assert (ROOT / "docs" / "detectors.md").read_text().count(sections.MARKER) == 1


def test_the_page_of_the_app_links_the_one_that_the_build_writes():
    live = loaded(EXTENSIONS / "live_page.py")
    text = (ROOT / "docs" / "app.md").read_text()
    assert text.count(live.MARKER) == 1
    assert f'<a href="{live.NAME}">' in live.linked(text)


def test_formulas_become_blocks_and_attributes_a_list():
    class Toy:
        """First line.

        Text with ``code`` and :class:`~a.b`, going
        on.

            score = a_b * c

        Attributes:
            name: of it.
            more: two
                lines.
            last: one.
        """

    text = loaded(EXTENSIONS / "detector_sections.py").docstring_as_markdown(Toy)
    assert "Text with `code` and `a.b`, going on." in text
    assert "```text\nscore = a_b * c\n```" in text
    assert text.endswith("Settings:\n\n- **more**: two lines.\n- **last**: one.")


def test_links_out_of_the_pages_lead_to_pages():
    links = loaded(EXTENSIONS / "repository_links.py")
    text = "[a](../envs/README.md) [b](../results/figures/x.png)"
    assert links.with_links_to_pages(text, "x") == text.replace(
        "../envs/README.md", "environments/index.md"
    )
    deep = links.with_links_to_pages("[a](../../README.md#limits)", "extending/x")
    assert deep == "[a](../index.md)"
    for page in links.PAGES.values():
        assert (ROOT / "docs" / page).exists()


SMALL = """
from dataclasses import replace
from proxylab.agents import references
from proxylab.tasks import TASKS

# so few steps teach the corner well enough, and at these levels no honest agent is flagged
total_timesteps = 196_608
episodes = 40
TASKS["maze-corner"] = replace(TASKS["maze-corner"], checks=2, final_eval_levels=200)
entries_of = references.find_entries
references.find_entries = lambda *which: (
    entries_of(*which)[::4] if len(entries_of(*which)) >= 100 else entries_of(*which)
)
"""
"""The first cell of the notebook in the test: fewer steps, levels and trusted agents."""


@pytest.mark.slow
def test_the_notebook_runs_and_flags_the_proxy_seeker_only():
    pytest.importorskip("nbclient")
    notebook = loaded(ROOT / "docs" / "execute_notebook.py").executed(NOTEBOOK, parameters=SMALL)
    printed = "".join(
        output.text
        for cell in notebook.cells
        for output in cell.get("outputs", ())
        if output.output_type == "stream" and output.name == "stdout"
    )
    flagged = re.findall(r"^FLAG .* (\S+)$", printed, re.MULTILINE)
    assert len(flagged) == 1
    assert "runs/maze-corner/proxy" in flagged[0]
    assert len(re.findall(r"^(?:CLEAR|INCONCLUSIVE) ", printed, re.MULTILINE)) == 10
    assert "pursues corner" in printed
    pictures = [
        output
        for cell in notebook.cells
        for output in cell.get("outputs", ())
        if "image/png" in output.get("data", {})
    ]
    assert len(pictures) == 2


def test_the_stored_notebook_has_outputs_and_becomes_a_page():
    pytest.importorskip("myst_parser")
    page = loaded(EXTENSIONS / "notebook_pages.py").notebook_as_markdown(NOTEBOOK.read_text())
    assert page.startswith("# A first look")
    assert page.count("data:image/png;base64,") == 2
    assert "FLAG" in page
    cells = json.loads(NOTEBOOK.read_text())["cells"]
    assert all(cell["outputs"] for cell in cells[3:] if cell["cell_type"] == "code")


def test_the_pages_build_without_a_warning(tmp_path):
    build = pytest.importorskip("sphinx.cmd.build")
    pytest.importorskip("furo")
    pytest.importorskip("myst_parser")
    path = sys.path.copy()
    try:
        code = build.main(["-q", "-W", "-b", "html", str(ROOT / "docs"), str(tmp_path)])
    finally:
        sys.path[:] = path
    assert code == 0
    pages = list(Path(tmp_path).rglob("*.html"))
    assert {"index.html", "detectors.html", "first_look.html"} <= {page.name for page in pages}
    for page in pages:
        loads = re.findall(
            r"<(?:script|link|img)[^>]*(?:src|href)=\"(https?:[^\"]*)", page.read_text()
        )
        assert not loads, f"{page.name} loads from elsewhere: {loads}"


def test_the_numbers_on_the_page_of_verdicts():
    text = (ROOT / "docs" / "verdicts.md").read_text()
    assert f"it is {realised_rate_bound(30, 0.05):.3f}" in text
    assert (
        f"with {calibration_needed(0.05) - 1} and fewer no suspect can be flagged at 0.05" in text
    )
    rows = re.findall(r"^\| (\d+) \| ([\d.]+) \| ([\d.]+) \| (\d+) % \|", text, re.MULTILINE)
    assert len(rows) == 4
    for bad, caught, false, share in rows:
        expected = 0.9 * int(bad), 0.05 * (1000 - int(bad))
        assert (float(caught), float(false)) == pytest.approx(expected)
        assert int(share) == round(100 * expected[0] / sum(expected))


def test_every_command_has_its_function_on_the_api_page():
    page = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `([a-z0-9-]+)` \| (.*) \|$", page, re.MULTILINE))
    assert set(rows) == set(VERBS)
    for named in rows.values():
        for path in re.findall(r"`(proxylab[\w.]*\.\w+)`", named):
            module, _, name = path.rpartition(".")
            assert callable(getattr(importlib.import_module(module), name)), path


def test_every_page_is_in_a_list_of_contents():
    """A page in none is a warning of Sphinx, which fails the build."""
    trees = re.findall(r"```\{toctree\}\n(.*?)```", (ROOT / "docs" / "index.md").read_text(), re.S)
    lines = [line for tree in trees for line in tree.splitlines() if line and line[0] != ":"]
    entries = [match[1] if (match := re.search(r"<(\S+)>$", line)) else line for line in lines]
    pages = {path.stem for path in (ROOT / "docs").glob("*.md")} - {"index"}
    for page in sorted(pages):
        assert [entry for entry in entries if fnmatch.fnmatchcase(page, entry)] != [], page
