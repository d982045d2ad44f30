"""Every figure of an experiment says with which network, seeds and steps it was made."""

import json
import re

import pytest
from stories import ROOT

PAGE = (ROOT / "docs" / "experiments.md").read_text()
FIGURE = re.compile(r"!\[[^\]]*\]\(\.\./results/figures/(\S+)\.png\)\n\n(.*?)\n\n", re.DOTALL)
CAPTIONS = dict(FIGURE.findall(PAGE))
"""{name of a figure: the paragraph below it}."""

RECORDS = {path.stem: path for path in (ROOT / "results" / "tables").glob("*.json")}


def record_of(figure):
    """The settings of the tables that a figure is drawn from."""
    name = next(name for name in sorted(RECORDS, key=len, reverse=True) if figure.startswith(name))
    return json.loads(RECORDS[name].read_text())["settings"]


def test_the_page_shows_figures():
    assert len(CAPTIONS) == len(re.findall(r"results/figures/", PAGE)) > 20


@pytest.mark.parametrize("figure", CAPTIONS)
def test_the_line_below_a_figure_names_network_seeds_and_steps(figure):
    caption = CAPTIONS[figure]
    assert caption.startswith("*Network: ")
    assert caption.endswith("*")
    assert re.search(r"Seeds: .*Steps:\s", caption, re.DOTALL)


@pytest.mark.parametrize("figure", CAPTIONS)
def test_a_caption_agrees_with_the_record_of_the_tables(figure):
    settings, caption = record_of(figure), CAPTIONS[figure]
    if isinstance(settings.get("seeds"), int):
        assert re.search(rf"\b{settings['seeds']}\b", caption.split("Seeds:")[1])
    for steps in ("total_timesteps", "timesteps"):
        if isinstance(settings.get(steps), int):
            assert f"{settings[steps]:,}" in caption.split("Steps:")[1]


@pytest.mark.parametrize("figure", sorted((ROOT / "results" / "figures").glob("*.svg")))
def test_figures_come_as_both_formats(figure):
    assert figure.with_suffix(".png").is_file()
