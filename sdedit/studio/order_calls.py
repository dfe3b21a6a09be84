"""The calls that need the network: paint, edit, suggest."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace

from starlette.requests import Request

from sdedit.jobs.options import ALPHA, PaintOptions
from sdedit.studio.answers import STREAM, OrderAnswer
from sdedit.studio.layers import EditLayers
from sdedit.studio.limits import RefusedError
from sdedit.studio.models import find_model
from sdedit.studio.orders import PaintingWork, Pairs, Parsers, SuggestingWork, check_limits
from sdedit.studio.painter import Work
from sdedit.studio.uploads import check_pixels, file_name
from sdedit.studio.workshop import Workshop

_OF_ORDERS = ("name", "session", "priority")
_OF_EDITS = (*_OF_ORDERS, "picture", "mask", "picture-name", "mask-name")
_MOST_SESSION = 100  # characters of its name

Own = Mapping[str, str]  # parameters that are no options


class OrderCalls:
    """Each reads what it needs, finds what is wrong, and answers with what becomes of its order."""

    def __init__(self, workshop: Workshop, parsers: Parsers) -> None:
        self._workshop, self._parsers = workshop, parsers

    async def paint(self, request: Request) -> OrderAnswer:
        own, options = self._asked(request, self._parsers.paint, _OF_ORDERS)
        shop, stream = self._workshop, _wants_stream(request)
        body = await shop.uploads.read(request)
        named = find_model(await shop.ready(), options.model.source)
        name = file_name(own.get("name"), "strokes.png", body, stream)

        def prepare() -> Work:
            from sdedit.jobs.guides import open_guide

            check_pixels(body, name, shop.limits)
            guide = open_guide(body, name, name, options.background)
            return PaintingWork(shop.painter, shop.pace, named, options, guide, shop.limits)

        return self._answer(await shop.decoded(prepare), own, options, stream)

    async def edit(self, request: Request) -> OrderAnswer:
        given = request.query_params.get("mask")

        def parse(pairs: Pairs) -> PaintOptions:
            options = self._parsers.edit(pairs)
            assert options.layers is not None
            return replace(options, layers=replace(options.layers, mask=given))

        own, options = self._asked(request, parse, _OF_EDITS)
        shop, stream = self._workshop, _wants_stream(request)
        if "picture" not in own:
            raise RefusedError("an edit needs picture=ID, which POST /api/pictures answers")
        picture = shop.pictures.get(own["picture"])
        mask = None if given in (None, ALPHA) else shop.pictures.get(given).content
        strokes = await shop.uploads.read(request)
        named = find_model(await shop.ready(), options.model.source)

        def prepare() -> Work:
            layers = EditLayers(shop.pictures, shop.limits, picture, strokes, mask)
            names = layers.names(own, stream)
            assert options.layers is not None
            asked = replace(options.layers, layer=names.strokes, mask=ALPHA if given == ALPHA else names.mask)
            opened = layers.open(names, asked)
            files = {"strokes": layers.strokes_id, **({"mask": layers.mask_id} if layers.mask_id else {})}
            edited = replace(options, layers=asked)
            return PaintingWork(shop.painter, shop.pace, named, edited, opened, shop.limits, files=files)

        return self._answer(await shop.decoded(prepare), own, options, stream)

    async def suggest(self, request: Request) -> OrderAnswer:
        own, options = self._asked(request, self._parsers.paint, _OF_ORDERS)
        shop = self._workshop
        body = await shop.uploads.read(request)
        named = find_model(await shop.ready(), options.model.source)
        name = file_name(own.get("name"), "strokes.png", body, several=False)

        def prepare() -> Work:
            from sdedit.jobs.guides import open_guide

            check_pixels(body, name, shop.limits)
            return SuggestingWork(shop.painter, named, options, open_guide(body, name, name, options.background))

        work = await shop.decoded(prepare)
        return OrderAnswer(shop.painter, work, _session(own), "suggest", 0, False, shop.encoder)

    def _asked(
        self, request: Request, parse: Callable[[Pairs], PaintOptions], names: Collection[str]
    ) -> tuple[Own, PaintOptions]:
        """The parameters of these names, which are no options, and the options in the others."""
        pairs = request.query_params.multi_items()
        own = {name: value for name, value in pairs if name in names}
        options = parse([pair for pair in pairs if pair[0] not in names])
        check_limits(options, self._workshop.limits)
        if options.variants > 1 and not _wants_stream(request):
            raise RefusedError(f"a PNG is one image; ask for several with Accept: {STREAM}")
        return own, options

    def _answer(self, work: Work, own: Own, options: PaintOptions, stream: bool) -> OrderAnswer:
        kind = own.get("priority", "live")
        if kind not in ("live", "idle"):
            raise RefusedError(f"priority is live or idle, not {kind[:20]!r}")
        shop = self._workshop
        return OrderAnswer(shop.painter, work, _session(own), kind, options.variants, stream, shop.encoder)


def _session(own: Own) -> str:
    session = own.get("session") or secrets.token_hex(8)
    if len(session) > _MOST_SESSION:
        raise RefusedError(f"the name of a session has at most {_MOST_SESSION} characters")
    return session


def _wants_stream(request: Request) -> bool:
    return STREAM in request.headers.get("accept", "")
