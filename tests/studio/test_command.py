"""`sdedit studio` as a process: its address, its end, a port that is taken, packages that are missing, its memory."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from tests.helpers.commands import SDEDIT, Command, fails_in_one_sentence
from tests.helpers.images import bomb

in_linux = pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="the memory of a process cannot be read")
Started = tuple[subprocess.Popen, dict]
Start = Callable[..., Started]


@pytest.fixture(scope="module")
def start(tiny_checkpoint: Path) -> Iterator[Start]:
    """Start the command on a free port, as a process; what it printed first."""
    processes = []

    def run(*words: object) -> Started:
        argv = [SDEDIT, "studio", "--model", tiny_checkpoint, "--port", 0, "--no-open", "--json", *words]
        process = subprocess.Popen([*map(str, argv)], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        processes.append(process)
        assert process.stdout is not None
        return process, json.loads(process.stdout.readline())

    yield run
    for process in processes:
        process.kill()
        process.communicate()


@pytest.fixture(scope="module")
def started(start: Start) -> Started:
    return start()


@pytest.fixture
def server(started: Started) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=started[1]["url"], timeout=60) as client:
        yield client


def test_it_prints_where_it_is_in_a_line(started: Started, server: httpx.Client) -> None:
    _, address = started
    assert address == {
        "url": f"http://127.0.0.1:{address['port']}/",
        "host": "127.0.0.1",
        "port": address["port"],
    }
    assert server.get("/api/status").json()["program"] == "sdedit studio"


def test_it_paints_what_the_command_paints(
    server: httpx.Client, installed: Command, guide: Path, tiny_checkpoint: Path, tmp_path: Path
) -> None:
    answer = server.post("/api/paint", params={"t0": 0.4, "seed": 7}, content=guide.read_bytes())
    installed("paint", guide.name, "--t0", 0.4, "--seed", 7, "--model", tiny_checkpoint, "-o", "out.png")
    assert answer.content == (tmp_path / "out.png").read_bytes()


def test_a_port_that_another_studio_has(started: Started, sdedit: Command) -> None:
    port = started[1]["port"]
    result = sdedit("studio", "--port", port, "--no-open")
    fails_in_one_sentence(result, f"port {port} is in use, by another sdedit studio at http://127.0.0.1:{port}/")
    assert result.returncode == 1


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", b"220 mail\r\n", None])
def test_a_port_that_something_else_has(sdedit: Command, answer: bytes | None) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:

        def serve() -> None:
            with suppress(OSError):
                connection, _ = taken.accept()
                with connection:
                    connection.recv(1000)
                    connection.sendall(answer or b"")

        if answer is not None:
            threading.Thread(target=serve, daemon=True).start()
        port = taken.getsockname()[1]
        result = sdedit("studio", "--port", port, "--no-open")
    fails_in_one_sentence(result, f"port {port} is in use by another program; give another --port")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--host", "203.0.113.9"], "no address of this machine"),
        (["--host", "no such name"], "there is no address"),
        (["--port", "65536"], "--port"),
        (["--token", "short"], "16 characters"),
        (["--model", "no-such-model"], "no-such-model"),
        (["--device", "cuda:77"], "cuda:77"),
    ],
    ids=str,
)
def test_what_cannot_be_is_a_sentence(installed: Command, words: list[str], sentence: str) -> None:
    result = installed("studio", "--no-open", "--quiet", *([] if "--port" in words else ["--port", 0]), *words)
    lines = result.stderr.decode().splitlines()
    assert result.returncode in (1, 2)
    assert len(lines) == 1
    assert lines[0].startswith("sdedit: ")
    assert sentence in lines[0]


@pytest.mark.parametrize("package", ["starlette", "uvicorn"])
def test_a_package_that_is_missing(sdedit: Command, monkeypatch: pytest.MonkeyPatch, package: str) -> None:
    for name in [name for name in sys.modules if name.split(".")[0] == package or name.startswith("sdedit.studio")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)
    fails_in_one_sentence(sdedit("studio", "--no-open", "--port", 0), package, "pip install 'sdedit[studio]'")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_it_ends_at_a_signal_and_closes_what_is_open(start: Start, guide: Path, number: int, code: int) -> None:
    process, address = start()
    with httpx.Client(base_url=address["url"], timeout=60) as client, ThreadPoolExecutor(1) as background:
        query = {"steps": 1000, "size": 256, "passes": 1}
        painting = background.submit(client.post, "/api/paint", params=query, content=guide.read_bytes())
        while not client.get("/api/status").json()["counts"]["evaluations"]:
            assert process.poll() is None
        process.send_signal(number)
        output, error = process.communicate(timeout=60)
        answer = painting.result(60)
    assert process.returncode == code
    assert answer.json() == {"error": "the studio has been stopped"}
    assert output == b""
    assert b"Traceback" not in error
    assert error.decode().splitlines()[-1].startswith("sdedit: ")


def test_it_opens_its_page_once_it_can_paint(tiny_checkpoint: Path, tmp_path: Path) -> None:
    browser, opened = tmp_path / "browser", tmp_path / "opened"
    browser.write_text(f'#!/bin/sh\nprintf %s "$1" > "{opened}.part" && mv "{opened}.part" "{opened}"\n')
    browser.chmod(0o755)
    argv = [SDEDIT, "studio", "--model", str(tiny_checkpoint), "--port", "0", "--json"]
    environment = {**os.environ, "BROWSER": str(browser)}
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment) as process:
        assert process.stdout is not None
        url = json.loads(process.stdout.readline())["url"]
        while not opened.exists():
            assert process.poll() is None
            time.sleep(0.02)
        assert httpx.get(f"{url}api/status").json()["state"] == "ready"
        process.kill()
    assert opened.read_text() == url


def test_others_than_this_machine_need_the_token(start: Start, guide: Path) -> None:
    _, address = start("--host", "0.0.0.0")
    url, _, token = address["url"].partition("?token=")
    assert len(token) >= 43  # 256 bits
    with httpx.Client(base_url=f"http://127.0.0.1:{address['port']}", timeout=60) as client:
        assert client.get("/api/status").status_code == 401
        assert client.post("/api/paint", content=guide.read_bytes()).status_code == 401
        bearer = {"Authorization": f"Bearer {token}"}
        assert client.post("/api/paint", content=guide.read_bytes(), headers=bearer).status_code == 200
        assert client.get("/", params={"token": token}).status_code == 200
        assert client.get("/api/status").status_code == 200  # by the cookie
    assert httpx.get(f"{url}api/status", headers=bearer).status_code == 200


def resident(process: subprocess.Popen) -> int:
    """Bytes of a process that lie in memory."""
    return int(Path(f"/proc/{process.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@in_linux
def test_bodies_that_are_meant_to_harm_take_no_memory(started: Started, server: httpx.Client, strokes: bytes) -> None:
    def paint(body: bytes) -> int:
        return server.post("/api/paint", params={"steps": 2}, content=body).status_code

    assert paint(strokes) == 200
    before = resident(started[0])
    for call in ("/api/paint", "/api/pictures", "/api/strokes"):
        assert server.post(call, content=bomb()).status_code == 413
        assert server.post(call, content=bytes(65 << 20)).status_code == 413
    assert [paint(strokes[:90]), paint(b"<svg/>")] == [400, 400]
    assert resident(started[0]) - before < 200 << 20
    assert paint(strokes) == 200


@in_linux
def test_memory_stays_where_it_was(started: Started, server: httpx.Client, strokes: bytes) -> None:
    """500 images, and 50 clients that come and go."""
    process, address = started
    query = {"steps": 2, "size": 64, "passes": 1}
    for _ in range(20):
        server.post("/api/paint", params=query, content=strokes)
    before = resident(process)
    for _ in range(500):
        assert server.post("/api/paint", params=query, content=strokes).status_code == 200
    head = f"POST /api/paint?steps=1000 HTTP/1.1\r\nHost: 127.0.0.1:{address['port']}\r\n"
    for number in range(50):
        with socket.create_connection(("127.0.0.1", address["port"])) as client:
            client.sendall(f"{head}Accept: application/x-ndjson\r\nContent-Length: {len(strokes)}\r\n\r\n".encode())
            client.sendall(strokes if number % 2 else strokes[:50])
            if number % 2:
                assert b" 200 " in client.recv(100)
    assert server.post("/api/paint", params=query, content=strokes).status_code == 200
    while server.get("/api/status").json()["queue"]["running"]:
        assert process.poll() is None
    assert resident(process) - before < 100 << 20
