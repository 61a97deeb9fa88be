"""What every request must pass before it reaches a page, and the headers of every answer."""

import asyncio
from collections.abc import Callable
from http.cookies import CookieError, SimpleCookie
from urllib.parse import urlencode

from starlette.datastructures import Headers, MutableHeaders, QueryParams
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from steepest.messages import say, wordings
from steepest.serving.tickets import Tickets

HOSTS = ("127.0.0.1", "localhost", "[::1]")
"""Names of this machine to itself. A page elsewhere whose name was rebound to 127.0.0.1 still sends its own name."""
COOKIE = "steepest"
TICKET = "token"
MAX_SEND_SECONDS = 30.0
"""How long a client may take to receive one part of an answer."""
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
    """Admits GET requests to this host, from this origin or none, with the cookie of a known browser.

    used: called when a ticket was exchanged, so that another one can be offered.
    """

    def __init__(self, app: ASGIApp, tickets: Tickets, used: Callable[[], None] = lambda: None) -> None:
        self.app, self.tickets, self.used = app, tickets, used

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            async with asyncio.timeout(MAX_SEND_SECONDS):
                await send(message)

        answer = self.objection(scope) or self.admission(scope)
        await (answer or self.app)(scope, receive, guarded)

    def objection(self, scope: Scope) -> Response | None:
        """The refusal of a request that nobody may send; None for a valid one."""
        if scope["type"] != "http":
            return PlainTextResponse("Only HTTP is supported.", 400)
        headers = Headers(scope=scope)
        hosts = headers.getlist("host")
        if len(hosts) != 1 or not is_local(hosts[0]):
            return PlainTextResponse("This server answers only to the names of its own machine.", 421)
        if scope["method"] != "GET":
            return PlainTextResponse("Only GET requests are supported.", 405, {"allow": "GET"})
        if any(origin != f"http://{hosts[0]}" for origin in headers.getlist("origin")):
            return PlainTextResponse("Other sites cannot read these pages.", 403)
        visits = headers.get("sec-fetch-mode") == "navigate" and headers.get("sec-fetch-dest") == "document"
        if headers.get("sec-fetch-site", "none") not in ("none", "same-origin") and not visits:
            return PlainTextResponse("Other sites cannot read these pages.", 403)
        return None

    def admission(self, scope: Scope) -> Response | None:
        """None for a known browser. For a new ticket, a cookie and the same address without the ticket."""
        headers, query = Headers(scope=scope), QueryParams(scope["query_string"])
        known = any(self.tickets.knows(secret) for secret in _cookies(headers))
        ticket = query.get(TICKET)
        if ticket is None:
            return None if known else _refused()
        secret = self.tickets.redeem(ticket)
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
        "Open this page with the link that steepest printed. Each link works once, for one "
        "browser. After it was used, the terminal shows a new one."
    )
    return PlainTextResponse("\n\n".join(wordings(said).values()), 403)
