"""The page's server in a thread, and a headless browser where there is one."""

import importlib
import socket

import pytest
from chromium_or_skip import chromium_or_skip

from proxylab.app.server import Server, make_app
from proxylab.app.state import make_worlds
from proxylab.app.token import Token, new_token


@pytest.fixture(scope="session")
def worlds():
    return make_worlds()


class Address(tuple):
    """(host, port) of a server, and its token."""

    token = None

    @property
    def link(self):
        """What ``proxylab app`` prints."""
        return "http://{}:{}/?token={}".format(*self, self.token.secret)


@pytest.fixture(scope="session")
def address(worlds):
    """Where a server is, on a free port."""
    listener = socket.create_server(("127.0.0.1", 0))
    host, port = listener.getsockname()
    found = Address((host, port))
    found.token = Token(new_token(), port)
    with Server(make_app(worlds, host, port, found.token), listener):
        yield found


@pytest.fixture(scope="session")
def browser():
    yield from chromium_or_skip()


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


@pytest.fixture
def scripted_rater(pytestconfig, monkeypatch):
    """The module docs/examples/scripted_rater.py."""
    monkeypatch.syspath_prepend(str(pytestconfig.rootpath / "docs" / "examples"))
    return importlib.import_module("scripted_rater")
