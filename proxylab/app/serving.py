"""``proxylab app``: serve the page, or write it as one file."""

import contextlib
import socket
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.request import urlopen

from proxylab.app.embedding import embedded_data
from proxylab.app.gate import is_loopback
from proxylab.app.page import page_files
from proxylab.app.single_file import single_file
from proxylab.app.state import make_worlds, warm_up
from proxylab.errors import UsageError
from proxylab.storage.store import whole_file

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


def app(
    agents=(),
    tasks=(),
    host="127.0.0.1",
    port=8765,
    serve=True,
    export=None,
    episodes=100,
    device="cpu",
    ready=print,
    track=lambda jobs, description: jobs,
):
    """Serve the page until it is interrupted, or write it as one file.

    Args:
        agents: references beside the shipped agents.
        tasks: names of the tasks to show; all by default.
        host: address to listen on; others than this machine's own let the network in.
        port: to listen on; 0 takes a free one.
        serve: False starts, fetches the page once, and stops.
        export: path of the file to write instead, ``.html``.
        episodes: levels of each verdict in that file; 0 leaves verdicts out.
        device: where networks run.
        ready: function (line) that says where the page is, once it can be opened.
        track: function (list, description) -> iterable, to show progress.

    Returns:
        :class:`App`.

    Raises:
        UsageError: the port is taken, an agent or task cannot be found, the extra is missing.
    """
    parts = None if export else _parts()
    worlds = make_worlds(agents, device, tasks)
    counts = {name: len(world.agents) for name, world in worlds.items()}
    if export:
        return _export(worlds, Path(export), episodes, track)
    size, url = _serve(parts, worlds, host, port, serve, ready)
    return App(url, "", size, counts)


def _export(worlds, path, episodes, track):
    """Write the page with small agents in it to ``path``."""
    if path.suffix != ".html":
        raise UsageError(f"{path}: a page's name ends in .html")
    if episodes and not 10 <= episodes <= 1_000:
        raise UsageError(f"episodes {episodes} is neither 0 nor between 10 and 1000")
    data = embedded_data(worlds, episodes, track)
    text = single_file(data)
    with whole_file(path) as temporary:
        temporary.write_text(text)
    counts = {world["name"]: len(world["agents"]) for world in data["catalogue"]["worlds"]}
    return App("", str(path), len(text.encode()), counts)


def _serve(parts, worlds, host, port, serve, ready):
    """Serve until interrupted, or fetch everything once: (bytes fetched, address)."""
    make_app, Server = parts
    listener = _listen(host, port)
    port = listener.getsockname()[1]
    if not is_loopback(host):
        print(f"everybody who reaches {host}:{port} can use the page", file=sys.stderr)
    url = f"http://{f'[{host}]' if ':' in host else host}:{port}/"
    warm_up(worlds)
    server = Server(make_app(worlds, host, port), listener)
    ready(f"the page is at {url} (Ctrl-C stops)")
    if serve:
        with contextlib.suppress(KeyboardInterrupt):  # the way to stop it
            server.run()
        return 0, url
    with server:
        return fetch_all(url), url


def _parts():
    try:
        from proxylab.app.server import Server, make_app  # starlette is an optional extra
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
    size = 0
    for path in (*page_files(), "/api/catalogue"):
        with urlopen(url.rstrip("/") + path, timeout=30) as answer:
            size += len(answer.read())
    return size
