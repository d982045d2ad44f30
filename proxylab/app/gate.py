"""Access control of the server: only the page itself, from this machine, in bounded sizes.

A foreign web page can make a browser send requests to ``127.0.0.1``, also under a host name
of its own that resolves there (DNS rebinding). So Host and Origin must name this server, and
a POST must be JSON, which a foreign page cannot send without a CORS preflight. Other users
of this machine can send any request, so a request must also carry the token (``token.py``).
"""

import ipaddress
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, MutableMapping
from typing import Any, Protocol
from urllib.parse import urlsplit

from proxylab.app.requests import MAX_BYTES
from proxylab.app.token import Token
from proxylab.errors import UsageError

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
ASGIApp = Callable[[Scope, Receive, Send], Awaitable[None]]
"""The types of ASGI."""

METHODS = ("GET", "HEAD", "POST")
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
"""Headers of every response."""

NO_TOKEN_PAGE = b"""<!doctype html>
<html lang="en"><meta charset="utf-8"><title>proxylab: token needed</title>
<p>This page needs its token. Open the address that <code>proxylab app</code> printed when it
was started; it ends in <code>/?token=</code> and the token.</p></html>
"""
"""The page for a browser without the token."""


class Gate:
    """ASGI middleware that refuses requests that do not come from the page."""

    def __init__(self, app: ASGIApp, host: str, port: int, token: Token | None) -> None:
        """Guard ``app`` on ``host`` and ``port``; with ``token`` None, no token is needed."""
        self.app, self.host, self.port, self.token = app, host, port, token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it with one JSON line."""
        if scope["type"] != "http":
            return
        guarded = _with_headers(send)
        if refusal := self._foreign(scope):
            await refuse(guarded, 403, refusal)
        elif self.token and self.token.is_visit(scope) and self.token.opened_by(scope):
            await _let_in(guarded, self.token)
        elif self.token and (self.token.is_visit(scope) or not self.token.in_cookie(scope)):
            await _refuse_without_token(guarded, scope)
        elif scope["method"] not in METHODS:
            allowed = {"allow": ", ".join(METHODS)}
            await refuse(guarded, 405, f"{scope['method']} is not known here", allowed)
        elif scope["method"] == "POST" and (wrong := _body_refusal(dict(scope["headers"]))):
            await refuse(guarded, *wrong)
        else:
            await self.app(scope, receive, guarded)

    def _foreign(self, scope: Scope) -> str | None:
        """What is wrong with the Host and Origin of a request, or None."""
        headers = scope["headers"]
        hosts, origins = (
            [v.decode("latin-1") for k, v in headers if k == name] for name in (b"host", b"origin")
        )
        if len(hosts) != 1 or not self._ours(f"http://{hosts[0]}"):
            return "this server does not go by the name in the Host header"
        if any(not self._ours(origin) for origin in origins):
            return "requests from other pages are refused"
        return None

    def _ours(self, address: str) -> bool:
        """Whether the page is served under an origin."""
        try:
            parts = urlsplit(address)
            name, port = parts.hostname, parts.port or 80
        except ValueError:
            return False
        plain = parts.scheme == "http" and not (parts.path or parts.query or parts.username)
        return plain and port == self.port and self._named(name or "")

    def _named(self, name: str) -> bool:
        """Whether a host name is this server's; DNS rebinding cannot forge a numeric address."""
        if name == self.host or (name in LOOPBACK and is_loopback(self.host)):
            return True
        return not is_loopback(self.host) and _is_address(name)


def _body_refusal(headers: Mapping[bytes, bytes]) -> tuple[int, str] | None:
    kind = headers.get(b"content-type", b"").split(b";")[0].strip().lower()
    if kind != b"application/json":
        return 415, "the request is not application/json"
    length = headers.get(b"content-length", b"0")
    if not length.isdigit() or len(length) > 9 or int(length) > MAX_BYTES:
        return 413, f"the request is larger than {MAX_BYTES} bytes"
    return None


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def is_loopback(host: str) -> bool:
    """Whether a host to listen on is a loopback address."""
    return host in LOOPBACK or (_is_address(host) and ipaddress.ip_address(host).is_loopback)


def _with_headers(send: Send) -> Send:
    """``send`` that adds the headers :data:`SECURITY` to a response."""
    extra = [(name.encode(), value.encode()) for name, value in SECURITY.items()]

    async def wrapped(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message.get("headers", []), *extra]}
        await send(message)

    return wrapped


async def refuse(
    send: Send, status: int, error: str, headers: Mapping[str, str] | None = None
) -> None:
    """Send one line of JSON: ``{"error": …}``."""
    body = (json.dumps({"error": error}) + "\n").encode()
    headers = {"content-type": "application/json", "connection": "close", **(headers or {})}
    await _send_all(send, status, headers, body)


async def _let_in(send: Send, token: Token) -> None:
    """Set the token as a cookie, and redirect to the address without it."""
    await _send_all(send, 303, {"location": "/", "set-cookie": token.set_cookie()}, b"")


async def _refuse_without_token(send: Send, scope: Scope) -> None:
    """Refuse a request without the token: with a page for a browser, else with JSON."""
    if scope["path"] == "/" and scope["method"] in ("GET", "HEAD"):
        headers = {"content-type": "text/html; charset=utf-8", "connection": "close"}
        await _send_all(send, 403, headers, NO_TOKEN_PAGE)
    else:
        await refuse(send, 403, "the token is missing or wrong")


async def _send_all(send: Send, status: int, headers: Mapping[str, str], body: bytes) -> None:
    headers = {**headers, "content-length": str(len(body))}
    lines = [(name.encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": status, "headers": lines})
    await send({"type": "http.response.body", "body": body})


class TooLarge(UsageError):
    """A body of more than ``MAX_BYTES``."""


class Streamed(Protocol):
    """A request whose body arrives in parts, as Starlette's."""

    def stream(self) -> AsyncIterator[bytes]:
        """The parts."""
        ...


async def read_body(request: Streamed) -> bytes:
    """The body of a request; :class:`TooLarge` as soon as it exceeds the limit."""
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > MAX_BYTES:
            raise TooLarge(f"the request is larger than {MAX_BYTES} bytes")
        parts.append(part)
    return b"".join(parts)
