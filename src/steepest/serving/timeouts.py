"""HTTP with limits: a client that sends its request too slowly, or sends too much, is disconnected."""

import asyncio

from uvicorn.protocols.http.h11_impl import H11Protocol

REQUEST_SECONDS = 10.0
"""From the connection, or the previous request, to the end of a request's headers."""
MAX_HEADER_BYTES = 16_384
MAX_CONNECTIONS = 200
"""At the same time; further ones get 503."""


class TimedProtocol(H11Protocol):
    """uvicorn's HTTP/1.1, whose own timer runs only between two requests; this one runs until a request is complete."""

    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:
        super().connection_made(transport)
        self._deadline = self.loop.call_later(REQUEST_SECONDS, self._too_slow)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
        super().connection_lost(exc)

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self._deadline is not None:
            self._deadline.cancel()
        self._deadline = self.loop.call_later(REQUEST_SECONDS, self._too_slow)

    def _too_slow(self) -> None:
        """Close a connection on which no request is being answered."""
        if (self.cycle is None or self.cycle.response_complete) and not self.transport.is_closing():
            self.transport.close()
