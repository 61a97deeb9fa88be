"""`steepest serve`: binds a port on this machine only, prints the link that opens the page, and serves until Ctrl-C."""

import asyncio
import os
import socket
import sys
import threading
import webbrowser
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

import uvicorn

from steepest.errors import BadSetting
from steepest.messages import language, say, tr
from steepest.report import html
from steepest.serving.app import application
from steepest.serving.guard import TICKET, Guard
from steepest.serving.library import Library
from steepest.serving.tickets import Tickets
from steepest.serving.timeouts import MAX_CONNECTIONS, MAX_HEADER_BYTES, TimedProtocol

HOST = "127.0.0.1"
READ_AHEAD_STUDIES = 5
"""Studies of a list that are read in advance, so that a click on one is answered at once."""


def serve(place: Path, port: int = 0, open_browser: bool = True, show: Callable[[str], None] | None = None) -> None:
    """Show the study in `place`, or the studies in it, until interrupted. port: 0 for any free one.

    Raises StudyFolderError where there is no study, BadSetting for a port that cannot be used.
    """
    show = show or partial(print, flush=True)
    library = Library(place)
    listening = bind(port)
    tickets = Tickets()
    address = f"http://{HOST}:{listening.getsockname()[1]}/"

    def link() -> str:
        return f"{address}?{TICKET}={tickets.issue()}"

    spoken = language()  # of the terminal; requests are answered in the language of the browser

    def show_next_link() -> None:
        show(say("Opened. Link for another browser: {link}", link=link()).render(spoken))

    guard = Guard(application(library), tickets, used=show_next_link)
    first = link()
    show(f"{first}\n{tr('The link works once. Press Ctrl-C to stop the server.')}")
    if open_browser and has_screen():
        threading.Thread(target=webbrowser.open, args=(first,), daemon=True).start()
    with listening, suppress(KeyboardInterrupt):
        server(guard, library).run(sockets=[listening])


def bind(port: int) -> socket.socket:
    """A socket that only this machine can reach. Raises BadSetting."""
    if not 0 <= port <= 65535:
        raise BadSetting(f"Port {port} does not exist. Use 1 to 65535, or 0 for any free port.")
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((HOST, port))
        listening.listen(128)  # a client that comes before the server is ready waits
    except OSError as error:
        listening.close()
        reason = (error.strerror or str(error)).lower()
        raise BadSetting(f"Port {port} cannot be used: {reason}. Leave out --port to use any free port.") from None
    return listening


class Server(uvicorn.Server):
    """uvicorn that reads studies as soon as it listens, so that a large one is ready when its page is opened."""

    library: Library | None = None
    reading: asyncio.Task[None] | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.reading = asyncio.create_task(self._prepare())

    async def _prepare(self) -> None:
        await asyncio.to_thread(html.make_ready)
        library = self.library
        if library is None:
            return
        for study in library.likeliest[:READ_AHEAD_STUDIES]:
            if feed := library.feed(study):
                await feed.prepare()


def server(guard: Guard, library: Library | None = None) -> Server:
    """uvicorn with our limits, without logs. library: the studies most likely to be opened are read in advance."""
    config = uvicorn.Config(
        guard,
        http=TimedProtocol,
        ws="none",
        lifespan="off",
        loop="asyncio",
        log_config=None,
        log_level="critical",
        access_log=False,
        server_header=False,
        date_header=False,
        proxy_headers=False,
        limit_concurrency=MAX_CONNECTIONS,
        h11_max_incomplete_event_size=MAX_HEADER_BYTES,
        timeout_keep_alive=5,
        timeout_graceful_shutdown=1,
    )
    one = Server(config)
    one.library = library
    return one


def has_screen() -> bool:
    """Whether a browser can open a window; a text browser in this terminal would not help."""
    return sys.platform in ("darwin", "win32") or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
