"""A small rating page in a thread, for the tests."""

import contextlib
import json
import socket
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from proxylab.app.rating_page import RatingPage
from proxylab.app.server import Server, make_rating_app
from proxylab.app.token import Token, new_token
from proxylab.rewards.collect import default_sources
from proxylab.rewards.questions import draw_questions
from proxylab.rewards.rating import Rating

TASK = "maze-corner"


def some_questions(pairs=50, task=TASK, **options):
    return draw_questions(task, default_sources(task), pairs, **{"clips": 30, **options})


class Served:
    """A page at an address."""

    def __init__(self, url, token):
        self.url, self.token = url, token
        self.link = f"{url}?token={token.secret}"

    def call(self, name, request, headers=None):
        """(status, JSON) of one request."""
        headers = {"Content-Type": "application/json", **self.token.header(), **(headers or {})}
        body = request if isinstance(request, bytes) else json.dumps(request).encode()
        try:
            with urlopen(Request(f"{self.url}api/{name}", body, headers), timeout=60) as answer:
                return answer.status, json.load(answer)
        except HTTPError as error:
            text = error.read()
            assert text.count(b"\n") == 1
            return error.code, json.loads(text)

    def post(self, name, **request):
        """The JSON that the page gets."""
        status, found = self.call(name, request)
        assert status == 200, found
        return found


@contextlib.contextmanager
def rating_page(questions, file, **options):
    """Serve ``questions`` on a free port."""
    page = RatingPage(Rating(questions, file, **options))
    listener = socket.create_server(("127.0.0.1", 0))
    host, port = listener.getsockname()
    token = Token(new_token(), port)
    with Server(make_rating_app(page, host, port, token), listener):
        yield Served(f"http://{host}:{port}/", token)
