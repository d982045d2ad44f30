"""``proxylab app``: serve the page, or write it as one file."""

import socket
import sys
from dataclasses import asdict, dataclass

from proxylab.app.gate import is_loopback
from proxylab.errors import UsageError

SCHEMA = "proxylab.app/1"
NEEDED = "the page needs starlette and uvicorn: pip install 'proxylab[app]'"


@dataclass(frozen=True)
class App:
    """What was served or written.

    Attributes:
        url: address of the page; empty where it was only written.
        file: the file written; empty where it was served.
        num_bytes: size of the page with everything that it loads before it can draw.
        worlds: {world: number of agents}.
    """

    url: str
    file: str
    num_bytes: int
    worlds: dict[str, int]

    def as_json(self):
        """The object that ``app --json`` prints."""
        return {"schema": SCHEMA, **asdict(self)}


def app(agents=(), host="127.0.0.1", port=8765, serve=True, device="cpu", ready=print):
    """Serve the page until it is interrupted.

    Args:
        agents: references beside the shipped agents.
        host: address to listen on; others than this machine's own let the network in.
        port: to listen on; 0 takes a free one.
        serve: False starts, fetches the page once, and stops.
        device: where networks run.
        ready: function (line) that says where the page is, once it can be opened.

    Returns:
        :class:`App`.

    Raises:
        UsageError: the port is taken, an agent cannot be found, or the extra is missing.
    """
    make_app, Server = _parts()
    from proxylab.app.state import make_worlds, warm_up

    worlds = make_worlds(agents, device)
    if not is_loopback(host):
        print(f"everybody who reaches {host}:{port} can use the page", file=sys.stderr)
    listener = _listen(host, port)
    port = listener.getsockname()[1]
    url = f"http://{f'[{host}]' if ':' in host else host}:{port}/"
    warm_up(next(iter(worlds.values())))
    server = Server(make_app(worlds, host, port), listener)
    ready(f"the page is at {url} (Ctrl-C stops)")
    if serve:
        server.run()
        size = 0
    else:
        with server:
            size = fetch_all(url)
    return App(url, "", size, {name: len(world.agents) for name, world in worlds.items()})


def _parts():
    try:
        from proxylab.app.server import Server, make_app
    except ImportError as error:
        if error.name and error.name.split(".")[0] in ("starlette", "uvicorn"):
            raise UsageError(NEEDED) from None
        raise
    return make_app, Server


def _listen(host, port):
    """A socket bound to ``host`` and ``port``."""
    if not 0 <= port <= 65_535:
        raise UsageError(f"port {port} is not between 0 and 65535")
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, port), family=family)
    except OSError as error:
        reason = error.strerror or error
        raise UsageError(f"cannot listen on {host}:{port} ({reason}): try another --port") from None


def fetch_all(url):
    """Fetch the page, its files and the catalogue; their bytes in all."""
    from urllib.request import urlopen

    from proxylab.app.page import page_files

    size = 0
    for path in (*page_files(), "/api/catalogue"):
        with urlopen(url.rstrip("/") + path, timeout=30) as answer:
            size += len(answer.read())
    return size
