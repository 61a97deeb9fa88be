"""Files from their publishers' addresses: a server on this machine stands in for them, and misbehaves as servers do."""

import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.request import Request

import pytest

from steepest.datasets import download
from steepest.datasets.download import Unavailable, WebFile, download_file

CONTENT = bytes(range(256)) * 1024  # a quarter of a megabyte, and no two neighbours alike
Answer = Callable[["Handler"], None]


class Handler(BaseHTTPRequestHandler):
    server: Any  # a Publisher

    def do_GET(self) -> None:
        self.server.asked.append(self.headers.get("Range", ""))
        answers = self.server.answers
        with suppress(BrokenPipeError, ConnectionResetError):  # the client may have seen enough
            (answers.pop(0) if len(answers) > 1 else answers[0])(self)

    def head(self, code: int, length: int | None, **others: str) -> None:
        self.send_response(code)
        if length is not None:
            self.send_header("Content-Length", str(length))
        for name, value in others.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


class Publisher(ThreadingHTTPServer):
    """A server that gives one prepared answer after the other; the last one again and again."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers: list[Answer] = [whole]
        self.asked: list[str] = []
        """The range of each request; "" where none was asked for."""
        self.over = threading.Event()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/data/numbers.bin"


def whole(request: Handler, content: bytes = CONTENT) -> None:
    """What is asked for, from where it is asked for."""
    asked = request.headers.get("Range")
    start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked else 0
    if start >= len(content):
        request.head(416, 0)
        return
    request.head(
        *((206, len(content) - start) if asked else (200, len(content))),
        **({"Content_Range": f"bytes {start}-{len(content) - 1}/{len(content)}"} if asked else {}),
    )
    request.wfile.write(content[start:])


def from_the_beginning(request: Handler) -> None:
    """As a server that knows nothing of ranges."""
    request.head(200, len(CONTENT))
    request.wfile.write(CONTENT)


def altered(request: Handler) -> None:
    whole(request, CONTENT[:-1] + b"\0")


def cut_after(count: int) -> Answer:
    """So many bytes of what was promised, and then the connection closes."""

    def answer(request: Handler) -> None:
        asked = request.headers.get("Range")
        start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked else 0
        rest = f"bytes {start}-{len(CONTENT) - 1}/{len(CONTENT)}"
        request.head(206 if asked else 200, len(CONTENT) - start, **({"Content_Range": rest} if asked else {}))
        request.wfile.write(CONTENT[start : start + count])

    return answer


def says(code: int) -> Answer:
    return lambda request: request.head(code, 0)


def sends_on_to(address: str) -> Answer:
    return lambda request: request.head(302, 0, Location=address)


def without_end(request: Handler) -> None:
    request.head(200, None)
    while not request.server.over.is_set():
        request.wfile.write(CONTENT)


def dripping(request: Handler) -> None:
    request.head(200, len(CONTENT))
    for byte in CONTENT:
        request.wfile.write(bytes([byte]))
        if request.server.over.wait(0.02):
            return


def silent(request: Handler) -> None:
    request.server.over.wait(10)


@pytest.fixture
def publisher(monkeypatch: pytest.MonkeyPatch) -> Iterator[Publisher]:
    monkeypatch.setattr(download, "RETRY_DELAY", 0.0)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    server = Publisher()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.over.set()
    server.shutdown()
    server.server_close()
    thread.join()


def numbers(server: Publisher, content: bytes = CONTENT) -> WebFile:
    return WebFile("numbers.bin", server.address, sha256(content).hexdigest(), len(content))


def test_a_file_comes_whole(publisher, tmp_path):
    assert download_file(numbers(publisher), tmp_path).read_bytes() == CONTENT
    assert publisher.asked == [""]


def test_a_download_that_broke_off_goes_on_where_it_was(publisher, tmp_path):
    publisher.answers = [cut_after(100_000), cut_after(50_000), whole]
    assert download_file(numbers(publisher), tmp_path).read_bytes() == CONTENT
    assert publisher.asked == ["", "bytes=100000-", "bytes=150000-"]


def test_what_had_come_is_kept_for_another_day(publisher, tmp_path):
    publisher.answers = [cut_after(1000)]
    with pytest.raises(
        Unavailable, match=r"127\.0\.0\.1 did not send numbers\.bin in 4 attempts: .* after 4000 of 262144"
    ):
        download_file(numbers(publisher), tmp_path)
    publisher.answers = [whole]
    assert download_file(numbers(publisher), tmp_path).read_bytes() == CONTENT
    assert publisher.asked[-1] == "bytes=4000-"
    assert download_file(numbers(publisher), tmp_path).read_bytes() == CONTENT
    assert len(publisher.asked) == 5  # what is whole is not asked for


def test_a_server_that_cannot_begin_in_the_middle_starts_over(publisher, tmp_path):
    publisher.answers = [cut_after(100_000), from_the_beginning]
    assert download_file(numbers(publisher), tmp_path).read_bytes() == CONTENT


def test_an_altered_file_is_refused_and_nothing_of_it_stays(publisher, tmp_path):
    publisher.answers = [altered]
    with pytest.raises(Unavailable, match="damaged or altered"):
        download_file(numbers(publisher), tmp_path)
    assert publisher.asked == [""]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("left", [b"another" * 100, b"x" * len(CONTENT), b"x" * (len(CONTENT) + 9)])
def test_what_an_earlier_try_left_is_believed_by_the_checksum_alone(publisher, tmp_path, left):
    place = download_file(numbers(publisher), tmp_path)
    place.write_bytes(left)
    assert download_file(numbers(publisher), tmp_path).read_bytes() == CONTENT


@pytest.mark.parametrize("code", [400, 401, 403, 404, 410, 451])
def test_a_file_that_is_gone_is_asked_for_once(publisher, tmp_path, code):
    publisher.answers = [says(code)]
    with pytest.raises(Unavailable, match=f"answered HTTP {code}"):
        download_file(numbers(publisher), tmp_path)
    assert len(publisher.asked) == 1


def test_a_busy_server_is_asked_again(publisher, tmp_path):
    publisher.answers = [says(503), says(429), whole]
    assert download_file(numbers(publisher), tmp_path).read_bytes() == CONTENT
    publisher.answers = [says(500)]
    with pytest.raises(Unavailable, match="in 4 attempts: HTTP 500"):
        download_file(numbers(publisher), tmp_path / "elsewhere")
    assert len(publisher.asked) == 3 + download.MAX_ATTEMPTS


def test_a_redirect_is_followed_and_keeps_what_was_asked_for(publisher, tmp_path):
    publisher.answers = [cut_after(1000), sends_on_to("/elsewhere"), whole]
    assert download_file(numbers(publisher), tmp_path).read_bytes() == CONTENT
    assert publisher.asked == ["", "bytes=1000-", "bytes=1000-"]


@pytest.mark.parametrize("address", ["file:///etc/hostname", "ftp://127.0.0.1/numbers.bin"])
def test_a_redirect_leads_to_the_web_and_nowhere_else(publisher, tmp_path, address):
    publisher.answers = [sends_on_to(address)]
    with pytest.raises(Unavailable, match=r"not followed|not allowed"):
        download_file(numbers(publisher), tmp_path)


def test_no_redirect_leads_from_a_safe_address_to_an_unsafe_one():
    follow = download._SafeRedirects().redirect_request
    with pytest.raises(Unavailable, match="not followed"):
        follow(Request("https://example.org/a"), None, 302, "", {}, "http://example.org/b")
    assert follow(Request("http://example.org/a"), None, 302, "", {}, "https://example.org/b") is not None


def test_a_redirect_in_circles_comes_to_an_end(publisher, tmp_path):
    publisher.answers = [sends_on_to(publisher.address)]
    with pytest.raises(Unavailable, match="HTTP 302"):
        download_file(numbers(publisher), tmp_path)


def test_a_file_of_another_size_is_refused_before_it_comes(publisher, tmp_path):
    publisher.answers = [lambda request: request.head(200, 10**12)]
    with pytest.raises(Unavailable, match="has 1000000000000 bytes, expected 262144"):
        download_file(numbers(publisher), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_file_without_end_is_not_taken_further_than_it_should_go(publisher, tmp_path):
    publisher.answers = [without_end]
    with pytest.raises(Unavailable, match="larger than the expected 262144 bytes"):
        download_file(numbers(publisher), tmp_path)
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) == 0


def test_a_server_that_falls_silent_is_not_waited_for(publisher, tmp_path):
    publisher.answers = [silent]
    with pytest.raises(Unavailable, match=r"no data for 0\.05 s"):
        download_file(numbers(publisher), tmp_path, read_timeout=0.05)
    assert len(publisher.asked) == download.MAX_ATTEMPTS


def test_a_server_that_drips_is_not_waited_for_and_what_came_is_kept(publisher, tmp_path):
    publisher.answers = [dripping]
    with pytest.raises(Unavailable, match="too slow"):
        download_file(numbers(publisher), tmp_path, total_timeout=0.2)
    (part,) = tmp_path.iterdir()
    assert 0 < part.stat().st_size < 100
    assert CONTENT.startswith(part.read_bytes())


def test_where_nobody_listens_the_host_is_named(publisher, tmp_path):
    file = numbers(publisher)
    publisher.shutdown()
    publisher.server_close()
    with pytest.raises(Unavailable, match=r"127\.0\.0\.1 did not send numbers\.bin.*refused"):
        download_file(file, tmp_path)


def test_the_folder_is_made_where_it_is_not_there(publisher, tmp_path: Path):
    assert download_file(numbers(publisher), tmp_path / "a" / "b").read_bytes() == CONTENT
