"""Limits on connections: their number, and the time that a request may take.

Uvicorn has no timeout for a request that has begun. Here a request must arrive within
:data:`REQUEST_SECONDS`, and when :data:`CONNECTIONS` are open, a new one replaces the oldest
that is not being answered, so idle connections cannot block others.
"""

import asyncio
import json
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import STATUS_PHRASES, H11Protocol

from proxylab.app.gate import SECURITY

CONNECTIONS = 64
"""Connections at once."""

REQUEST_SECONDS = 10.0
"""Longest time from the first byte of a request, or the opening, to its last byte."""

ANSWER_SECONDS = 30.0
"""Longest time for which a client may leave a pending response unread."""


class Connection(H11Protocol):
    """A Uvicorn connection with time limits; its error responses are JSON."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._deadline: asyncio.TimerHandle | None = None
        self._stalled: asyncio.TimerHandle | None = None
        self.opened = self.loop.time()

    @property
    def answering(self) -> bool:
        """Whether a request is being answered."""
        return self.cycle is not None and not self.cycle.response_complete

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # narrower
        """Accept, replacing an idle connection when there are too many."""
        super().connection_made(transport)
        self._watch()
        if len(self.connections) > CONNECTIONS and not self._replace_idle():
            self.refuse(503, f"more than {CONNECTIONS} requests at once")

    def _replace_idle(self) -> bool:
        """Drop the oldest connection that is not being answered; ones without a request first."""
        others = [c for c in self.connections if isinstance(c, Connection) and not c.answering]
        others.remove(self)
        if not others:
            return False
        oldest = min(others, key=lambda c: (c.cycle is not None, c.opened))
        self.connections.discard(oldest)
        oldest.transport.abort()
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop all timers."""
        for timer in (self._deadline, self._stalled):
            if timer is not None:
                timer.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read, and start the deadline of an incomplete request."""
        super().data_received(data)
        self._watch()

    def on_response_complete(self) -> None:
        """Wait for the next request, part of which may have arrived."""
        super().on_response_complete()
        self._watch()

    def _watch(self) -> None:
        """Run the deadline while more of a request is awaited, and only then."""
        awaited = self.conn.their_state in (h11.IDLE, h11.SEND_BODY)
        if awaited and self._deadline is None:
            self._deadline = self.loop.call_later(REQUEST_SECONDS, self._too_late)
        elif not awaited and self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _too_late(self) -> None:
        if self.conn.their_state is h11.IDLE and not self.conn.trailing_data[0]:
            self.transport.close()  # a browser's spare connection: no request was sent
            return
        self.refuse(408, f"the request did not arrive within {REQUEST_SECONDS:g} seconds")

    def pause_writing(self) -> None:
        """The client reads too slowly: close unless it resumes in time."""
        super().pause_writing()
        if self._stalled is None:
            self._stalled = self.loop.call_later(ANSWER_SECONDS, self.transport.abort)

    def resume_writing(self) -> None:
        """The client reads again."""
        super().resume_writing()
        if self._stalled is not None:
            self._stalled.cancel()
            self._stalled = None

    def send_400_response(self, msg: str) -> None:
        """Refuse a malformed request."""
        self.refuse(400, "this is no HTTP request that can be read")

    def refuse(self, status: int, error: str) -> None:
        """Send ``{"error": …}`` unless an answer has begun, and close."""
        if self.transport.is_closing():
            return
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            body = (json.dumps({"error": error}) + "\n").encode()
            headers = [*SECURITY.items(), ("content-type", "application/json")]
            headers += [("content-length", str(len(body))), ("connection", "close")]
            head = h11.Response(status_code=status, headers=headers, reason=STATUS_PHRASES[status])
            for event in (head, h11.Data(data=body), h11.EndOfMessage()):
                self.transport.write(self.conn.send(event) or b"")
        if self.cycle is not None and not self.cycle.response_complete:
            self.cycle.disconnected = True  # wakes the reader of its body
            self.cycle.message_event.set()
        self.transport.close()
