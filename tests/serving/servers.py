"""A real server in a thread, and requests as an attacker may send them: byte by byte, with any header."""

import http.client
import re
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from steepest.serving.app import application
from steepest.serving.guard import Guard
from steepest.serving.library import Library
from steepest.serving.serve import bind, server
from steepest.serving.tickets import Tickets


class Running:
    """A server that listens: its port, its library, and tickets for it."""

    def __init__(self, place: Path) -> None:
        self.tickets, self.library, self.used = Tickets(), Library(place), 0
        self.socket = bind(0)
        self.port = self.socket.getsockname()[1]
        self.uvicorn = server(Guard(application(self.library), self.tickets, self._count), self.library)

    def _count(self) -> None:
        self.used += 1

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def link(self, path: str = "/") -> str:
        return f"{self.address}{path}?token={self.tickets.issue()}"

    def cookie(self) -> str:
        """The cookie of a browser that has used a link."""
        answer = self.get(f"/?token={self.tickets.issue()}")
        return re.match(r"steepest=[^;]+", answer.headers["set-cookie"])[0]

    def get(self, path: str, method: str = "GET", **headers: str) -> http.client.HTTPResponse:
        """One request; the answer with its body as `.body`."""
        line = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        line.putrequest(method, path, skip_host="Host" in headers, skip_accept_encoding=True)
        for name, value in headers.items():
            line.putheader(name.replace("_", "-"), value)
        line.endheaders()
        answer = line.getresponse()
        answer.body = answer.read()
        line.close()
        return answer

    def raw(self, content: bytes, wait: float = 10.0) -> bytes:
        """What comes back for these very bytes until the server closes the line, or says nothing for `wait` seconds."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=wait) as line:
            line.sendall(content)
            parts = []
            try:
                while part := line.recv(65536):
                    parts.append(part)
            except (TimeoutError, ConnectionResetError):
                pass
            return b"".join(parts)


@contextmanager
def running(place: Path) -> Iterator[Running]:
    one = Running(place)
    thread = threading.Thread(target=one.uvicorn.run, kwargs={"sockets": [one.socket]}, daemon=True)
    thread.start()
    while not one.uvicorn.started:
        time.sleep(0.01)
    try:
        yield one
    finally:
        one.uvicorn.should_exit = True
        thread.join(10)
        one.socket.close()
