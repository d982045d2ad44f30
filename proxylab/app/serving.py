"""``proxylab app``: serve the page, or write it as one file."""

import contextlib
import socket
import sys
import webbrowser
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.request import Request, urlopen

from proxylab.app.embedding import embedded_data
from proxylab.app.gate import is_loopback
from proxylab.app.page import page_files
from proxylab.app.single_file import single_file
from proxylab.app.state import World, make_worlds, warm_up
from proxylab.app.token import Token, new_token
from proxylab.console.output import Track
from proxylab.errors import UsageError
from proxylab.rollouts.rollout import Policy
from proxylab.storage.whole_files import whole_file

SCHEMA = "proxylab.app/1"
NEEDED = "the page needs starlette and uvicorn: pip install 'proxylab[app]'"


@dataclass(frozen=True)
class App:
    """The page that was served or written.

    Attributes:
        url: address of the page, without its token; empty where it was only written.
        file: the file written; empty where it was served.
        num_bytes: size of the page with everything that it loads before it can draw.
        worlds: {world: number of agents}.
    """

    url: str
    file: str
    num_bytes: int
    worlds: dict[str, int]

    def as_json(self) -> dict[str, Any]:
        """The object that ``app --json`` prints."""
        return {"schema": SCHEMA, **asdict(self)}


def app(
    agents: Sequence[str | Policy] = (),
    tasks: Sequence[str] = (),
    host: str = "127.0.0.1",
    port: int = 8765,
    serve: bool = True,
    export: str | Path | None = None,
    episodes: int = 100,
    device: str = "cpu",
    ready: Callable[[str], Any] = print,
    track: Track = lambda jobs, description: jobs,
    token: str | None = None,
    no_token: bool = False,
    open_browser: bool = False,
) -> App:
    """Serve the page until it is interrupted, or write it as one file.

    Args:
        agents: references beside the shipped agents.
        tasks: names of the tasks to show; all by default.
        host: address to listen on; any but a loopback address is reachable from the network.
        port: to listen on; 0 takes a free one.
        serve: False starts, fetches the page once, and stops.
        export: path of the file to write instead, ``.html``.
        episodes: levels of each verdict in that file; 0 leaves verdicts out.
        device: where networks run.
        ready: function (line), called with the page's address once it can be opened.
        track: function (list, description) -> iterable, to show progress.
        token: that opens the page; by default a fresh random one.
        no_token: serve every client that reaches the port.
        open_browser: show the page in the default browser.

    Returns:
        :class:`App`.

    Raises:
        UsageError: the port is taken, an agent or task cannot be found, the extra is missing,
            or the token is too short.
    """
    secret = chosen_token(token, no_token)
    if export:
        return _export(make_worlds(agents, device, tasks), Path(export), episodes, track)
    make_app = import_server().make_app
    worlds = make_worlds(agents, device, tasks)
    counts = {name: len(world.agents) for name, world in worlds.items()}

    def warmed_up(*where: Any) -> Any:
        warm_up(worlds)
        return make_app(worlds, *where)

    listening = Listening(host, port, secret, serve, ready, open_browser)
    size, url = listening.run(warmed_up, page_files())
    return App(url, "", size, counts)


def chosen_token(token: str | None, no_token: bool) -> str | None:
    """The token that opens the page; None for none."""
    if no_token and token is not None:
        raise UsageError("--token and --no-token exclude each other")
    return None if no_token else new_token(token)


def _export(worlds: Mapping[str, World], path: Path, episodes: int, track: Track) -> App:
    """Write the page with the included agents to ``path``."""
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


@dataclass(frozen=True)
class Listening:
    """Where and how a page is served; fields as the arguments of :func:`app`.

    Attributes:
        host: address to listen on.
        port: to listen on; 0 takes a free one.
        secret: token that opens the page; None for none.
        serve: False starts, fetches the page once, and stops.
        ready: function (line), called with the page's address once it can be opened.
        open_browser: show the page in the default browser.
    """

    host: str
    port: int
    secret: str | None
    serve: bool
    ready: Callable[[str], Any]
    open_browser: bool

    def run(self, make_app: Callable[..., Any], files: Iterable[str]) -> tuple[int, str]:
        """Serve until interrupted, or fetch everything once: (bytes fetched, address).

        Args:
            make_app: function (host, port, token) -> ASGI application.
            files: paths of its files.
        """
        host, secret = self.host, self.secret
        listener = _listen(host, self.port)
        port = listener.getsockname()[1]
        if warning := exposure(host, port, secret):
            print(warning, file=sys.stderr)
        url = f"http://{f'[{host}]' if ':' in host else host}:{port}/"
        token = None if secret is None else Token(secret, port)
        server = import_server().Server(make_app(host, port, token), listener)
        self.ready(f"the page is at {url}{f'?token={secret}' if secret else ''} (Ctrl-C stops)")
        if not self.serve:
            with server:
                return fetch_all(url, token, files), url
        with contextlib.suppress(KeyboardInterrupt):  # Ctrl-C stops it
            if self.open_browser:
                server.run_and_call(lambda: webbrowser.open(_browser_address(url, token)))
            else:
                server.run()
        return 0, url


def _browser_address(url: str, token: Token | None) -> str:
    """``url`` with a token for one visit: a browser's command line is visible to other users."""
    return url if token is None else f"{url}?token={token.new_ticket()}"


def exposure(host: str, port: int, secret: str | None) -> str:
    """A one-line warning of who else can use the page; empty if no one can."""
    if is_loopback(host):
        return "" if secret else "no token: every user of this machine can use the page"
    if secret:
        return f"the page and its token go to {host}:{port} without encryption"
    return f"no token: everybody who reaches {host}:{port} can use the page"


def import_server() -> ModuleType:
    """The module of the server; ``UsageError`` without the extra that it needs."""
    try:
        from proxylab.app import server  # starlette is an optional extra
    except ImportError as error:
        if error.name and error.name.split(".")[0] in ("starlette", "uvicorn"):
            raise UsageError(NEEDED) from None
        raise
    return server


def _listen(host: str, port: int) -> socket.socket:
    """A socket bound to ``host`` and ``port``."""
    if not 0 <= port <= 65_535:
        raise UsageError(f"port {port} is not between 0 and 65535")
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, port), family=family)
    except OSError as error:
        reason = error.strerror or error
        raise UsageError(f"cannot listen on {host}:{port} ({reason}): try another --port") from None


def fetch_all(url: str, token: Token | None, files: Iterable[str]) -> int:
    """Fetch the page's ``files`` and the catalogue; their total bytes."""
    size = 0
    headers = {} if token is None else token.header()
    for path in (*files, "/api/catalogue"):
        request = Request(url.rstrip("/") + path, headers=headers)
        with urlopen(request, timeout=30) as answer:
            size += len(answer.read())
    return size
