"""HTTP with limits: a client that sends its request too slowly, or sends too much, is disconnected; so is the one that
has been idle longest where there are too many.
"""

import asyncio
from time import monotonic

from uvicorn.protocols.http.h11_impl import H11Protocol

REQUEST_SECONDS = 10.0
"""From the connection, or the previous request, to the end of a request's headers."""
MAX_HEADER_BYTES = 16_384
MAX_CONNECTIONS = 200
"""At the same time. A further one takes the place of one that waits for a request; without such a one it gets 503."""


class TimedProtocol(H11Protocol):
    """uvicorn's HTTP/1.1, whose own timer runs only between two requests; this one runs until a request is complete."""

    _deadline: asyncio.TimerHandle | None = None
    _idle_since = 0.0

    def connection_made(self, transport: asyncio.Transport) -> None:
        self._make_room()
        super().connection_made(transport)
        self._idle_since = monotonic()
        self._deadline = self.loop.call_later(REQUEST_SECONDS, self._too_slow)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
        super().connection_lost(exc)

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._idle_since = monotonic()
        if self._deadline is not None:
            self._deadline.cancel()
        self._deadline = self.loop.call_later(REQUEST_SECONDS, self._too_slow)

    def _too_slow(self) -> None:
        """Close a connection on which no request is being answered."""
        if self._is_idle() and not self.transport.is_closing():
            self.transport.close()

    def _is_idle(self) -> bool:
        """Whether no request is being answered here."""
        return self.cycle is None or self.cycle.response_complete

    def _make_room(self) -> None:
        """Where all places are taken, hang up on the connection that has been idle longest: somebody may have opened
        them only to lock others out. A request follows its connection within milliseconds, and is safe from then on."""
        others = [one for one in self.connections if isinstance(one, TimedProtocol) and not one.transport.is_closing()]
        idle = [one for one in others if one._is_idle()]
        if len(others) >= MAX_CONNECTIONS - 1 and idle:
            longest = min(idle, key=lambda one: one._idle_since)
            self.connections.discard(longest)  # at once; uvicorn hears of its end only later
            longest.transport.abort()
