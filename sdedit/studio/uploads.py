"""What comes in: bodies, bounded in size, in time and all together; images, bounded in pixels; names of files."""

from __future__ import annotations

import asyncio
import hashlib
from pathlib import PurePath

from starlette.requests import Request

from sdedit.studio.limits import Limits, RefusedError

_MOST_NAME = 200  # bytes; a file's name in any system


class Uploads:
    """Reads bodies."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._held = 0  # bytes of bodies on their way

    async def read(self, request: Request) -> bytes:
        """The body of a request.

        Raises:
            RefusedError: if it is empty, too large or too slow, or too many come at once.
            starlette.requests.ClientDisconnect: if the client goes.
        """
        try:
            body = await asyncio.wait_for(self._read(request), self._limits.seconds)
        except asyncio.TimeoutError:
            raise RefusedError(f"the body has not arrived within {self._limits.seconds:g} seconds", 408) from None
        if not body:
            raise RefusedError("the body is empty; send an image file")
        return body

    async def _read(self, request: Request) -> bytes:
        body, size = bytearray(), 0
        try:
            # What is too much is let pass by unread: a client that still sends does not see the answer.
            async for chunk in request.stream():
                size += len(chunk)
                if size > self._limits.bytes or self._held + len(chunk) > self._limits.held:
                    self._held -= len(body)
                    body.clear()
                if size <= self._limits.bytes and len(body) + len(chunk) == size:
                    body += chunk
                    self._held += len(chunk)
        finally:
            self._held -= len(body)
        if size > self._limits.bytes:
            raise RefusedError(f"the body has more than {self._limits.bytes >> 20} MB; send a smaller file", 413)
        if len(body) < size:
            raise RefusedError("too much is being sent at once; send it again in a moment", 429)
        return bytes(body)


def check_pixels(content: bytes, name: str, limits: Limits) -> None:
    """Refuse an image file by its header, before it is decoded.

    Raises:
        RefusedError: if it has too many pixels.
    """
    from sdedit.io.images import claimed_pixels

    if claimed_pixels(content) > limits.pixels:
        raise RefusedError(f"{name} has more than {limits.pixels // 10**6} million pixels; shrink it first", 413)


def file_name(given: str | None, kind: str, content: bytes, several: bool) -> str:
    """What a recipe calls a file that has none: the name given, or that of its kind.

    Args:
        given: by the request.
        kind: such as "strokes.png".
        content: the file's.
        several: whether such files are kept side by side; the name then has eight digits of the checksum.

    Raises:
        RefusedError: if it is no file's name.
    """
    if given is None:
        place = PurePath(kind)
        digits = f"-{hashlib.sha256(content).hexdigest()[:8]}" if several else ""
        return f"{place.stem}{digits}{place.suffix}"
    if (
        given in ("", "..")
        or PurePath(given).name != given
        or not given.isprintable()
        or len(given.encode()) > _MOST_NAME
    ):
        raise RefusedError(f"a name is that of a file, without a folder, such as {kind}; not {given[:80]!r}")
    return given
