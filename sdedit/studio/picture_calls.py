"""The calls that need no network: pictures that are kept, and strokes simulated from a photograph."""

from __future__ import annotations

import io

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from sdedit.studio.answers import NOT_KEPT
from sdedit.studio.layers import keep_picture, shown_pixels
from sdedit.studio.limits import RefusedError
from sdedit.studio.orders import Parsers
from sdedit.studio.uploads import check_pixels
from sdedit.studio.workshop import Workshop

_MOST_SHOWN = 4096  # pixels a side
_STROKES_SIZE = 256  # shorter side of a photograph that strokes are simulated from, unless another is asked for


class PictureCalls:
    def __init__(self, workshop: Workshop, parsers: Parsers) -> None:
        self._workshop, self._parsers = workshop, parsers

    async def keep(self, request: Request) -> Response:
        shop = self._workshop
        body = await shop.uploads.read(request)
        facts = await shop.decoded(lambda: keep_picture(shop.pictures, shop.limits, body))
        return JSONResponse(facts, headers=NOT_KEPT)

    async def pixels(self, request: Request) -> Response:
        content = self._content(request)
        longest = request.query_params.get("longest", "2048")
        if not longest.isdecimal() or len(longest) > 4 or not 1 <= int(longest) <= _MOST_SHOWN:
            raise RefusedError(f"longest is a number of pixels from 1 to {_MOST_SHOWN}, not {longest[:20]!r}")
        (width, height), pixels = await self._workshop.decoded(lambda: shown_pixels(content, int(longest)))
        headers = {**NOT_KEPT, "X-Width": str(width), "X-Height": str(height)}
        return Response(pixels, media_type="application/octet-stream", headers=headers)

    async def file(self, request: Request) -> Response:
        return Response(self._content(request), media_type="application/octet-stream", headers=NOT_KEPT)

    async def strokes(self, request: Request) -> Response:
        shop = self._workshop
        most = shop.limits.strokes_size
        size = self._parsers.strokes(request.query_params.multi_items()) or min(_STROKES_SIZE, most)
        if size > most:
            raise RefusedError(f"size is at most {most} here: the filter would take minutes")
        body = await shop.uploads.read(request)

        def simulate() -> bytes:
            from sdedit.jobs.strokes import simulate_from

            check_pixels(body, "the photograph", shop.limits)
            return simulate_from(io.BytesIO(body), "the photograph", size)

        return Response(await shop.decoded(simulate), media_type="image/png", headers=NOT_KEPT)

    def _content(self, request: Request) -> bytes:
        return self._workshop.pictures.get(request.path_params["id"]).content
