"""Attacks on the server, each of which must fail: every line here is a hole that somebody else's server once had."""

import socket
import subprocess
from contextlib import ExitStack, suppress

import pytest
from serving.folders import finished
from serving.servers import running
from verdict.factory import SEVEN, synthetic_study

from steepest.serving import timeouts
from steepest.serving.library import identity


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    (folder / "secret.txt").write_text("nobody's business")
    finished(folder / "one", *synthetic_study(SEVEN[:3], seeds=3))
    return folder


@pytest.fixture(scope="module")
def site(place):
    with running(place) as site:
        yield site


@pytest.fixture(scope="module")
def cookie(site):
    return site.cookie()


@pytest.fixture(scope="module")
def study(place):
    return f"/study/{identity(place / 'one')}"


def test_a_browser_with_the_cookie_sees_the_study(site, cookie, study):
    assert b"one" in site.get("/", Cookie=cookie).body
    page = site.get(study, Cookie=cookie)
    assert page.status == 200
    assert b"sgd" in page.body


def test_nothing_is_shown_without_the_cookie(site, study):
    for path in ("/", study, f"{study}/events?version=1", f"{study}/files/trials.csv", "/nowhere"):
        answer = site.get(path)
        assert answer.status == 403, path
        assert b"link" in answer.body
        assert "链接" in answer.body.decode()
        assert "set-cookie" not in answer.headers


@pytest.mark.parametrize(
    "value", ["steepest=", "steepest=x", "steepest=../../", "x=y; steepest", 'steepest="a"', "\x01"]
)
def test_a_made_up_cookie_opens_nothing(site, study, value):
    assert site.get(study, Cookie=value).status == 403


def test_a_link_works_once(site):
    used = site.used
    path = f"/?token={site.tickets.issue()}"
    first = site.get(path)
    assert first.status == 303
    assert first.headers["location"] == "/", "the token does not stay in the address"
    assert "HttpOnly" in first.headers["set-cookie"]
    assert "samesite=strict" in first.headers["set-cookie"].lower()
    assert site.used == used + 1
    second = site.get(path)
    assert second.status == 403
    assert "set-cookie" not in second.headers


def test_a_link_that_leads_elsewhere_stays_here(site):
    for path in ("//evil.example/x", "/\\evil.example", "///evil.example"):
        answer = site.get(f"{path}?token={site.tickets.issue()}")
        assert answer.status == 303
        where = answer.headers["location"]
        assert where.startswith("/"), where
        assert not where.startswith(("//", "/\\")), where


@pytest.mark.parametrize(
    "host",
    [
        *(
            "evil.example",
            "evil.example:80",
            "127.0.0.1.evil.example",
            "localhost.evil.example",
            "127.0.0.1@evil.example",
        ),
        *(
            "0.0.0.0",
            "[::]",
            "192.168.1.2:8080",
            "",
            "localhost:80:80",
            "127.1",
            "2130706433",
            "localhost:x",
            "local host",
        ),
    ],
)
def test_a_name_that_was_rebound_to_this_machine_gets_nothing(site, cookie, study, host):
    answer = site.get(study, Host=host, Cookie=cookie)
    assert answer.status in (400, 421), host
    assert b"sgd" not in answer.body


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "LOCALHOST:9999", "[::1]:8080"])
def test_the_machines_own_names_are_answered_through_a_tunnel_too(site, cookie, study, host):
    assert site.get(study, Host=host, Cookie=cookie).status == 200


def test_two_hosts_or_none_are_refused(site, cookie, study):
    head = f"GET {study} HTTP/1.1\r\nCookie: {cookie}\r\nConnection: close\r\n".encode()
    for hosts in (b"Host: localhost\r\nHost: evil.example\r\n", b"", b"Host: evil.example\r\n"):
        answer = site.raw(head + hosts + b"\r\n")
        assert answer.split(b" ")[1] in (b"400", b"421")
        assert b"sgd" not in answer


def test_an_address_in_the_request_line_does_not_get_round_the_host(site, cookie, study):
    request = f"GET http://evil.example{study} HTTP/1.1\r\nHost: evil.example\r\nCookie: {cookie}\r\n"
    assert b"sgd" not in site.raw(f"{request}Connection: close\r\n\r\n".encode())


@pytest.mark.parametrize(
    "method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD", "TRACE", "CONNECT", "GETT", "get"]
)
def test_only_get_is_answered(site, cookie, study, method):
    answer = site.raw(
        f"{method} {study} HTTP/1.1\r\nHost: localhost\r\nCookie: {cookie}\r\nConnection: close\r\n\r\n".encode()
    )
    assert b" 405 " in answer.split(b"\r\n")[0] or b" 400 " in answer.split(b"\r\n")[0]
    assert b"sgd" not in answer


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "https://localhost", "http://localhost.evil.example"]
)
def test_another_origin_gets_nothing(site, cookie, study, origin):
    answer = site.get(f"{study}/files/view.json", Cookie=cookie, Origin=origin)
    assert answer.status == 403
    assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize("site_of", ["cross-site", "same-site"])
def test_a_page_elsewhere_cannot_embed_or_fetch(site, cookie, study, site_of):
    for mode, dest in (("no-cors", "script"), ("cors", "empty"), ("navigate", "iframe"), ("no-cors", "image")):
        headers = {"Sec-Fetch-Site": site_of, "Sec-Fetch-Mode": mode, "Sec-Fetch-Dest": dest}
        assert site.get(study, Cookie=cookie, **headers).status == 403


@pytest.mark.parametrize(
    "path",
    [
        *(
            "/../secret.txt",
            "/%2e%2e/secret.txt",
            "/study/../../secret.txt",
            "/study/..%2f..%2fsecret.txt",
            "/secret.txt",
        ),
        *("/study/one", "/study/%2e%2e", "/study/../one", "/study//etc/passwd", "/study/%00", "/study/" + "a" * 9000),
        *("/static/page.js", "/study/x/files/../../../secret.txt", "/study/x/files/study.db", "//etc/passwd", "/%"),
    ],
)
def test_no_path_leads_to_a_file(site, cookie, path):
    answer = site.get(path, Cookie=cookie)
    assert answer.status in (400, 404), path
    assert b"business" not in answer.body
    assert b"root:" not in answer.body


def test_only_the_named_files_of_a_study_can_be_taken(site, cookie, study):
    assert site.get(f"{study}/files/trials.csv", Cookie=cookie).status == 200
    assert "找不到这项研究" in site.get("/study/0123456789abcdef", Cookie=cookie).body.decode()
    for name in ("study.db", "study.json", "..", "%2e%2e%2fsecret.txt", "trials.csv%00", "view.json/../../secret.txt"):
        assert site.get(f"{study}/files/{name}", Cookie=cookie).status == 404


def test_every_answer_carries_the_strict_headers(site, cookie, study):
    for path, headers in (
        ("/", {}),
        (study, {"Cookie": cookie}),
        ("/nowhere", {"Cookie": cookie}),
        ("/", {"Host": "evil"}),
    ):
        answer = site.get(path, **headers)
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["x-frame-options"] == "DENY"
        assert answer.headers["cross-origin-resource-policy"] == "same-origin"
        assert answer.headers["cache-control"] == "no-store"
        assert "server" not in answer.headers


def test_huge_headers_are_refused(site, cookie):
    head = f"GET / HTTP/1.1\r\nHost: localhost\r\nCookie: {cookie}\r\n".encode()
    for flood in (
        b"X: " + b"a" * 200_000,
        b"".join(b"X-%d: a\r\n" % i for i in range(20_000)),
        b"GET /" + b"a" * 100_000,
    ):
        answer = site.raw(head + flood + b"\r\n\r\n", wait=5)
        assert b" 200 " not in answer.split(b"\r\n")[0]
    assert site.get("/", Cookie=cookie).status == 200, "and the server goes on"


def test_a_body_is_not_waited_for(site, cookie):
    head = f"POST / HTTP/1.1\r\nHost: localhost\r\nCookie: {cookie}\r\nContent-Length: 100000000\r\n\r\n"
    with socket.create_connection(("127.0.0.1", site.port), timeout=60) as line:
        line.sendall(head.encode())
        assert b"405" in line.recv(100), "although the body never comes"


def test_slow_clients_are_let_go_and_hold_up_nobody(site, cookie, monkeypatch):
    def half_a_request(seconds):
        monkeypatch.setattr(timeouts, "REQUEST_SECONDS", seconds)
        lines = [stack.enter_context(socket.create_connection(("127.0.0.1", site.port), timeout=60)) for _ in range(25)]
        for line in lines:
            line.sendall(b"GET / HTTP/1.1\r\nHost: local")
        return lines

    with ExitStack() as stack:
        half_a_request(seconds=3600)
        assert site.get("/", Cookie=cookie).status == 200, "others are served meanwhile"
        assert all(line.recv(1000) == b"" for line in half_a_request(seconds=0.5)), "the server has hung up"


def crowd(stack, site, content=b"", count=2 * timeouts.MAX_CONNECTIONS):
    """So many connections that send this and then nothing more."""
    lines = [stack.enter_context(socket.create_connection(("127.0.0.1", site.port), timeout=60)) for _ in range(count)]
    for line in lines:
        with suppress(OSError):  # those that came first may be gone already
            line.sendall(content)
    return lines


def has_gone(line):
    """Whether the server has hung up on this connection; reads what has come so far."""
    line.setblocking(False)
    try:
        while line.recv(65536):
            pass
    except BlockingIOError:
        return False
    except ConnectionResetError:
        pass
    return True


@pytest.mark.parametrize("sent", [b"", b"G", b"GET / HTTP/1.1\r\nHost: local"])
def test_a_crowd_of_idle_connections_locks_nobody_out(site, cookie, study, monkeypatch, sent):
    monkeypatch.setattr(timeouts, "REQUEST_SECONDS", 3600)
    with ExitStack() as stack:
        lines = crowd(stack, site, sent)
        for path in ("/", study, f"{study}/files/trials.csv"):
            assert site.get(path, Cookie=cookie).status == 200
        assert has_gone(lines[0]), "the one that was idle longest had to go"
        assert not has_gone(lines[-1])
        assert len(site.uvicorn.server_state.connections) <= timeouts.MAX_CONNECTIONS


def test_a_browser_that_is_being_answered_keeps_its_place_in_a_crowd(site, cookie, study, monkeypatch):
    monkeypatch.setattr(timeouts, "REQUEST_SECONDS", 3600)
    with ExitStack() as stack, socket.create_connection(("127.0.0.1", site.port), timeout=60) as line:
        line.sendall(f"GET {study}/events?version=1 HTTP/1.1\r\nHost: localhost\r\nCookie: {cookie}\r\n\r\n".encode())
        assert b" 200 " in line.recv(100)
        crowd(stack, site)
        assert site.get("/", Cookie=cookie).status == 200
        assert not has_gone(line)


def test_it_listens_to_this_machine_only(site):
    assert site.socket.getsockname()[0] == "127.0.0.1"
    mine = subprocess.run(["hostname", "-I"], capture_output=True, text=True, check=False).stdout.split()
    for address in (a for a in mine if "." in a):
        with pytest.raises(OSError):
            socket.create_connection((address, site.port), timeout=1)
