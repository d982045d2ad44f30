"""The page in a headless browser: changed, played, judged, restored from its address."""

import re

READY = "new Promise(done => document.addEventListener('proxylab:ready', done, {once: true}))"
PICTURE = "id => document.getElementById(id).toDataURL()"


def opened(page, address, hash_=""):
    """The page, once both agents' episodes are there."""
    page.goto(f"http://{address[0]}:{address[1]}/{hash_}")
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
    opened(page, address)
    before = [page.evaluate(PICTURE, f"board-{letter}") for letter in "ab"]
    settled(page, lambda: drag(page, (3, 3), (1, 6)))  # seed 0 has its cheese at (3, 3)
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
