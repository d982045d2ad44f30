"""The page in a headless Chromium: until it is painted, and until a moved cheese is answered."""

import shutil
import socket
import tempfile
from contextlib import contextmanager
from pathlib import Path

from proxylab.app import app
from proxylab.app.state import make_worlds, warm_up
from proxylab.bench.timing import Row, spread
from proxylab.errors import UsageError

OPENINGS = 5
"""How often the page is opened afresh."""

MOVES = 50
"""How often the cheese is moved."""

PAINT_AIM, MOVE_AIM = 1_000.0, 100.0
"""Milliseconds that are wanted at most."""

CHEESE = (3, 3)
PLACES = ((2, 3), (1, 3), (1, 2), (1, 1), (2, 1), (3, 1), (4, 1), (5, 1), (6, 1), (7, 1))
"""Where the cheese of ``maze-corner``, shifted, seed 0 lies, and free cells beside each other."""

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
FIRST_FIELD = """
document.addEventListener('proxylab:field', () => { window.firstField ??= performance.now(); });
"""
PAINTED = "performance.getEntriesByName('first-contentful-paint')[0].startTime"
NEXT_MOVE = """() => { window.nextMove = new Promise((done) => {
  let began = 0;
  const options = {once: true, capture: true};
  document.addEventListener('pointermove', () => { began = performance.now(); }, options);
  document.addEventListener('proxylab:field', () => requestAnimationFrame(
    () => setTimeout(() => done(performance.now() - began))), {once: true});
}); }"""


def bench_app():
    """First paint and a moved cheese, of the served page and of the single file."""
    with _browser() as browser, _served() as url, tempfile.TemporaryDirectory() as folder:
        return [
            *_rows(browser, "served page", url),
            *_rows(browser, "single file", _written(Path(folder) / "page.html")),
        ]


def _rows(browser, name, url):
    opened = [_opened(browser, url) for _ in range(OPENINGS)]
    painted, fields = zip(*opened, strict=True)
    return [
        _judged(f"{name}: first paint, {OPENINGS} openings", painted, PAINT_AIM),
        spread(f"{name}: first field drawn, {OPENINGS} openings", "ms", fields),
        _judged(f"{name}: moved cheese redrawn, {MOVES} moves", _moves(browser, url), MOVE_AIM),
    ]


def _judged(what, values, aim):
    """A row of the median beside what is wanted."""
    row = spread(what, "ms", values)
    outcome = "met" if row.value < aim else "missed"
    return Row(what, row.value, "ms", row.low, row.high, aim=f"under {aim:g} ms", outcome=outcome)


@contextmanager
def _browser():
    """A headless Chromium; ``UsageError`` says what is missing."""
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        raise UsageError("no chromium here: install it (Debian: apt-get install chromium)")
    try:
        from playwright.sync_api import sync_playwright  # an optional extra
    except ImportError:
        raise UsageError("the browser is driven by playwright: pip install playwright") from None
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield browser
        browser.close()


@contextmanager
def _served():
    """The address of the page, served by this process."""
    from proxylab.app.server import Server, make_app  # starlette is an optional extra

    worlds = make_worlds()
    warm_up(worlds)
    listener = socket.create_server(("127.0.0.1", 0))
    host, port = listener.getsockname()
    with Server(make_app(worlds, host, port), listener):
        yield f"http://{host}:{port}/"


def _written(path):
    """The address of the page as one file."""
    app(export=path, episodes=0)
    return path.as_uri()


@contextmanager
def _page(browser, url):
    """The page in a fresh context, both fields drawn."""
    context = browser.new_context(viewport={"width": 1100, "height": 900})
    page = context.new_page()
    page.add_init_script(FIRST_FIELD)
    page.goto(url)
    page.locator("#now-b", has_text="step 0 of").wait_for()
    yield page
    context.close()


def _opened(browser, url):
    """(first contentful paint, first field drawn), milliseconds from the start of navigation."""
    with _page(browser, url) as page:
        return page.evaluate(PAINTED), page.evaluate("window.firstField")


def _moves(browser, url):
    """Milliseconds from each move of the pointer to the frame after the new field is drawn."""
    there_and_back = [*PLACES, *PLACES[-2::-1], CHEESE]
    with _page(browser, url) as page:
        box = page.locator("#board-a").bounding_box()
        _point(page, box, CHEESE)
        page.mouse.down()
        found = []
        for k in range(MOVES):
            page.evaluate(NEXT_MOVE)
            _point(page, box, there_and_back[k % len(there_and_back)])
            found.append(page.evaluate("window.nextMove"))
        page.mouse.up()
        return found


def _point(page, box, cell):
    row, col = cell
    page.mouse.move(
        box["x"] + (col + 0.5) * box["width"] / 9, box["y"] + (row + 0.5) * box["height"] / 9
    )
