"""Access control: a ticket in a link works once, and a browser gets a secret in exchange for it."""

import secrets
from hashlib import sha256


class Tickets:
    """Tickets, each valid for one exchange, and the secrets of known browsers. Only digests are kept."""

    def __init__(self) -> None:
        self._tickets: set[bytes] = set()
        self._browsers: set[bytes] = set()

    def issue(self) -> str:
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
    """The time to look up a digest reveals nothing about the secret."""
    return sha256(secret.encode("utf-8", "surrogateescape")).digest()
