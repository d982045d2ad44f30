"""Latency of the page in a headless Chromium: first paint, and redraw after a move."""

import socket
import tempfile
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from proxylab.app import app
from proxylab.app.state import make_worlds, warm_up
from proxylab.app.token import Token, new_token
from proxylab.bench.browser import chromium
from proxylab.bench.timing import Row, spread

OPENINGS = 5
"""Number of page loads."""

MOVES = 50
"""Number of moves of the cheese."""

PAINT_AIM, MOVE_AIM = 1_000.0, 100.0
"""Targets: upper bounds in milliseconds."""

LEVEL = "#seed=1"
CHEESE = (7, 3)
PLACES = ((7, 4), (7, 5), (6, 5), (5, 5), (5, 4), (5, 3), (4, 3), (3, 3), (3, 2), (3, 1))
"""The cheese of ``maze-corner``, shifted, seed 1, and a path of adjacent free cells."""

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


def bench_app() -> list[Row]:
    """Time to first paint and to redraw, for the served page and for the single file."""
    with chromium() as browser, _served() as url, tempfile.TemporaryDirectory() as folder:
        return [
            *_rows(browser, "served page", url),
            *_rows(browser, "single file", _written(Path(folder) / "page.html")),
        ]


def _rows(browser: Any, name: str, url: str) -> list[Row]:
    opened = [_opened(browser, url) for _ in range(OPENINGS)]
    painted, fields = zip(*opened, strict=True)
    return [
        _judged(f"{name}: first paint, {OPENINGS} openings", painted, PAINT_AIM),
        spread(f"{name}: first field drawn, {OPENINGS} openings", "ms", fields),
        _judged(f"{name}: moved cheese redrawn, {MOVES} moves", _moves(browser, url), MOVE_AIM),
    ]


def _judged(what: str, values: Sequence[float], aim: float) -> Row:
    """A row of the median, compared with the target."""
    row = spread(what, "ms", values)
    outcome = "met" if row.value < aim else "missed"
    return Row(what, row.value, "ms", row.low, row.high, aim=f"under {aim:g} ms", outcome=outcome)


@contextmanager
def _served() -> Generator[str]:
    """The address of the page, with its token, served by this process."""
    from proxylab.app.server import Server, make_app  # starlette is an optional extra

    worlds = make_worlds()
    warm_up(worlds)
    listener = socket.create_server(("127.0.0.1", 0))
    host, port = listener.getsockname()
    token = Token(new_token(), port)
    with Server(make_app(worlds, host, port, token), listener):
        yield f"http://{host}:{port}/?token={token.secret}"


def _written(path: Path) -> str:
    """Write the page as one file to ``path``; its address."""
    app(export=path, episodes=0)
    return path.as_uri()


@contextmanager
def _page(browser: Any, url: str) -> Generator[Any]:
    """The page in a fresh context, both fields drawn."""
    context = browser.new_context(viewport={"width": 1100, "height": 900})
    page = context.new_page()
    page.add_init_script(FIRST_FIELD)
    page.goto(url + LEVEL)
    page.locator("#now-b", has_text="step 0 of").wait_for()
    yield page
    context.close()


def _opened(browser: Any, url: str) -> tuple[float, float]:
    """(first contentful paint, first field drawn), milliseconds from the start of navigation."""
    with _page(browser, url) as page:
        return page.evaluate(PAINTED), page.evaluate("window.firstField")


def _moves(browser: Any, url: str) -> list[float]:
    """Milliseconds from each move of the pointer to the frame after the new field is drawn."""
    there_and_back = [*PLACES, *PLACES[-2::-1], CHEESE]
    with _page(browser, url) as page:
        box = page.locator("#board-a").bounding_box()
        _point(page, box, CHEESE)
        page.mouse.down()
        times = []
        for k in range(MOVES):
            page.evaluate(NEXT_MOVE)
            _point(page, box, there_and_back[k % len(there_and_back)])
            times.append(page.evaluate("window.nextMove"))
        page.mouse.up()
        return times


def _point(page: Any, box: dict[str, float], cell: tuple[int, int]) -> None:
    row, col = cell
    page.mouse.move(
        box["x"] + (col + 0.5) * box["width"] / 9, box["y"] + (row + 0.5) * box["height"] / 9
    )
