"""`sdedit studio`: paint in a browser."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from sdedit.cli.options import json_option, quiet_option
from sdedit.cli.output import console_for, print_json
from sdedit.cli.query import edit_options, paint_options, strokes_size
from sdedit.cli.signals import ends_in_order
from sdedit.jobs.options import ModelOptions


@click.command(short_help="Paint in the browser, and watch it become a photograph.")
@click.option(
    "--model",
    "sources",
    multiple=True,
    default=[ModelOptions.source],
    show_default=True,
    help="Name of a model, or a checkpoint file; may be repeated, and is then chosen on the page.",
)
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda, cuda:N or mps.")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=7860, show_default=True, help="To listen on; 0 is any free one."
)
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    help="Address to listen on. Others than this machine reach every other one, such as 0.0.0.0, and need the token "
    "that is then printed in the address.",
)
@click.option(
    "--allow-host",
    "allowed",
    metavar="NAME",
    multiple=True,
    help="A further name, with or without :PORT, that the studio may be called by, as behind a proxy; may be repeated.",
)
@click.option("--token", help="What requests have to bring. [default: none on this machine, else random]")
@click.option(
    "--max-size",
    type=click.IntRange(8, 4096),
    default=1024,
    show_default=True,
    help="Largest shorter side, in pixels, that may be asked for.",
)
@click.option("--no-open", is_flag=True, help="Do not open a browser.")
@quiet_option
@json_option
def studio(
    sources: tuple[str, ...],
    device: str,
    port: int,
    host: str,
    allowed: tuple[str, ...],
    token: str | None,
    max_size: int,
    no_open: bool,
    quiet: bool,
    as_json: bool,
) -> None:
    """Paint flat strokes on the left, and see the photograph follow the brush on the right.

    Serves a page on this machine, prints its address and opens it. The same address takes images from scripts, as a
    model that is loaded already: curl -T strokes.png -X POST 'http://127.0.0.1:7860/api/paint?t0=0.4&seed=7' -o
    out.png. No request ever leaves the machine, and nothing is written to disk. Ctrl-C ends it.
    """
    from sdedit.studio.limits import Limits
    from sdedit.studio.orders import Parsers
    from sdedit.studio.serving import StudioOptions, serve

    def announce(address: Mapping[str, Any]) -> None:
        if as_json:
            print_json(dict(address))
        else:
            click.echo(address["url"])

    if token is not None and len(token) < 16:
        raise click.UsageError("a token has at least 16 characters.")
    models = tuple(ModelOptions(source, device, tune_allocator=True) for source in dict.fromkeys(sources))
    options = StudioOptions(models, host, port, allowed, token, not no_open, Limits(size=max_size))
    with ends_in_order("paintings that a page has shown are kept in its browser"):
        serve(options, Parsers(paint_options, edit_options, strokes_size), console_for(quiet), announce)
