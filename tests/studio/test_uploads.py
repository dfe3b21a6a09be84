"""Bodies that are too large, too slow, broken, or bombs: a sentence, and the next image is painted."""

from __future__ import annotations

import io
import socket
import struct
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from PIL import Image

from sdedit.diffusion.score_model import ScoreModel
from sdedit.studio.limits import Limits
from sdedit.studio.serving import RunningStudio
from tests.helpers.images import bomb
from tests.helpers.studio import client, running_studio

CALLS = ["/api/paint", "/api/pictures", "/api/strokes"]
SVG = b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><script>alert(1)</script></svg>'


def memory() -> int:
    """Bytes of this process that lie in memory."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096


def works(studio: httpx.Client, strokes: bytes) -> bool:
    return studio.post("/api/paint", content=strokes).headers["content-type"] == "image/png"


@pytest.mark.parametrize("call", CALLS)
def test_what_is_no_image_gets_a_sentence(studio: httpx.Client, strokes: bytes, call: str) -> None:
    for body in (
        b"",
        b"no image",
        SVG,
        b"GIF89a",
        strokes[: len(strokes) // 2],
        b"\x00" * 1000,
        b"%PDF-1.4",
        b"P6 9 9 255 ",
    ):
        answer = studio.post(call, content=body)
        assert answer.status_code == 400, body[:20]
        assert list(answer.json()) == ["error"]
        assert "\n" not in answer.json()["error"]
    assert works(studio, strokes)


@pytest.mark.parametrize("call", CALLS)
def test_a_bomb_is_refused_by_its_header(studio: httpx.Client, strokes: bytes, call: str) -> None:
    body = bomb()
    assert len(body) < 2 << 20
    works(studio, strokes)
    before = memory()
    answer = studio.post(call, content=body)
    assert answer.status_code == 413
    assert "50 million pixels" in answer.json()["error"]
    assert memory() - before < 64 << 20  # decoded it would be 1.2 GB
    assert works(studio, strokes)


def test_a_bomb_with_a_broken_chunk_before_its_pixels_is_refused_too(studio: httpx.Client) -> None:
    """Such files are mended when they are read."""
    whole = bomb()
    broken = struct.pack(">I", 4) + b"tEXt" + b"a\0bc" + b"\0\0\0\0"
    answer = studio.post("/api/paint", content=whole[:33] + broken + whole[33:])
    assert answer.status_code == 413


@pytest.mark.parametrize("format", ["TIFF", "BMP", "GIF", "WEBP", "JPEG"])
def test_other_formats_are_refused_by_their_headers(studio: httpx.Client, format: str) -> None:
    file = io.BytesIO()
    Image.new("1" if format == "TIFF" else "L", (16000, 3200)).save(file, format)
    answer = studio.post("/api/pictures", content=file.getvalue())
    assert answer.status_code == 413, answer.text


@pytest.fixture
def strict(loaded_model: ScoreModel) -> Iterator[RunningStudio]:
    """A studio that takes 100 kB within half a second."""
    with running_studio([loaded_model], limits=Limits(bytes=100_000, seconds=0.5, held=150_000)) as running:
        yield running


def test_a_body_that_is_too_large_is_refused(strict: RunningStudio, strokes: bytes) -> None:
    with client(strict) as studio:
        for body in (bytes(100_001), bytes(3_000_000)):
            answer = studio.post("/api/paint", content=body)
            assert answer.status_code == 413
            assert "more than 0 MB" in answer.json()["error"]
            chunks = [body[start : start + 5000] for start in range(0, len(body), 5000)]
            assert studio.post("/api/paint", content=iter(chunks)).status_code == 413
        assert works(studio, strokes)


def test_a_body_that_does_not_arrive_is_not_waited_for(strict: RunningStudio, strokes: bytes) -> None:
    with socket.create_connection(("127.0.0.1", strict.port)) as slow:
        head = f"POST /api/paint HTTP/1.1\r\nHost: 127.0.0.1:{strict.port}\r\nContent-Length: 1000\r\n\r\n"
        slow.sendall(head.encode() + strokes[:20])
        answer = slow.recv(4096)
        assert b" 408 " in answer.splitlines()[0]
        assert b"has not arrived within 0.5 seconds" in answer + slow.recv(4096)
    with client(strict) as studio:
        assert works(studio, strokes)


def test_bodies_that_come_together_are_bounded_too(strict: RunningStudio, strokes: bytes) -> None:
    with socket.create_connection(("127.0.0.1", strict.port)) as slow:
        head = f"POST /api/paint HTTP/1.1\r\nHost: 127.0.0.1:{strict.port}\r\nContent-Length: 100000\r\n\r\n"
        slow.sendall(head.encode() + bytes(99_000))
        with client(strict) as studio:
            statuses = {studio.post("/api/paint", content=bytes(90_000)).status_code for _ in range(3)}
            assert 429 in statuses
    with client(strict) as studio:
        assert studio.post("/api/paint", content=bytes(90_000)).status_code == 400  # there is room again
        assert works(studio, strokes)


def test_a_client_that_goes_while_it_sends_leaves_nothing(strict: RunningStudio, strokes: bytes) -> None:
    for _ in range(20):
        with socket.create_connection(("127.0.0.1", strict.port)) as gone:
            head = f"POST /api/paint HTTP/1.1\r\nHost: 127.0.0.1:{strict.port}\r\nContent-Length: 100000\r\n\r\n"
            gone.sendall(head.encode() + bytes(50_000))
    with client(strict) as studio:
        for _ in range(1000):
            answer = studio.post("/api/paint", content=bytes(99_000))
            if answer.status_code == 400:
                break
            time.sleep(0.01)
        assert answer.status_code == 400
        assert works(studio, strokes)
    assert not [thread for thread in threading.enumerate() if "worker" in thread.name]  # none is needed for this
