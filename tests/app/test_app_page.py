"""The page in a headless browser: changed, played, judged, restored from its address."""

import io
import re

import numpy as np
import pytest
from PIL import Image

from proxylab.app.embedding import embedded_data
from proxylab.app.single_file import joined_modules, single_file
from proxylab.evaluation.play import start_level

READY = "new Promise(done => document.addEventListener('proxylab:ready', done, {once: true}))"
PICTURE = "id => document.getElementById(id).toDataURL()"


def opened(page, address, hash_=""):
    """The page, once both agents' episodes are there; ``address`` is conftest's or a URL."""
    where = address if isinstance(address, str) else address.link
    page.goto(where + hash_)
    page.locator("#now-b", has_text=re.compile("^step [0-9]+ of [1-9]")).wait_for()


def point(page, board, cell, size=9):
    """Screen position of a cell of a maze of ``size`` cells a side."""
    box = page.locator(f"#board-{board}").bounding_box()
    row, col = cell
    return (
        box["x"] + (col + 0.5) * box["width"] / size,
        box["y"] + (row + 0.5) * box["height"] / size,
    )


def settled(page, work):
    """Do ``work`` and wait until the page has asked the agents anew."""
    page.evaluate(f"() => {{ window.again = {READY}; }}")
    work()
    page.evaluate("() => window.again")


def drag(page, start, end):
    page.mouse.move(*point(page, "a", start))
    page.mouse.down()
    page.mouse.move(*point(page, "a", end), steps=4)
    page.mouse.up()


def test_a_dragged_cheese_changes_the_field_and_a_link_restores_it(page, address, browser):
    opened(page, address, "#seed=1")
    before = [page.evaluate(PICTURE, f"board-{letter}") for letter in "ab"]
    settled(page, lambda: drag(page, (7, 3), (7, 6)))  # seed 1 has its cheese at (7, 3)
    after = [page.evaluate(PICTURE, f"board-{letter}") for letter in "ab"]
    assert before[0] != after[0]
    assert before[1] != after[1]
    link = page.url
    assert "edits=" in link
    again = browser.new_page(viewport={"width": 1100, "height": 900})
    opened(again, address, "#" + link.split("#")[1])
    again.wait_for_timeout(300)
    assert [again.evaluate(PICTURE, f"board-{letter}") for letter in "ab"] == after
    again.close()


def test_the_hint_ends_with_the_first_drag_and_does_not_come_back(page, address):
    opened(page, address, "#seed=1")
    assert "Drag the cheese" in text_of(page, "hint")
    assert page.locator("#hint").is_visible()
    settled(page, lambda: drag(page, (7, 3), (7, 6)))
    assert not page.locator("#hint").is_visible()
    opened(page, address, "#seed=3")
    page.reload()
    page.locator("#now-b", has_text=re.compile("^step [0-9]+ of [1-9]")).wait_for()
    assert not page.locator("#hint").is_visible()


def test_playing_stops_when_both_have_reached_a_goal(page, address):
    opened(page, address)
    page.locator("#speed").fill("40")
    page.locator("#play").click()
    page.locator("#now-b[data-outcome=intended]").wait_for()
    page.locator("#play", has_text="Play").wait_for()
    step, of = map(int, text_of(page, "clock").split(" of "))
    assert 0 < step < of
    assert page.locator("#now-a").get_attribute("data-outcome") == "proxy"
    assert "trained on" in text_of(page, "who-a")


def test_a_link_that_makes_no_sense_opens_the_plain_page(page, address):
    opened(page, address, "#world=nope&seed=-5&a=x&layer=q&edits=30f&spoke=99&step=x&run=1e9")
    assert page.url.endswith(
        "#world=maze-corner&split=shifted&a=zoo:maze-corner/proxy-00&b=zoo:maze-corner/trusted-00"
    )
    assert not text_of(page, "said")


def test_a_bucket_in_the_open_is_refused_in_words_and_put_back(page, address, worlds):
    garden = worlds["tomato-watering"]
    with garden.lock:
        start_level(garden.env(1), "tomato-watering", "train", 0)
        level = garden.env(1).garden(0)
    rows = np.array([list(row) for row in level.to_ascii().splitlines()])
    walls = np.pad(level.walls, 1, constant_values=True)
    beside = walls[:-2, 1:-1] | walls[2:, 1:-1] | walls[1:-1, :-2] | walls[1:-1, 2:]
    row, col = np.argwhere((rows == ".") & ~beside)[0]
    opened(page, address, "#world=tomato-watering&split=train&seed=0")
    page.wait_for_timeout(300)
    box, (height, width) = page.locator("#board-a").bounding_box(), rows.shape
    page.mouse.click(
        box["x"] + (col + 0.5) * box["width"] / width,
        box["y"] + (row + 0.5) * box["height"] / height,
    )
    page.locator("#said", has_text="no wall beside it").wait_for()
    page.locator("#now-b", has_text=re.compile("^step 0 of [1-9]")).wait_for()
    assert "edits" not in page.url


def test_a_server_that_is_gone_is_said_in_words(page, address):
    opened(page, address, "#seed=1")
    page.context.set_offline(True)
    drag(page, (7, 3), (7, 6))
    page.locator("#said", has_text="the server does not answer").wait_for()
    page.context.set_offline(False)
    settled(page, lambda: drag(page, (7, 6), (7, 5)))
    assert "edits=66f68c" in page.url


def text_of(page, name):
    return page.locator(f"#{name}").text_content()


def test_both_agents_play_to_their_ends_and_part(page, address):
    opened(page, address)
    page.locator("#speed").fill("40")
    page.locator("#play").click()
    assert page.locator("#play").text_content() == "Pause"
    page.locator("#now-a[data-outcome=proxy]").wait_for()
    page.locator("#now-b[data-outcome=intended]").wait_for()
    assert "reached the intended goal" in text_of(page, "now-b")
    page.locator("#play", has_text="Play").wait_for()
    page.keyboard.press("r")
    assert text_of(page, "clock").startswith("0 of")
    page.keyboard.press(".")
    assert text_of(page, "clock").startswith("1 of")
    assert "step=1" in page.url


@pytest.mark.slow
def test_the_verdict_of_the_detector_is_shown_with_its_progress(page, address):
    opened(page, address)
    page.locator("#judge-a").click()
    page.locator("#reason-a", has_text=re.compile(r"running [0-9]+ of [0-9]+")).wait_for()
    page.locator("#verdict-a", has_text="FLAG").wait_for(timeout=120_000)
    assert re.match(r"p = 0\.0\d", text_of(page, "reason-a"))


def test_everything_can_be_done_by_keyboard(page, address):
    opened(page, address, "#seed=1")
    page.locator("#board-a").focus()
    for key in ["ArrowLeft", "ArrowUp", "ArrowUp", "ArrowUp"]:  # from the mouse at (5, 6) to (2, 5)
        page.keyboard.press(key)
    settled(page, lambda: page.keyboard.press("c"))
    assert "edits=23c66f" in page.url
    page.keyboard.press("ArrowLeft")
    settled(page, lambda: page.keyboard.press("w"))
    assert "22f" in page.url
    for number, layer in enumerate(["field", "value", "occupancy", "divergence"], 1):
        page.keyboard.press(str(number))
        assert page.locator(f"input[name=layer][value={layer}]").is_checked()
    assert "1 bit" in text_of(page, "legend")
    for _ in range(2):
        settled(page, lambda: page.keyboard.press("n"))
    assert "seed=3" in page.url
    assert "edits" not in page.url


def test_walls_are_drawn_and_an_impossible_level_is_refused_in_words(page, address):
    opened(page, address, "#world=procgen-maze&split=shifted&seed=1")
    page.locator("#tool-walls").click()
    settled(page, lambda: page.mouse.click(*point(page, "a", inner_wall(page), rows_of(page))))
    assert re.search(r"edits=\d+f", page.url)


def rows_of(page):
    """Cells a side of the drawn part of the level."""
    level = page.evaluate(LEVEL)
    return max(row.rindex(".") for row in level if "." in row) - first_column(level) + 3


def first_column(level):
    return min(row.index(".") for row in level if "." in row)


LEVEL = """async () => {
  const asked = {world: 'procgen-maze', split: 'shifted', seed: 1};
  const answer = await fetch('/api/level', {method: 'POST', body: JSON.stringify(asked),
    headers: {'content-type': 'application/json'}});
  return (await answer.json()).level.split('\\n');
}"""


def inner_wall(page):
    """A wall between two free cells, in cells of the drawn part."""
    level = page.evaluate(LEVEL)
    left = first_column(level) - 1
    top = next(k for k, row in enumerate(level) if "." in row) - 1
    for row, line in enumerate(level):
        if found := re.search(r"\.#\.", line):
            return row - top, found.start() + 1 - left
    raise AssertionError("no such wall")


def middle_of_left_edge(page):
    box = page.locator("#board-a").bounding_box()
    return box["x"] + 0.1 * box["width"], box["y"] + 0.5 * box["height"]


def test_the_lagoon_is_moved_on_open_water_and_boats_sail(page, address):
    opened(page, address, "#world=boat-lagoon&a=script:boat-lagoon/looper")
    settled(page, lambda: page.mouse.click(*middle_of_left_edge(page)))
    assert re.search("spoke=1[123]", page.url)
    page.locator("#step").fill("300")
    assert "step 300" in text_of(page, "now-a")
    page.keyboard.press("3")
    page.locator("#legend", has_text="share of steps").wait_for()


def test_pictures_can_be_kept(page, address):
    opened(page, address, "#seed=1&a=script:maze-corner/optimal&greedy=1")
    for button, kind in (("png", "PNG"), ("gif", "GIF")):
        with page.expect_download() as caught:
            page.locator(f"#{button}").click()
        picture = Image.open(io.BytesIO(caught.value.path().read_bytes()))
        assert picture.format == kind
        frames = getattr(picture, "n_frames", 1)
        for frame in range(frames):
            picture.seek(frame)
            picture.load()
    assert frames == 6  # five steps to the cheese
    first, last = (shown(picture, frame) for frame in (0, 5))
    assert first.size == last.size
    assert first.tobytes() != last.tobytes()


def shown(picture, frame):
    picture.seek(frame)
    return picture.convert("RGB")


@pytest.mark.parametrize(("width", "scheme"), [(360, "light"), (360, "dark")])
def test_a_phone_shows_all_without_scrolling_sideways(browser, address, width, scheme):
    context = browser.new_context(viewport={"width": width, "height": 740}, color_scheme=scheme)
    page = context.new_page()
    opened(page, address)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    red = page.evaluate("getComputedStyle(document.body).backgroundColor.match(/\\d+/)[0]")
    assert (int(red) < 60) == (scheme == "dark")
    context.close()


@pytest.fixture(scope="module")
def twin(worlds, tmp_path_factory):
    """Path of the page as one file, with a verdict that no detector gave."""
    data = embedded_data({n: worlds[n] for n in ("maze-corner", "boat-lagoon")}, episodes=0)
    path = tmp_path_factory.mktemp("twin") / "page.html"
    path.write_text(single_file(data))
    return path


def test_the_single_file_works_from_disk_with_the_network_off(page, twin):
    page.context.set_offline(True)
    requests = []
    page.on("request", lambda request: requests.append(request.url))
    opened(page, twin.as_uri(), "#seed=1")
    before = page.evaluate(PICTURE, "board-a")
    settled(page, lambda: drag(page, (7, 3), (7, 6)))
    after = page.evaluate(PICTURE, "board-a")
    assert before != after
    page.locator("#speed").fill("40")
    page.locator("#play").click()
    page.locator("#now-b[data-outcome=intended]").wait_for()
    assert {url.split(":")[0] for url in requests} <= {"file", "data", "blob"}
    page.locator("#world").select_option("boat-lagoon")
    page.locator("#legend", has_text="arrows turn as its rudder").wait_for()
    settled(page, lambda: page.mouse.click(*middle_of_left_edge(page)))
    assert re.search("spoke=1[123]", page.url)
    page.locator("#now-b", has_text=re.compile("^step 0 of [1-9]")).wait_for()


def test_the_single_file_draws_what_the_server_s_page_draws(page, address, twin):
    opened(page, address, "#seed=1&edits=66f69c")
    served = page.evaluate(PICTURE, "board-a")
    opened(page, twin.as_uri(), "#seed=1&edits=66f69c")
    assert page.evaluate(PICTURE, "board-a") == served


def test_modules_that_declare_a_name_twice_are_not_joined(monkeypatch, tmp_path):
    (tmp_path / "a.js").write_text('import { f } from "./b.js";\nfunction f() {}\n')
    (tmp_path / "b.js").write_text("export function f() {}\n")
    monkeypatch.setattr("proxylab.app.single_file.STATIC", tmp_path)
    with pytest.raises(ValueError, match="both declare f"):
        joined_modules("a")
    (tmp_path / "a.js").write_text('import { f } from "./b.js";\nf();\n')
    assert joined_modules("a") == "function f() {}\n\nf();\n"
