"""The token that opens the page: first in its address, from then on in a cookie.

Every user of a machine can reach its ports, so the address alone must not suffice. The
cookie carries the port in its name, because browsers share cookies between the ports of
a host; it is HttpOnly and SameSite=Strict.
"""

import hmac
import re
import secrets
import time
from collections.abc import MutableMapping
from typing import Any
from urllib.parse import parse_qs

from proxylab.errors import UsageError

ALLOWED = re.compile(r"[A-Za-z0-9._~-]{8,128}")
"""Valid tokens: they need no escaping in an address or in a cookie."""

TICKET_SECONDS = 60.0
"""Lifetime of the address that is passed to a browser."""


def new_token(given: str | None = None) -> str:
    """The token ``given``, checked; without one, 192 random bits.

    Raises:
        UsageError: it is too short, too long or has other characters.
    """
    if given is None:
        return secrets.token_urlsafe(24)
    if not ALLOWED.fullmatch(given):
        raise UsageError("--token takes 8 to 128 letters, digits and the characters . _ ~ -")
    return given


class Token:
    """A token, and the ways in which a request presents it."""

    def __init__(self, secret: str, port: int) -> None:
        """The token ``secret`` of a server that listens on ``port``."""
        self.secret = secret
        self.cookie = f"proxylab-{port}"
        self._ticket, self._ticket_ends = "", 0.0

    def header(self) -> dict[str, str]:
        """The request header of an authorised client."""
        return {"Cookie": f"{self.cookie}={self.secret}"}

    def set_cookie(self) -> str:
        """Value of the Set-Cookie header."""
        return f"{self.cookie}={self.secret}; Path=/; HttpOnly; SameSite=Strict"

    def new_ticket(self) -> str:
        """A token for one visit within a minute.

        The address that a browser is started with is visible to every user in the process list.
        """
        self._ticket = secrets.token_urlsafe(24)
        self._ticket_ends = time.monotonic() + TICKET_SECONDS
        return self._ticket

    def is_visit(self, scope: MutableMapping[str, Any]) -> bool:
        """Whether a request opens the page with a token in its address."""
        opens = scope["path"] == "/" and scope["method"] in ("GET", "HEAD")
        return opens and bool(_in_address(scope))

    def opened_by(self, scope: MutableMapping[str, Any]) -> bool:
        """Whether the address holds exactly one valid token; a ticket is consumed."""
        shown = _in_address(scope)
        if len(shown) != 1:
            return False
        if _same(shown[0], self.secret):
            return True
        valid = bool(self._ticket) and time.monotonic() < self._ticket_ends
        if not (_same(shown[0], self._ticket) and valid):
            return False
        self._ticket = ""
        return True

    def in_cookie(self, scope: MutableMapping[str, Any]) -> bool:
        """Whether a request carries the cookie."""
        lines = [value.decode("latin-1") for name, value in scope["headers"] if name == b"cookie"]
        pairs = [part.strip().partition("=") for line in lines for part in line.split(";")]
        return any(name == self.cookie and _same(value, self.secret) for name, _, value in pairs)


def _in_address(scope: MutableMapping[str, Any]) -> list[str]:
    query = parse_qs(scope["query_string"].decode("latin-1"), keep_blank_values=True)
    return query.get("token", [])


def _same(shown: str, secret: str) -> bool:
    """Constant-time equality of two texts."""
    return hmac.compare_digest(shown.encode("utf-8", "replace"), secret.encode())
