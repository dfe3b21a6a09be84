"""What other pages, and paths that lead elsewhere, get from a studio: no file, and no work done."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import httpx
import pytest

from sdedit.studio.serving import RunningStudio
from tests.helpers.studio import client

PATHS = [
    "/../../../../etc/passwd",
    "/%2e%2e/%2e%2e/%2e%2e/etc/passwd",
    "/..%2f..%2f..%2fetc%2fpasswd",
    "/..%5c..%5cetc%5cpasswd",
    "/%252e%252e%252fetc%252fpasswd",
    "/%c0%ae%c0%ae/%c0%ae%c0%ae/etc/passwd",
    "/.%2e/.%2e/etc/passwd",
    "/....//....//etc/passwd",
    "//etc/passwd",
    "/index.html/../../app.py",
    "/../app.py",
    "/static/../serving.py",
    "/index.html%00.png",
    "/etc/passwd",
    "/api/pictures/../../etc/passwd",
    "/api/pictures/..%2f..%2fetc%2fpasswd/file",
]


def asked(running: RunningStudio, method: str, path: str, *headers: str, body: bytes = b"") -> bytes:
    """The whole answer to a request that is sent as it is written."""
    own = "" if any(header.lower().startswith("host:") for header in headers) else f"Host: 127.0.0.1:{running.port}\r\n"
    lines = "".join(f"{header}\r\n" for header in headers)
    head = f"{method} {path} HTTP/1.1\r\n{own}{lines}Connection: close\r\nContent-Length: {len(body)}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", running.port), 60) as connection:
        connection.sendall(head.encode("latin-1") + body)
        answer = b""
        while part := connection.recv(65536):
            answer += part
    return answer


@pytest.fixture(autouse=True)
def nothing_is_painted(running: RunningStudio) -> Iterator[None]:
    """Whatever a test asks for, the network has nothing to do with it."""
    with client(running) as studio:
        before = studio.get("/api/status").json()["counts"]
        yield
        assert studio.get("/api/status").json()["counts"] == before


@pytest.mark.parametrize("path", PATHS)
def test_no_path_leads_to_a_file(running: RunningStudio, path: str) -> None:
    for method in ("GET", "HEAD", "POST"):
        answer = asked(running, method, path)
        assert answer.split()[1] in (b"400", b"404", b"405"), answer
        assert b"root:" not in answer
        assert b"import" not in answer


@pytest.mark.parametrize(
    "headers",
    [
        ["Host: evil.test"],
        ["Host: 127.0.0.1:1"],
        ["Origin: null"],
        ["Origin: http://evil.test"],
        ["Origin: http://127.0.0.1:1"],
        ["Sec-Fetch-Site: cross-site"],
        ["Sec-Fetch-Site: same-site", "Content-Type: text/plain"],
        ["Origin: http://evil.test", "Content-Type: application/x-www-form-urlencoded"],
        ["Origin: http://evil.test", "Content-Type: multipart/form-data; boundary=x"],
    ],
    ids=str,
)
def test_other_pages_paint_nothing(running: RunningStudio, strokes: bytes, headers: list[str]) -> None:
    for call in ("/api/paint?steps=1", "/api/edit", "/api/suggest", "/api/strokes", "/api/pictures"):
        answer = asked(running, "POST", call, *headers, body=strokes)
        assert answer.startswith(b"HTTP/1.1 403")
        assert b"access-control" not in answer.lower()


def test_a_preflight_allows_nothing(running: RunningStudio) -> None:
    for origin in ("http://evil.test", "null", f"http://127.0.0.1:{running.port}"):
        asking = ("Access-Control-Request-Method: POST", "Access-Control-Request-Private-Network: true")
        answer = asked(running, "OPTIONS", "/api/paint", f"Origin: {origin}", *asking)
        assert answer.split()[1] in (b"403", b"405")
        assert b"access-control" not in answer.lower()


@pytest.mark.parametrize(
    "request_line", ["GET http://evil.test/ HTTP/1.1", "CONNECT evil.test:443 HTTP/1.1", "GET / HTTP/1.0", "nonsense"]
)
def test_it_is_no_proxy(running: RunningStudio, request_line: str) -> None:
    with socket.create_connection(("127.0.0.1", running.port), 60) as connection:
        connection.sendall(f"{request_line}\r\nHost: evil.test\r\nConnection: close\r\n\r\n".encode())
        answer = connection.recv(65536)
    assert answer.split()[1] in (b"400", b"403", b"404", b"405"), answer


def test_a_page_s_files_are_asked_for_again_only_if_they_changed(studio: httpx.Client) -> None:
    first = studio.get("/")
    assert first.headers["cache-control"] == "no-cache"
    again = studio.get("/", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert studio.get("/index.html").content == first.content
