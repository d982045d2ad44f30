"""Who may talk to the server, and in what sizes: the page itself, from this machine.

A page elsewhere on the web can make a browser send requests to ``127.0.0.1``, also under a
name of its own that it points there (DNS rebinding). So the names in Host and Origin have
to be ours, and what is posted has to be JSON, which a foreign page cannot send unasked.
"""

import ipaddress
import json
from urllib.parse import urlsplit

from proxylab.app.requests import MAX_BYTES
from proxylab.errors import UsageError

LOOPBACK = ("127.0.0.1", "localhost", "::1")
SECURITY = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cache-control": "no-cache",
}
"""Headers of every answer."""


class Gate:
    """ASGI middleware that refuses what does not come from the page."""

    def __init__(self, app, host, port):
        """Before ``app``, which listens on ``host`` and ``port``."""
        self.app, self.host, self.port = app, host, port

    async def __call__(self, scope, receive, send):
        """Answer, or refuse in one JSON line."""
        if scope["type"] != "http":
            return
        guarded = _with_headers(send)
        refusal = self._refusal(scope)
        if refusal:
            await refuse(guarded, *refusal)
            return
        await self.app(scope, receive, guarded)

    def _refusal(self, scope):
        """(status, what is wrong), or None."""
        headers = scope["headers"]
        hosts, origins = (
            [v.decode("latin-1") for k, v in headers if k == name] for name in (b"host", b"origin")
        )
        if len(hosts) != 1 or not self._ours(f"http://{hosts[0]}"):
            return 403, "this server does not go by the name in the Host header"
        if any(not self._ours(origin) for origin in origins):
            return 403, "requests from other pages are refused"
        if scope["method"] not in ("GET", "HEAD", "POST"):
            return 405, f"{scope['method']} is not known here"
        if scope["method"] == "POST":
            return _body_refusal(dict(headers))
        return None

    def _ours(self, address):
        """Whether an origin is one under which the page is reached."""
        try:
            found = urlsplit(address)
            name, port = found.hostname, found.port or 80
        except ValueError:
            return False
        plain = found.scheme == "http" and not (found.path or found.query or found.username)
        return plain and port == self.port and self._named(name or "")

    def _named(self, name):
        """Whether a host name is ours; no name can be rebound onto a number."""
        if name == self.host or (name in LOOPBACK and is_loopback(self.host)):
            return True
        return not is_loopback(self.host) and _is_address(name)


def _body_refusal(headers):
    kind = headers.get(b"content-type", b"").split(b";")[0].strip().lower()
    if kind != b"application/json":
        return 415, "the request is not application/json"
    length = headers.get(b"content-length", b"0")
    if not length.isdigit() or len(length) > 9 or int(length) > MAX_BYTES:
        return 413, f"the request is larger than {MAX_BYTES} bytes"
    return None


def _is_address(name):
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def is_loopback(host):
    """Whether a host to listen on is this machine only."""
    return host in LOOPBACK or (_is_address(host) and ipaddress.ip_address(host).is_loopback)


def _with_headers(send):
    """``send`` that adds :data:`SECURITY` to the head of an answer."""
    extra = [(name.encode(), value.encode()) for name, value in SECURITY.items()]

    async def wrapped(message):
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message.get("headers", []), *extra]}
        await send(message)

    return wrapped


async def refuse(send, status, error):
    """Send one line of JSON: ``{"error": …}``."""
    body = (json.dumps({"error": error}) + "\n").encode()
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (b"connection", b"close"),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


class TooLarge(UsageError):
    """A body of more than ``MAX_BYTES``."""


async def read_body(request):
    """The bytes of a request; :class:`TooLarge` as soon as they are too many."""
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > MAX_BYTES:
            raise TooLarge(f"the request is larger than {MAX_BYTES} bytes")
        parts.append(part)
    return b"".join(parts)
