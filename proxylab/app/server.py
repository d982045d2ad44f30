"""The server: the page's files, and a route for every question it asks."""

import json
import threading
from functools import partial

import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from proxylab.app import api
from proxylab.app.gate import Gate, TooLarge, read_body
from proxylab.app.page import page_files
from proxylab.app.requests import read_json
from proxylab.app.verdicts import Verdicts
from proxylab.errors import UsageError

CONNECTIONS = 64
"""Connections at once."""


def make_app(worlds, host, port, verdicts=None):
    """The ASGI application.

    Args:
        worlds: {name: ``state.World``}.
        host: name or address that it listens on.
        port: likewise.
        verdicts: :class:`Verdicts`, a fresh one by default.
    """
    verdicts = verdicts or Verdicts()
    asked = {
        "level": api.level,
        "field": api.fields,
        "episode": api.episode,
        "occupancy": api.occupancy,
        "verdict": verdicts.ask,
    }
    posts = [
        Route(f"/api/{name}", partial(_answer, partial(answer, worlds)), methods=["POST"])
        for name, answer in asked.items()
    ]
    catalogue = json.dumps(api.catalogue(worlds)).encode(), "application/json"
    files = page_files() | {"/api/catalogue": catalogue}
    routes = [*(Route(path, partial(_file, *file)) for path, file in files.items()), *posts]
    handlers = {404: partial(_wrong, 404, "there is nothing here"), 500: _broken}
    handlers[405] = partial(_wrong, 405, "this method is not known here")
    return Gate(Starlette(routes=routes, exception_handlers=handlers), host, port)


async def _answer(answer, request):
    """Run a function of the request in a thread; what is wrong with the request is one line."""
    try:
        found = await run_in_threadpool(answer, read_json(await read_body(request)))
    except ValueError as error:  # UsageError among them
        status = 413 if isinstance(error, TooLarge) else 400
        return _line(status, " ".join(str(error).split()))
    return JSONResponse(found)


async def _file(content, kind, _request):
    return Response(content, media_type=kind)


def _line(status, error):
    return Response(json.dumps({"error": error}) + "\n", status, media_type="application/json")


async def _wrong(status, error, _request, _exception):
    return _line(status, error)


async def _broken(_request, exception):
    return _line(500, f"{type(exception).__name__}: {exception}")


class Server:
    """Uvicorn on a socket that is bound already."""

    def __init__(self, app, listener):
        """Serve ``app`` on ``listener`` (a bound socket)."""
        config = uvicorn.Config(
            app,
            log_level="warning",
            access_log=False,
            server_header=False,
            ws="none",
            lifespan="off",
            http="h11",
            loop="asyncio",
            limit_concurrency=CONNECTIONS,
            h11_max_incomplete_event_size=16_384,
            timeout_graceful_shutdown=2,
        )
        self.listener = listener
        self.uvicorn = uvicorn.Server(config)

    def run(self):
        """Until it is interrupted or stopped."""
        self.uvicorn.run(sockets=[self.listener])

    def __enter__(self):
        """Serve in a thread meanwhile."""
        self._thread = threading.Thread(target=self.run, daemon=True)
        self._thread.start()
        while not self.uvicorn.started:
            if not self._thread.is_alive():
                raise UsageError("the server did not start")
            self._thread.join(0.01)
        return self

    def __exit__(self, *_error):
        self.uvicorn.should_exit = True
        self._thread.join()
