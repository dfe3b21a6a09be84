"""The addresses of the studio: which request goes to which call, and what is answered where one fails."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sdedit.errors import SdeditError
from sdedit.io.recipe import package_version
from sdedit.studio.answers import NOT_KEPT, error_response
from sdedit.studio.assets import Asset
from sdedit.studio.limits import RefusedError
from sdedit.studio.order_calls import OrderCalls
from sdedit.studio.orders import Parsers
from sdedit.studio.picture_calls import PictureCalls
from sdedit.studio.workshop import Workshop

PROGRAM = "sdedit studio"
_TOLD_LIMITS = ("size", "steps", "variants", "repeats", "bytes", "pixels", "strokes_size")


def make_app(workshop: Workshop, parsers: Parsers, assets: Mapping[str, Asset]) -> Starlette:
    """The studio as an ASGI application.

    Args:
        workshop: what the calls share.
        parsers: of query parameters.
        assets: the page's files.
    """
    orders, pictures = OrderCalls(workshop, parsers), PictureCalls(workshop, parsers)

    async def status(request: Request) -> Response:
        return JSONResponse(_status(workshop), headers=NOT_KEPT)

    async def asset(request: Request) -> Response:
        found = assets[request.scope["path"].removeprefix("/")]
        headers = {"ETag": found.tag, "Cache-Control": "no-cache"}
        if request.headers.get("if-none-match") == found.tag:
            return Response(status_code=304, headers=headers)
        return Response(found.content, media_type=found.media_type, headers=headers)

    return Starlette(
        routes=[
            Route("/api/status", status),
            Route("/api/paint", orders.paint, methods=["POST"]),
            Route("/api/edit", orders.edit, methods=["POST"]),
            Route("/api/suggest", orders.suggest, methods=["POST"]),
            Route("/api/strokes", pictures.strokes, methods=["POST"]),
            Route("/api/pictures", pictures.keep, methods=["POST"]),
            Route("/api/pictures/{id}", pictures.pixels),
            Route("/api/pictures/{id}/file", pictures.file),
            *(Route(f"/{path}", asset) for path in assets),
        ],
        exception_handlers={HTTPException: _http_error, SdeditError: _refused, ClientDisconnect: _gone},
    )


def _status(workshop: Workshop) -> dict[str, object]:
    models = workshop.models.result() if workshop.models.done() else []
    return {
        "program": PROGRAM,
        "version": package_version(),
        "state": "ready" if models else "loading",
        "device": models[0].model.device.type if models else None,
        "models": [named.to_dict() for named in models],
        "limits": {name: getattr(workshop.limits, name) for name in _TOLD_LIMITS},
        "queue": workshop.painter.queue(),
        "counts": {"evaluations": workshop.painter.evaluations, "images": workshop.painter.images},
    }


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    words = {404: "there is nothing of this name", 405: f"{request.method} is not what this address answers to"}
    return error_response(words.get(error.status_code, str(error.detail)), error.status_code)


async def _refused(request: Request, error: Exception) -> Response:
    return error_response(str(error), error.status if isinstance(error, RefusedError) else 400)


async def _gone(request: Request, error: Exception) -> Response:
    return Response(status_code=499)  # which nobody reads
