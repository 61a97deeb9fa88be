"""The door of the server: what every request must pass before any page sees it, and what every answer carries."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from http.cookies import CookieError, SimpleCookie
from urllib.parse import urlencode

from starlette.datastructures import Headers, MutableHeaders, QueryParams
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from steepest.messages import say, wordings
from steepest.serving.tickets import Keys

HOSTS = ("127.0.0.1", "localhost", "[::1]")
"""Names of this machine to itself. A page elsewhere whose name was rebound to 127.0.0.1 still sends its own name."""
COOKIE = "steepest"
TICKET = "token"
PATIENCE = 30.0
"""Seconds that a client may take to read what it was sent."""
HEADERS = {
    "content-security-policy": "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "cache-control": "no-store",
}
"""Of every answer; a page brings a content policy of its own."""


class Guard:
    """Lets a request through that is a GET of this host, from this origin or none, with the cookie of a known browser.

    used: called when a ticket was exchanged, so that another one can be offered.
    """

    def __init__(self, app: ASGIApp, keys: Keys, used: Callable[[], None] = lambda: None) -> None:
        self.app, self.keys, self.used = app, keys, used

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            async with asyncio.timeout(PATIENCE):
                await send(message)

        answer = self.objection(scope) or self.admission(scope)
        await (answer or self.app)(scope, receive, guarded)

    def objection(self, scope: Scope) -> Response | None:
        """What is wrong with a request, whoever sends it; None if nothing is."""
        if scope["type"] != "http":
            return PlainTextResponse("Only HTTP is spoken here.", 400)
        headers = Headers(scope=scope)
        hosts = headers.getlist("host")
        if len(hosts) != 1 or not is_local(hosts[0]):
            return PlainTextResponse("This server answers to the names of its own machine only.", 421)
        if scope["method"] != "GET":
            return PlainTextResponse("Pages can be read here, and nothing else.", 405, {"allow": "GET"})
        if any(origin != f"http://{hosts[0]}" for origin in headers.getlist("origin")):
            return PlainTextResponse("Other sites cannot read these pages.", 403)
        visits = headers.get("sec-fetch-mode") == "navigate" and headers.get("sec-fetch-dest") == "document"
        if headers.get("sec-fetch-site", "none") not in ("none", "same-origin") and not visits:
            return PlainTextResponse("Other sites cannot read these pages.", 403)
        return None

    def admission(self, scope: Scope) -> Response | None:
        """None for a known browser; for a fresh ticket the cookie, and the same address without the ticket."""
        headers, query = Headers(scope=scope), QueryParams(scope["query_string"])
        known = any(self.keys.knows(secret) for secret in _cookies(headers))
        ticket = query.get(TICKET)
        if ticket is None:
            return None if known else _refused()
        secret = self.keys.redeem(ticket)
        if secret is None and not known:
            return _refused()
        rest = urlencode([(key, value) for key, value in query.multi_items() if key != TICKET])
        # One slash: a path of two would lead to another host.
        answer = RedirectResponse("/" + scope["path"].lstrip("/\\") + (f"?{rest}" if rest else ""), 303)
        if secret is not None:
            answer.set_cookie(COOKIE, secret, path="/", httponly=True, samesite="strict")
            self.used()
        return answer


def is_local(host: str) -> bool:
    """Whether a Host header names this machine, with any port, since tunnels change it.

    Kept here in place of Starlette's TrustedHostMiddleware, which reads only the first of several Host headers and, in
    releases that we support, takes "localhost:x" for a name of this machine and "[::1]" for none.
    """
    name, colon, port = host.rpartition(":") if not host.endswith("]") else (host, "", "")
    if not colon:
        name = host
    return name.lower() in HOSTS and (not colon or (port.isascii() and port.isdigit() and len(port) <= 5))


def _cookies(headers: Headers) -> list[str]:
    found = []
    for line in headers.getlist("cookie"):
        try:
            jar = SimpleCookie(line)
        except CookieError:
            continue
        if COOKIE in jar:
            found.append(jar[COOKIE].value)
    return found


def _refused() -> Response:
    said = say(
        "This page opens with the link that steepest has printed. Each link works once and for one browser: "
        "after it was used, another one stands in the terminal."
    )
    return PlainTextResponse("\n\n".join(wordings(said).values()), 403)
