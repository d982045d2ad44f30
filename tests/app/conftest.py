"""The page's server in a thread, and a headless browser where there is one."""

import shutil
import socket

import pytest

from proxylab.app.server import Server, make_app
from proxylab.app.state import make_worlds

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]


@pytest.fixture(scope="session")
def worlds():
    return make_worlds()


@pytest.fixture(scope="session")
def address(worlds):
    """(host, port) of a server on a free port."""
    listener = socket.create_server(("127.0.0.1", 0))
    host, port = listener.getsockname()
    with Server(make_app(worlds, host, port), listener):
        yield host, port


@pytest.fixture(scope="session")
def browser():
    if CHROMIUM is None:
        pytest.skip("no chromium here: apt-get install chromium")
    playwright = pytest.importorskip("playwright.sync_api", reason="pip install playwright")
    with playwright.sync_playwright() as started:
        opened = started.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield opened
        opened.close()


@pytest.fixture
def page(browser):
    """A page of a fresh context; an error in its scripts fails the test."""
    context = browser.new_context(viewport={"width": 1100, "height": 900})
    context.set_default_timeout(90_000)  # the first call of a kernel may compile
    errors = []
    opened = context.new_page()
    opened.on("pageerror", lambda error: errors.append(str(error)))
    yield opened
    context.close()
    assert not errors
