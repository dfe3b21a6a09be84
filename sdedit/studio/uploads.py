"""Bodies of requests, bounded in size, in time and all together."""

from __future__ import annotations

import asyncio

from starlette.requests import Request

from sdedit.studio.limits import Limits, RefusedError


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
