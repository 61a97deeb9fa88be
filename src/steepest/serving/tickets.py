"""Who may look: a link that works once, and the secret that a browser gets in exchange for it."""

from __future__ import annotations

import secrets
from hashlib import sha256


class Keys:
    """Tickets, each good for one exchange, and the browsers that have made one. Only digests of secrets are kept."""

    def __init__(self) -> None:
        self._tickets: set[bytes] = set()
        self._browsers: set[bytes] = set()

    def ticket(self) -> str:
        """A new ticket: 256 random bits, to be put into a link."""
        ticket = secrets.token_urlsafe(32)
        self._tickets.add(_digest(ticket))
        return ticket

    def redeem(self, ticket: str) -> str | None:
        """The secret for a browser's cookie; None for a ticket that is unknown or used."""
        if _digest(ticket) not in self._tickets:
            return None
        self._tickets.discard(_digest(ticket))
        secret = secrets.token_urlsafe(32)
        self._browsers.add(_digest(secret))
        return secret

    def knows(self, secret: str) -> bool:
        """Whether a cookie's value is one that was given out."""
        return _digest(secret) in self._browsers


def _digest(secret: str) -> bytes:
    """Looking up digests takes a time that says nothing of the secret."""
    return sha256(secret.encode("utf-8", "surrogateescape")).digest()
