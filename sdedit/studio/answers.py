"""What becomes of an order, told to the client that sent it: a PNG, or a stream of JSON lines."""

from __future__ import annotations

import asyncio
import base64
import json
from concurrent.futures import Executor
from contextlib import suppress

from starlette.responses import JSONResponse, Response

from sdedit.studio.guard import Receive, Scope, Send
from sdedit.studio.limits import RefusedError
from sdedit.studio.painter import NO_MEMORY, Event, Order, Painter, Work

STREAM = "application/x-ndjson"
NOT_KEPT = {"Cache-Control": "no-store"}  # of what is not to be kept by a browser
_LAST = ("superseded", "error", "suggested")
_PATIENCE = 60.0  # seconds that a client may take to accept a line
_SUPERSEDED = "a newer request of this session took its place"


def error_response(sentence: str, status: int) -> Response:
    headers = {**NOT_KEPT, **({"Retry-After": "1"} if status in (429, 503) else {})}
    return JSONResponse({"error": " ".join(sentence.split())}, status, headers)


class Mailbox:
    """Events on their way from the painter's thread to a client's answer."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._events: list[Event] = []
        self._filled = asyncio.Event()

    def put(self, event: Event) -> None:
        """Add an event, in any thread."""
        with suppress(RuntimeError):  # the server has ended
            self._loop.call_soon_threadsafe(self._put, event)

    async def get(self) -> Event:
        """The next event."""
        while not self._events:
            self._filled.clear()
            await self._filled.wait()
        return self._events.pop(0)

    def _put(self, event: Event) -> None:
        # A preview that has not been sent yet is of no use beside a newer one.
        if self._events and event["event"] == self._events[-1]["event"] == "preview":
            self._events[-1] = event
        else:
            self._events.append(event)
        self._filled.set()


class OrderAnswer:
    """The answer to a request for the network's work, as an ASGI application.

    The order is put in the row only when the answer begins, so that it is certain to be withdrawn at its end.

    Args:
        painter: takes the order.
        work: to do.
        session, kind: as of `Order`.
        images: that the order is for; 0 where it asks for none.
        stream: answer with a stream of lines.
        encoder: makes files of images.
    """

    def __init__(
        self, painter: Painter, work: Work, session: str, kind: str, images: int, stream: bool, encoder: Executor
    ) -> None:
        self._painter = painter
        self._work = work
        self._session, self._kind = session, kind
        self._images = images
        self._stream = stream
        self._encoder = encoder

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        mailbox = Mailbox()
        order = Order(self._work, mailbox.put, self._session, self._kind)
        watcher = asyncio.create_task(_watch(receive, mailbox))
        try:
            self._painter.submit(order)
            if self._stream:
                await self._send_stream(mailbox, send)
            else:
                response = await self._one_response(mailbox)
                if response is not None:
                    await response(scope, receive, send)
        except RefusedError as error:
            await error_response(str(error), error.status)(scope, receive, send)
        except asyncio.TimeoutError:
            pass  # a client that takes nothing any more is as good as gone
        finally:
            self._painter.withdraw(order)
            watcher.cancel()

    async def _one_response(self, mailbox: Mailbox) -> Response | None:
        """The one image, or why there is none; None if the client is gone."""
        while True:
            event = await self._next(mailbox)
            kind = event["event"]
            if kind == "gone":
                return None
            if kind == "painted":
                headers = {**NOT_KEPT, "X-Seed": str(event["seed"])}
                return Response(event["image"], media_type="image/png", headers=headers)
            if kind == "superseded":
                return error_response(_SUPERSEDED, 409)
            if kind == "error":
                return error_response(event["message"], event["status"])
            if kind == "suggested":
                return JSONResponse({"t0": event["t0"]}, headers=NOT_KEPT)

    async def _send_stream(self, mailbox: Mailbox, send: Send) -> None:
        head = [(b"content-type", STREAM.encode()), (b"cache-control", b"no-store"), (b"x-accel-buffering", b"no")]
        await send({"type": "http.response.start", "status": 200, "headers": head})
        images = 0
        while images < self._images:
            event = await self._next(mailbox)
            if event["event"] == "gone":
                return
            if event["event"] == "painted":
                images += 1
                event["image"] = base64.b64encode(event["image"]).decode()
            event.pop("status", None)
            line = json.dumps(event).encode() + b"\n"
            more = {"type": "http.response.body", "body": line, "more_body": True}
            await asyncio.wait_for(send(more), _PATIENCE)
            if event["event"] in _LAST:
                break
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _next(self, mailbox: Mailbox) -> Event:
        """The next event, with the file of an image that is done."""
        event = await mailbox.get()
        if event["event"] != "painted":
            return event
        try:
            file = await asyncio.get_running_loop().run_in_executor(self._encoder, event["image"])
        except MemoryError:
            return {"event": "error", "message": NO_MEMORY, "status": 503}
        return {**event, "image": file}


async def _watch(receive: Receive, mailbox: Mailbox) -> None:
    """Put an event into the mailbox once the client is gone."""
    while (await receive())["type"] != "http.disconnect":
        pass
    mailbox.put({"event": "gone"})
