"""The calls of the studio: a request comes in, an answer goes out."""

from __future__ import annotations

import asyncio
import io
import secrets
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import Future, InvalidStateError, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from typing import Any, TypeVar

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sdedit.errors import SdeditError
from sdedit.io.recipe import package_version
from sdedit.jobs.options import ALPHA, PaintOptions
from sdedit.studio.answers import STREAM, OrderAnswer, error_response
from sdedit.studio.assets import Asset
from sdedit.studio.layers import EditLayers, keep_picture, shown_pixels
from sdedit.studio.limits import Limits, RefusedError
from sdedit.studio.models import NamedModel, find_model
from sdedit.studio.orders import (
    PaintingWork,
    Pairs,
    Parsers,
    SuggestingWork,
    check_limits,
    check_pixels,
    file_name,
)
from sdedit.studio.painter import Painter, Work
from sdedit.studio.pictures import Pictures
from sdedit.studio.previews import Pace
from sdedit.studio.uploads import Uploads

Result = TypeVar("Result")

PROGRAM = "sdedit studio"
_OF_ORDERS = ("name", "session", "priority")
_OF_EDITS = (*_OF_ORDERS, "picture", "mask", "picture-name", "mask-name")
_MOST_SESSION = 100  # characters of its name
_MOST_SHOWN = 4096  # pixels a side
_TOLD = ("size", "steps", "variants", "repeats", "bytes", "pixels", "strokes_size")
_NOT_KEPT = {"Cache-Control": "no-store"}


class Studio:
    """What a studio has: its painter, its pictures, its models, and the calls on them.

    Args:
        parsers: of query parameters.
        assets: the page's files.
        limits: of requests.

    Attributes:
        models: settled once they are there; the first is the one used where none is asked for.
        painter: whose `run` has to be called in a thread that may be busy.
    """

    def __init__(self, parsers: Parsers, assets: Mapping[str, Asset], limits: Limits) -> None:
        self.models: Future[list[NamedModel]] = Future()
        self.painter = Painter()
        self._parsers, self._assets, self._limits = parsers, assets, limits
        self._pictures = Pictures(limits.kept)
        self._uploads = Uploads(limits)
        self._pace = Pace()
        self._decoder = ThreadPoolExecutor(1, "sdedit-decode")  # one at a time: each may take much memory
        self._encoder = ThreadPoolExecutor(1, "sdedit-encode")

    def app(self) -> Starlette:
        """The calls as an ASGI application."""
        return Starlette(
            routes=[
                Route("/api/status", self._status),
                Route("/api/paint", self._paint, methods=["POST"]),
                Route("/api/edit", self._edit, methods=["POST"]),
                Route("/api/suggest", self._suggest, methods=["POST"]),
                Route("/api/strokes", self._strokes, methods=["POST"]),
                Route("/api/pictures", self._keep_picture, methods=["POST"]),
                Route("/api/pictures/{id}", self._picture_pixels),
                Route("/api/pictures/{id}/file", self._picture_file),
                *(Route(f"/{path}", self._asset) for path in self._assets),
            ],
            exception_handlers={
                HTTPException: _http_error,
                SdeditError: _refused,
                ClientDisconnect: _gone,
            },
        )

    def stop(self) -> None:
        """Tell who waits that it is over, and let `painter.run` return."""
        self.painter.stop()
        with suppress(InvalidStateError):
            self.models.set_exception(RefusedError("the studio has been stopped", 503))

    def close(self) -> None:
        """Let the threads go, once nobody asks any more."""
        for executor in (self._decoder, self._encoder):
            executor.shutdown(wait=False, cancel_futures=True)

    async def _status(self, request: Request) -> Response:
        models = self.models.result() if self.models.done() else []
        limits = self._limits
        return _json(
            {
                "program": PROGRAM,
                "version": package_version(),
                "state": "ready" if models else "loading",
                "device": models[0].model.device.type if models else None,
                "models": [named.to_dict() for named in models],
                "limits": {name: getattr(limits, name) for name in _TOLD},
                "queue": self.painter.queue(),
                "counts": {"evaluations": self.painter.evaluations, "images": self.painter.images},
            }
        )

    async def _paint(self, request: Request) -> OrderAnswer:
        own, options = self._asked(request, self._parsers.paint, _OF_ORDERS)
        stream = _wants_stream(request)
        body = await self._uploads.read(request)
        models = await self._ready()
        named = find_model(models, options.model.source)
        name = file_name(own.get("name"), "strokes.png", body, stream)

        def prepare() -> Work:
            from sdedit.jobs.guides import open_guide

            check_pixels(body, name, self._limits)
            guide = open_guide(body, name, name, options.background)
            return PaintingWork(self.painter, self._pace, named, options, guide, self._limits)

        return self._answer(await self._decoded(prepare), own, options, stream)

    async def _edit(self, request: Request) -> OrderAnswer:
        given = request.query_params.get("mask")

        def parse(pairs: Pairs) -> PaintOptions:
            options = self._parsers.edit(pairs)
            assert options.layers is not None
            return replace(options, layers=replace(options.layers, mask=given))

        own, options = self._asked(request, parse, _OF_EDITS)
        stream = _wants_stream(request)
        if "picture" not in own:
            raise RefusedError("an edit needs picture=ID, which POST /api/pictures answers")
        picture = self._pictures.get(own["picture"])
        mask = None if given in (None, ALPHA) else self._pictures.get(given).content
        strokes = await self._uploads.read(request)
        named = find_model(await self._ready(), options.model.source)

        def prepare() -> Work:
            layers = EditLayers(self._pictures, self._limits, picture, strokes, mask)
            names = layers.names(own, stream)
            assert options.layers is not None
            asked = replace(options.layers, layer=names.strokes, mask=ALPHA if given == ALPHA else names.mask)
            opened = layers.open(names, asked)
            files = {"strokes": layers.strokes_id, **({"mask": layers.mask_id} if layers.mask_id else {})}
            edited = replace(options, layers=asked)
            return PaintingWork(self.painter, self._pace, named, edited, opened, self._limits, files=files)

        return self._answer(await self._decoded(prepare), own, options, stream)

    async def _suggest(self, request: Request) -> OrderAnswer:
        own, options = self._asked(request, self._parsers.paint, _OF_ORDERS)
        body = await self._uploads.read(request)
        named = find_model(await self._ready(), options.model.source)

        def prepare() -> Work:
            from sdedit.jobs.guides import open_guide

            name = file_name(own.get("name"), "strokes.png", body, several=False)
            check_pixels(body, name, self._limits)
            return SuggestingWork(self.painter, named, options, open_guide(body, name, name, options.background))

        work = await self._decoded(prepare)
        return OrderAnswer(self.painter, work, _session(own), "suggest", 0, False, self._encoder)

    async def _strokes(self, request: Request) -> Response:
        size = self._parsers.strokes(request.query_params.multi_items()) or min(256, self._limits.strokes_size)
        if size > self._limits.strokes_size:
            raise RefusedError(f"size is at most {self._limits.strokes_size} here: the filter would take minutes")
        body = await self._uploads.read(request)

        def simulate() -> bytes:
            from sdedit.io.images import fit_guide, open_image, working_size
            from sdedit.pipelines.strokes import simulate_strokes

            check_pixels(body, "the photograph", self._limits)
            photo = open_image(io.BytesIO(body), "the photograph")
            try:
                photo = fit_guide(photo, working_size(photo.size, size))
            except ValueError as error:
                raise SdeditError(f"the photograph: {error}") from error
            file = io.BytesIO()
            simulate_strokes(photo).save(file, "PNG")
            return file.getvalue()

        return Response(await self._decoded(simulate), media_type="image/png", headers=_NOT_KEPT)

    async def _keep_picture(self, request: Request) -> Response:
        body = await self._uploads.read(request)

        def keep() -> dict[str, Any]:
            return keep_picture(self._pictures, self._limits, body)

        return _json(await self._decoded(keep))

    async def _picture_pixels(self, request: Request) -> Response:
        content = self._pictures.get(request.path_params["id"]).content
        longest = request.query_params.get("longest", "2048")
        if not longest.isdecimal() or not 1 <= int(longest) <= _MOST_SHOWN:
            raise RefusedError(f"longest is a number of pixels from 1 to {_MOST_SHOWN}, not {longest[:20]!r}")
        (width, height), pixels = await self._decoded(lambda: shown_pixels(content, int(longest)))
        headers = {**_NOT_KEPT, "X-Width": str(width), "X-Height": str(height)}
        return Response(pixels, media_type="application/octet-stream", headers=headers)

    async def _picture_file(self, request: Request) -> Response:
        content = self._pictures.get(request.path_params["id"]).content
        return Response(content, media_type="application/octet-stream", headers=_NOT_KEPT)

    async def _asset(self, request: Request) -> Response:
        asset = self._assets[request.scope["path"].removeprefix("/")]
        headers = {"ETag": asset.tag, "Cache-Control": "no-cache"}
        if request.headers.get("if-none-match") == asset.tag:
            return Response(status_code=304, headers=headers)
        return Response(asset.content, media_type=asset.media_type, headers=headers)

    def _asked(
        self, request: Request, parse: Callable[[Pairs], PaintOptions], names: Collection[str]
    ) -> tuple[dict[str, str], PaintOptions]:
        """The parameters of these names, which are no options, and the options in the others."""
        pairs = request.query_params.multi_items()
        own = {name: value for name, value in pairs if name in names}
        options = parse([pair for pair in pairs if pair[0] not in names])
        check_limits(options, self._limits)
        if options.variants > 1 and not _wants_stream(request):
            raise RefusedError(f"a PNG is one image; ask for several with Accept: {STREAM}")
        return own, options

    def _answer(self, work: Work, own: Mapping[str, str], options: PaintOptions, stream: bool) -> OrderAnswer:
        kind = own.get("priority", "live")
        if kind not in ("live", "idle"):
            raise RefusedError(f"priority is live or idle, not {kind[:20]!r}")
        return OrderAnswer(self.painter, work, _session(own), kind, options.variants, stream, self._encoder)

    async def _decoded(self, read: Callable[[], Result]) -> Result:
        return await asyncio.get_running_loop().run_in_executor(self._decoder, read)

    async def _ready(self) -> list[NamedModel]:
        return await asyncio.shield(asyncio.wrap_future(self.models))


def _session(own: Mapping[str, str]) -> str:
    session = own.get("session") or secrets.token_hex(8)
    if len(session) > _MOST_SESSION:
        raise RefusedError(f"the name of a session has at most {_MOST_SESSION} characters")
    return session


def _wants_stream(request: Request) -> bool:
    return STREAM in request.headers.get("accept", "")


def _json(facts: Mapping[str, Any]) -> Response:
    return JSONResponse(facts, headers=_NOT_KEPT)


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    words = {404: "there is nothing of this name", 405: f"{request.method} is not what this address answers to"}
    return error_response(words.get(error.status_code, str(error.detail)), error.status_code)


async def _refused(request: Request, error: Exception) -> Response:
    return error_response(str(error), error.status if isinstance(error, RefusedError) else 400)


async def _gone(request: Request, error: Exception) -> Response:
    return Response(status_code=499)  # which nobody reads
