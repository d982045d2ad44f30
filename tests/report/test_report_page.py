"""The report as a page: whole, alone, escaped, small, and with the result's own numbers."""

import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reading import Page

from proxylab.report import (
    MOST_BYTES,
    CourseDrawing,
    Evidence,
    Facts,
    Goal,
    Grid,
    HeatMap,
    LevelPair,
    Together,
    Track,
    page,
)
from proxylab.report.charts import nice_steps, score_strip, stairs
from proxylab.report.heat import CLASSES, bounds, classes
from proxylab.report.html import plain, tag
from proxylab.report.levels import cells_path, line
from proxylab.report.page import threshold
from proxylab.statistics.conformal import conformal_p_value

HOSTILE = '<script>alert(1)</script><img src=x onerror="y" \'&amp;'


def result(agents=("suspect",), verdict="FLAG", **changes):
    """What ``detect --json`` could print."""
    scores = {f"trusted-{k:02d}": 0.01 * (k + 1) for k in range(24)}
    row = {
        "verdict": verdict,
        "p_value": 0.04,
        "detector": "occupancy_js",
        "reason": "further from the trusted than all 24 calibration policies: p = 0.04 ≤ 0.05",
        "q_value": 0.08,
        "scores": {
            "occupancy_js": {"score": 0.48123, "ci": [0.4312, 0.5512], "p_value": 0.04},
            "mixture_js": {"score": 1.25e-7, "ci": None, "p_value": 0.56},
            "kappa": {"score": None, "ci": None, "p_value": None},
        },
        "certificate": {
            "kappa": 0.7,
            "kappa_lower": 0.61,
            "r_star": 0.7924,
            "support_coverage": 0.98,
            "cleared_at": 0.9,
            "worst_loss": 30.0,
        },
        "pursues": [{"goal": "corner", "log_likelihood_ratio": 5.0412}],
        "where": [{"level_seed": 7, "step": 3, "state": 5, "score": 0.9}],
        "first_divergence": {"median_step": 6.5, "share_of_levels": 0.685},
        "episodes_needed": 618 if verdict == "INCONCLUSIVE" else None,
        "trusted_needed": None,
    }
    return {
        "schema": "proxylab.detect/1",
        "task": "maze-corner",
        "split": "shifted",
        "alpha": 0.05,
        "achievable_alpha": 0.04,
        "episodes": 200,
        "trusted": {
            "n_reference": 8,
            "n_calibration": 24,
            "agents": [f"reference-{k}" for k in range(8)] + list(scores),
            "n_calibration_needed": 19,
            "calibration_scores": scores,
        },
        "suspects": [{"agent": agent, **row, **changes} for agent in agents],
        "provenance": {"commit": "abc", "versions": {"python": "3"}, "seed": 11, "seconds": 1.5},
    }


GRID = Grid(
    ("#####", "#..c#", "#.#.#", "#m..#", "#####"), {"cheese": ((1, 3),), "corner": ((3, 3),)}
)


def seen(num_levels=6, steps=40, scene=GRID):
    """Evidence with random ways."""
    rng = np.random.default_rng(0)
    pairs = [
        LevelPair(
            10 + k,
            scene,
            Track("suspect", rng.uniform(0, 4, (steps, 2)), steps, True),
            Track("trusted-00", rng.uniform(0, 4, (steps, 2)), steps, False),
            3,
            0.8,
        )
        for k in range(num_levels)
    ]
    shares = rng.dirichlet(np.ones(25), 2).reshape(2, 5, 5)
    return Evidence(
        levels=pairs,
        heat=HeatMap(*shares),
        together=Together(
            np.arange(9), np.linspace(1, 0.3, 9), np.linspace(1, 0.9, 9)[None] ** [[1], [2]]
        ),
        goals=[Goal("corner", None, 0.74, 0.33, 0.45, 0.03), Goal("state 7", (1, 2), 1, 0, 1, 0)],
        proxy=(0.735, 0.301),
        episodes=200,
        margin=0.11,
    )


def water(points=24):
    angle = np.linspace(0, 2 * np.pi, points)
    ring = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return CourseDrawing(
        ring * 9 + 10, ring * 5 + 10, ring[:3] + 10, np.array([[15, 10], [19, 10]]), (20, 20)
    )


def read(found=None, evidence=None, **facts):
    found = found or result()
    given_evidence = evidence if evidence is not None else {"suspect": seen()}
    text = page(found, given_evidence, Facts("proxylab/MazeCorner-v1", **facts))
    return text, Page(text)


def test_every_tag_is_closed_and_no_script_runs():
    text, read_page = read()
    assert text.startswith("<!doctype html>")
    assert not read_page.all("script")
    assert not [a for _, attrs, _ in read_page.elements for a in attrs if a.startswith("on")]
    assert len(read_page.all("svg")) > 8
    ids = [attrs["id"] for _, attrs, _ in read_page.elements if "id" in attrs]
    assert len(ids) == len(set(ids))


def test_the_page_asks_for_nothing():
    text, read_page = read()
    assert set(re.findall(r"\w+://[^\"'<\s]*", text)) == {"http://www.w3.org/2000/svg"}
    assert not re.findall(r"url\(|@import|expression\(", text)
    loaders = ("src", "srcset", "data", "action", "poster", "xlink:href")
    assert not [a for _, attrs, _ in read_page.elements for a in attrs if a in loaders]
    links = [attrs["href"] for _, attrs, _ in read_page.elements if "href" in attrs]
    assert links == ["#suspect-0"]
    assert not read_page.all("link")


def test_the_policy_stands_before_everything_that_it_rules():
    _, read_page = read()
    metas = read_page.all("meta")
    assert metas[0] == {"charset": "utf-8"}
    assert metas[1]["http-equiv"] == "Content-Security-Policy"
    rules = dict(rule.split(" ", 1) for rule in metas[1]["content"].split("; "))
    assert rules["default-src"] == "'none'"
    assert "script-src" not in rules
    names = [name for name, _, _ in read_page.elements]
    assert names.index("style") > names.index("meta")


def test_whatever_agents_are_called_is_text():
    found = result(
        (HOSTILE,), pursues=[{"goal": HOSTILE, "log_likelihood_ratio": 1.0}], reason=HOSTILE
    )
    found["task"] = found["split"] = HOSTILE
    found["trusted"]["agents"][0] = HOSTILE
    found["suspects"][0]["scores"][HOSTILE] = {"score": 1.0, "ci": None, "p_value": None}
    found["provenance"]["commit"] = HOSTILE
    marks = Grid((HOSTILE[:9],) * 3, {HOSTILE: ((1, 1),)})
    evidence = seen(1, scene=marks)
    track = replace(evidence.levels[0].trusted, agent=HOSTILE)
    evidence = replace(
        evidence,
        levels=[replace(evidence.levels[0], trusted=track)],
        goals=[Goal(HOSTILE, None, 1, 1, 1, 1)],
    )
    text, read_page = read(found, {HOSTILE: evidence}, hashes={HOSTILE: HOSTILE})
    assert "<script" not in text
    assert not read_page.all("img")
    assert read_page.text().count(HOSTILE) > 10


def test_attributes_cannot_be_broken_out_of():
    assert tag("p", title='"><b>') == '<p title="&quot;&gt;&lt;b&gt;"></p>'
    assert tag("p", ["<b>", tag("i", "&")]) == "<p>&lt;b&gt;<i>&amp;</i></p>"


def numbers_of(report):
    """Every number of a suspect's JSON that the page has to show."""
    certificate, rows = report["certificate"], report["scores"].values()
    wanted = [report["p_value"], report["episodes_needed"], certificate["r_star"]]
    wanted += [
        number for row in rows for number in (row["score"], row["p_value"], *(row["ci"] or ()))
    ]
    wanted += [goal["log_likelihood_ratio"] for goal in report["pursues"]]
    return [
        number for number in [*wanted, *report["first_divergence"].values()] if number is not None
    ]


@pytest.mark.parametrize("verdict", ["FLAG", "CLEAR", "INCONCLUSIVE", "DEGENERATE"])
def test_the_numbers_are_those_of_the_result(verdict):
    found = result(verdict=verdict)
    _, read_page = read(found)
    shown = [float(value) for value in read_page.numbers]
    for number in numbers_of(found["suspects"][0]):
        assert number in shown
    for number in (found["alpha"], found["achievable_alpha"], found["episodes"], 11):
        assert number in shown
    assert "q =" not in read_page.text("pre")


def test_with_several_suspects_there_is_a_section_each_and_the_q_value():
    found = result(("one", "two"))
    _, read_page = read(found, {"one": seen(), "two": Evidence()})
    assert [row["id"] for row in read_page.all("section") if "id" in row] == [
        "suspect-0",
        "suspect-1",
    ]
    assert read_page.numbers.count("0.08") == 4
    assert "no level to draw" in read_page.text()


def test_the_words_follow_the_verdict():
    said = {
        v: Page(read(result(verdict=v))[0]).text("pre", "style")
        for v in ("FLAG", "CLEAR", "INCONCLUSIVE", "DEGENERATE")
    }
    assert "further from the trusted agents than they do from each other" in said["FLAG"]
    assert "as close to the trusted agents as they stay to each other" in said["CLEAR"]
    # 0.95 = 0.9851^200: what is rarer than 1.5 % of levels may be missed
    assert "fewer than 1.5 % of levels" in said["CLEAR"]
    assert "not a weak clearance" in said["INCONCLUSIVE"]
    assert "Nothing was measured" in said["DEGENERATE"]
    few = result(verdict="INCONCLUSIVE", p_value=None, scores={})
    assert "too few trusted agents" in read(few)[1].text()


def test_the_certificate_says_whether_the_correlation_suffices():
    assert "No correlation is assumed" in read()[1].text()
    assert "which suffices" in read(correlation=0.9)[1].text()
    found = result()
    found["suspects"][0]["certificate"]["cleared_at"] = None
    assert "which does not suffice" in read(found, correlation=0.6)[1].text()
    found["suspects"][0]["certificate"]["r_star"] = None
    assert (
        "no correlation of proxy and intended reward rules out harm"
        in read(found, correlation=0.6)[1].text()
    )


def test_forty_suspects_on_open_water_stay_below_a_megabyte():
    agents = [f"agent-{k:02d}" for k in range(40)]
    evidence = {agent: seen(6, 1000, water()) for agent in agents}
    text, read_page = read(result(agents), evidence)
    assert len(text.encode()) < MOST_BYTES == 1_000_000
    drawn = [look for look in read_page.all("svg") if look.get("class") == "level open"]
    assert 0 < len(drawn) < 6 * 40
    assert len(drawn) % 40 == 0


def test_pictures_can_be_heard_and_tables_have_heads():
    _, read_page = read()
    for k, (name, attrs, _) in enumerate(read_page.elements):
        if name == "svg" and attrs.get("class") in ("level", "chart", "heat"):
            assert [n for n, _, _ in read_page.elements[k + 1 : k + 3]] == ["title", "desc"]
            assert attrs["role"] == "img"
        if name == "th":
            assert attrs["scope"] in ("row", "col")
    assert len(read_page.all("caption")) == len(read_page.all("table"))


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.integers(0, 12), min_size=1, max_size=60),
    st.sampled_from([0.01, 0.05, 0.1, 1 / 3]),
    st.integers(-1, 13),
)
def test_above_the_threshold_and_only_there_a_suspect_is_flagged(scores, alpha, score):
    limit = threshold(scores, alpha)
    flagged = conformal_p_value(np.array(scores, float), score) <= alpha + 1e-12
    assert flagged == (limit is not None and score > limit)


def walked(path):
    """The corners of a path of M, h, v, l pieces."""
    points = []
    for letter, rest in re.findall(r"([Mhvl])([^Mhvl]*)", path):
        numbers = [float(number) for number in re.findall(r"-?[\d.]+", rest)]
        x, y = points[-1] if points else (0.0, 0.0)
        step = {"h": lambda n: (n[0], 0), "v": lambda n: (0, n[0])}.get(letter, tuple)(numbers)
        points.append(step if letter == "M" else (x + step[0], y + step[1]))
    return np.array(points)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=1, max_size=30))
def test_a_line_goes_where_it_should(cells):
    points = np.array(cells, float)
    corners = walked(line(points))
    moves = np.flatnonzero(np.any(np.diff(points, axis=0), axis=1))
    assert corners[0].tolist() == points[0].tolist()
    assert corners[-1] == pytest.approx(points[-1])
    assert len(corners) <= len(moves) + 1
    travelled = np.linalg.norm(np.diff(points, axis=0), axis=1).sum()
    assert np.linalg.norm(np.diff(corners, axis=0), axis=1).sum() == pytest.approx(travelled)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.lists(st.booleans(), min_size=4, max_size=4), min_size=1, max_size=4))
def test_cells_are_covered_and_no_others(rows):
    chosen = np.array(rows)
    covered = np.zeros_like(chosen)
    for x, y, width in re.findall(r"M(\d+) (\d+)h(\d+)v10h-\d+z", cells_path(chosen)):
        columns = slice(int(x) // 10, (int(x) + int(width)) // 10)
        assert not covered[int(y) // 10, columns].any()
        covered[int(y) // 10, columns] = True
    np.testing.assert_array_equal(covered, chosen)


def test_classes_of_difference_are_a_factor_of_three_wide():
    difference = np.array([[0.81, -0.81, 0.28], [0.26, -0.05, 0.0]])
    np.testing.assert_array_equal(classes(difference), [[4, -4, 4], [3, -2, 0]])
    assert bounds(difference) == pytest.approx([0.01, 0.03, 0.09, 0.27])
    assert CLASSES == 4


def test_no_score_hides_another():
    scores = [0.1, 0.1, 0.1, 0.11, 0.5]
    strip = Page(score_strip(scores, (0.9, (0.8, 1.0)), 0.5, None))
    dots = np.array([[float(dot["cx"]), float(dot["cy"])] for dot in strip.all("circle")])
    apart = np.linalg.norm(dots[:, None] - dots[None], axis=2)[np.triu_indices(5, 1)]
    assert len(dots) == 5
    assert apart.min() >= 7
    assert "the suspect 0.9" in strip.text()


@settings(max_examples=200, deadline=None)
@given(st.floats(0, 1), st.floats(0, 1))
def test_no_threshold_crosses_a_label(flag, clear):
    """Nor leaves the drawing; a letter is about 7 units wide."""
    strip = Page(score_strip([0.0, 0.4, 1.0], (0.5, None), flag, clear))
    lines = [line for line in strip.all("line") if line["class"].startswith("bound")]
    labels = [text for text in strip.all("text") if text.get("class") in ("flag", "clear")]
    assert (len(lines), len(labels)) == (2, 2)
    words = {"flag": "flag threshold", "clear": "clearance threshold"}
    for label in labels:
        width, x = 7 * len(words[label["class"]]), float(label["x"])
        start = x - width if label.get("text-anchor") == "end" else x
        assert 0 <= start <= start + width <= 440
        for rule in lines:
            beside = not start <= float(rule["x1"]) <= start + width
            assert beside or float(rule["y1"]) >= float(label["y"])


@settings(max_examples=60, deadline=None)
@given(st.floats(-1e6, 1e6), st.floats(1e-6, 1e6))
def test_ticks_lie_in_the_range_and_are_few(low, span):
    ticks = nice_steps(low, low + span)
    assert 1 <= len(ticks) <= 8
    assert all(low - 1e-6 * span <= tick <= low + span * (1 + 1e-6) for tick in ticks)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.032258, "0.0323"),
        (0.5, "0.5"),
        (249.6, "250"),
        (1.25e-7, "1.25e-07"),
        (0, "0"),
        (-0.3194, "-0.319"),
    ],
)
def test_numbers_are_short(value, text):
    assert plain(value) == text


def test_a_step_curve_changes_at_its_steps():
    assert stairs([0.0, 1.0, 2.0, 3.0], np.array([9.0, 9.0, 4.0, 4.0])) == "M0.0 9.0H2.0V4.0H3.0"
