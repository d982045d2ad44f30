"""The server: the page's files, and one route per API function."""

import json
import socket
import threading
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Self

import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from proxylab.app import api
from proxylab.app.connections import Connection
from proxylab.app.gate import ASGIApp, Gate, TooLarge, read_body
from proxylab.app.page import RATING, page_files
from proxylab.app.rating_page import RatingPage
from proxylab.app.requests import read_json
from proxylab.app.state import World
from proxylab.app.token import Token
from proxylab.app.verdicts import Verdicts
from proxylab.errors import UsageError
from proxylab.rollouts.thread_map import one_network_thread

Answer = Callable[[Mapping[str, Any]], Any]
"""Function (request) -> JSON value."""

BACKLOG = 64
"""Length of the queue of connections that wait to be accepted."""


def make_app(
    worlds: Mapping[str, World],
    host: str,
    port: int,
    token: Token | None,
    verdicts: Verdicts | None = None,
) -> Gate:
    """The ASGI application.

    Args:
        worlds: {name: ``state.World``}.
        host: name or address that it listens on.
        port: likewise.
        token: :class:`~proxylab.app.token.Token` that requests must carry; None for no token.
        verdicts: :class:`Verdicts`, a fresh one by default.
    """
    verdicts = verdicts or Verdicts()
    functions = {
        "level": api.level,
        "field": api.fields,
        "episode": api.episode,
        "occupancy": api.occupancy,
        "verdict": verdicts.ask,
    }
    posts = {name: partial(function, worlds) for name, function in functions.items()}
    return _gated((page_files(), api.catalogue(worlds), posts), host, port, token)


def make_rating_app(page: RatingPage, host: str, port: int, token: Token | None) -> Gate:
    """The ASGI application of the rating page; arguments as of :func:`make_app`."""
    posts = {"question": page.ask, "answer": page.answer, "undo": page.undo}
    return _gated((page_files(RATING), page.catalogue(), posts), host, port, token)


def _gated(
    parts: tuple[Mapping[str, tuple[bytes, str]], Mapping[str, Any], Mapping[str, Answer]],
    host: str,
    port: int,
    token: Token | None,
) -> Gate:
    """The application of ``parts``: files, catalogue, and functions of a posted request."""
    files, catalogue, functions = parts
    posts = [
        Route(f"/api/{name}", partial(_answer, answer), methods=["POST"])
        for name, answer in functions.items()
    ]
    files = {**files, "/api/catalogue": (json.dumps(catalogue).encode(), "application/json")}
    routes = [*(Route(path, partial(_file, *file)) for path, file in files.items()), *posts]
    handlers = {404: partial(_wrong, 404, "there is nothing here"), 500: _broken}
    handlers[405] = partial(_wrong, 405, "this method is not known here")
    starlette = Starlette(routes=routes, exception_handlers=handlers)
    starlette.router.redirect_slashes = False
    return Gate(starlette, host, port, token)


async def _answer(answer: Answer, request: Request) -> Response:
    """Run a function of the request in a thread; an invalid request gives one line."""
    try:
        answer_json = await run_in_threadpool(answer, read_json(await read_body(request)))
    except ClientDisconnect:
        return _line(400, "the request broke off")  # the client has left
    except ValueError as error:  # UsageError among them
        status = 413 if isinstance(error, TooLarge) else 400
        return _line(status, " ".join(str(error).split()))
    return JSONResponse(answer_json)


async def _file(content: bytes, kind: str, _request: Request) -> Response:
    return Response(content, media_type=kind)


def _line(status: int, error: str, headers: Mapping[str, str] | None = None) -> Response:
    body = json.dumps({"error": error}) + "\n"
    return Response(body, status, headers, media_type="application/json")


async def _wrong(status: int, error: str, _request: Request, exception: Any) -> Response:
    return _line(status, error, exception.headers)


async def _broken(_request: Request, exception: Exception) -> Response:
    return _line(500, f"{type(exception).__name__}: {exception}")


class Server:
    """Uvicorn on a bound socket."""

    def __init__(self, app: ASGIApp, listener: socket.socket) -> None:
        """Serve ``app`` on ``listener`` (a bound socket)."""
        config = uvicorn.Config(
            app,
            log_level="error",  # errors of a request go into its response
            access_log=False,
            server_header=False,
            ws="none",
            lifespan="off",
            http=Connection,
            loop="asyncio",
            backlog=BACKLOG,
            h11_max_incomplete_event_size=16_384,
            timeout_graceful_shutdown=2,
        )
        self.listener = listener
        self.uvicorn = uvicorn.Server(config)

    def run(self) -> None:
        """Serve until interrupted or stopped; networks run on one thread, batches are small."""
        with one_network_thread():  # loading torch here could swallow an early Ctrl-C
            self.uvicorn.run(sockets=[self.listener])

    def run_and_call(self, function: Callable[[], Any]) -> None:
        """Like :meth:`run`; calls ``function`` in a thread once the page is served."""
        threading.Thread(target=self._call_when_started, args=(function,), daemon=True).start()
        self.run()

    def _call_when_started(self, function: Callable[[], Any]) -> None:
        while not self.uvicorn.started:
            time.sleep(0.01)
        function()

    def __enter__(self) -> Self:
        """Serve in a background thread."""
        self._thread = threading.Thread(target=self.run, daemon=True)
        self._thread.start()
        while not self.uvicorn.started:
            if not self._thread.is_alive():
                raise UsageError("the server did not start")
            self._thread.join(0.01)
        return self

    def __exit__(self, *_error: object) -> None:
        self.uvicorn.should_exit = True
        self._thread.join()
