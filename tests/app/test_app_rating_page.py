"""The rating page in a headless browser: a scripted person rates by key, mouse and finger."""

import re

import pytest
from rating_page import rating_page, some_questions

from proxylab.rewards.preferences import read_preferences

ANSWERS = "#answers button"


@pytest.fixture
def file(tmp_path):
    return tmp_path / "ratings.parquet"


@pytest.fixture
def served(file):
    with rating_page(some_questions(), file) as page:
        yield page


def opened(page, link, number=1, total=50):
    page.goto(link)
    at(page, number, total)


def at(page, number, total=50):
    """Wait for a question."""
    page.locator("#counted", has_text=re.compile(f"^{number} of {total}$")).wait_for()


def test_twenty_pairs_a_reload_twenty_more_and_one_undone_are_39(page, served, file):
    keys = {"ArrowLeft": "left", "d": "right", "s": "equal", "?": "unsure"}
    keys |= {"a": "left", "ArrowRight": "right", "ArrowDown": "equal", "ArrowUp": "unsure"}
    given = []
    opened(page, served.link)
    for number in range(1, 41):
        at(page, number)
        key = list(keys)[number % len(keys)]
        given.append(keys[key])
        page.keyboard.press(key)
        if number == 20:
            at(page, 21)
            page.reload()
            page.locator("#said", has_text="Continued where you stopped").wait_for()
    at(page, 41)
    page.keyboard.press("u")
    at(page, 40)
    assert "Undone" in page.inner_text("#said")
    kept = read_preferences(file)
    assert len(kept) == 39
    assert kept.answer.tolist() == given[:39]
    assert (kept.time[1:] >= kept.time[:-1]).all()


def test_every_answer_can_be_clicked_and_the_end_can_be_undone(page, file):
    with rating_page(some_questions(4), file) as served:
        opened(page, served.link, 1, 4)
        for number, answer in enumerate(("left", "equal", "unsure", "right"), 1):
            at(page, number, 4)
            page.locator(f"[data-answer={answer}]").click()
        page.locator("#over", has_text="ratings.parquet").wait_for()
        assert page.locator("#asked").is_hidden()
        assert page.locator("[data-answer]:enabled").count() == 0
        page.keyboard.press("ArrowLeft")
        page.locator("#undo").click()
        at(page, 4, 4)
    assert read_preferences(file).answer.tolist() == ["left", "equal", "unsure"]


def test_both_clips_play_and_a_held_key_answers_once(page, served, file):
    opened(page, served.link)
    picture = "id => document.getElementById(id).toDataURL()"
    page.keyboard.press(" ")
    page.keyboard.press("r")
    before = [page.evaluate(picture, f"clip-{side}") for side in ("left", "right")]
    page.locator("section .now", has_text=re.compile("^(step [5-9]|ended)")).first.wait_for()
    page.locator("#play").click()  # pauses
    after = [page.evaluate(picture, f"clip-{side}") for side in ("left", "right")]
    assert before[0] != after[0]
    assert before[1] != after[1]
    page.keyboard.down("ArrowLeft")
    at(page, 2)
    page.keyboard.down("ArrowLeft")  # repeats while it is held
    page.wait_for_timeout(300)
    page.keyboard.up("ArrowLeft")
    assert len(read_preferences(file)) == 1


def test_arrows_on_a_slider_move_it_and_do_not_answer(page, served, file):
    opened(page, served.link)
    page.locator("#step").focus()
    page.keyboard.press("ArrowRight")
    page.locator("#play", has_text="Play").wait_for()
    page.wait_for_timeout(200)
    assert not file.exists()
    page.keyboard.press("d")
    at(page, 2)


def test_two_windows_do_not_answer_a_question_twice(page, served, file):
    opened(page, served.link)
    served.post("answer", number=0, answer="left")
    page.keyboard.press("ArrowRight")
    page.locator("#said", has_text="Not saved: question 1 is not the next one").wait_for()
    assert read_preferences(file).answer.tolist() == ["left"]


def test_a_server_that_is_gone_is_said_in_words(page, file):
    with rating_page(some_questions(), file) as served:
        opened(page, served.link)
    page.keyboard.press("ArrowRight")
    page.locator("#said", has_text="Not saved: the server does not answer").wait_for()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_on_a_phone_all_fits_and_a_finger_hits_it(browser, served, file, scheme):
    size = {"width": 390, "height": 844}
    context = browser.new_context(viewport=size, has_touch=True, color_scheme=scheme)
    page = context.new_page()
    opened(page, served.link)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    buttons = page.locator("button:visible, input:visible, summary:visible")
    boxes = [buttons.nth(k).bounding_box() for k in range(buttons.count())]
    assert len(boxes) == 9
    assert min(box["height"] for box in boxes) >= 44
    assert min(box["width"] for box in boxes) >= 44
    answers = [page.locator(ANSWERS).nth(k).bounding_box() for k in range(5)]
    assert max(box["y"] + box["height"] for box in answers) <= 844
    clips = [page.locator(f"#clip-{side}").bounding_box() for side in ("left", "right")]
    assert clips[0]["y"] == clips[1]["y"]
    assert clips[0]["x"] + clips[0]["width"] <= clips[1]["x"]
    colour = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (int(re.findall(r"\d+", colour)[0]) < 128) == (scheme == "dark")
    page.locator("[data-answer=right]").tap()
    at(page, 2)
    assert read_preferences(file).answer.tolist() == ["right"]
    context.close()


def test_where_motion_is_not_wanted_the_whole_way_stands_still(browser, served):
    context = browser.new_context(reduced_motion="reduce")
    page = context.new_page()
    opened(page, served.link)
    shown = page.locator("section .now").all_inner_texts()
    assert all(re.fullmatch(r"step 25|ended at step \d+", text) for text in shown)
    page.wait_for_timeout(500)
    assert page.locator("section .now").all_inner_texts() == shown
    assert page.inner_text("#play") == "Play"
    context.close()


def test_every_control_and_board_has_a_name_and_the_board_says_its_step(page, served):
    opened(page, served.link)
    for role, count in (("button", 6), ("slider", 2), ("img", 2)):
        found = page.get_by_role(role)
        assert found.count() == count
        assert page.get_by_role(role, name=re.compile(r"\w")).count() == count
    page.get_by_role("img", name=re.compile(r"^left clip: (step|ended at step) \d+")).wait_for()
    page.get_by_role("progressbar", name="answered questions").wait_for()
    assert page.get_by_role("status").all_inner_texts() == ["1 of 50", ""]
