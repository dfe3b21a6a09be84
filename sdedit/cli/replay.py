"""`sdedit replay`: an image again, from the recipe it carries."""

from __future__ import annotations

from pathlib import Path

import click

from sdedit.cli.options import json_option, overwrite_option, quiet_option
from sdedit.cli.output import console_for, print_results
from sdedit.cli.types import File


@click.command(short_help="Make an image again from the recipe it carries.")
@click.argument("image", type=File())
@click.argument("guide", required=False)
@click.option("--strokes", "--patch", "layer", help="The strokes or the patch, if they are no longer beside IMAGE.")
@click.option("--mask", help="The mask, if it is no longer beside IMAGE.")
@click.option("-o", "--output", help="Image or folder to write. [default: IMAGE-replayed.png]")
@click.option("--model", help="Name or file of the model, if it is no longer where the recipe says.")
@click.option("--device", help="auto, cpu, cuda, cuda:N or mps. [default: the kind that made the image]")
@click.option("--offline", is_flag=True, help="Use only models that have been downloaded before.")
@overwrite_option
@quiet_option
@json_option
def replay(
    image: Path,
    guide: str | None,
    layer: str | None,
    mask: str | None,
    output: str | None,
    model: str | None,
    device: str | None,
    offline: bool,
    overwrite: bool,
    quiet: bool,
    as_json: bool,
) -> None:
    """Make IMAGE, a PNG written by sdedit, again by its recipe: bit for bit on the machine that made it.

    GUIDE, of an edit or a composite the image that was changed, is looked for beside IMAGE and where the ledger of its
    folder says, and so are strokes, patch and mask. Others that are named are treated the same way.
    """
    if output == "-" and as_json:
        raise click.UsageError("standard output takes one image; name a file with --output.")

    from sdedit.jobs.replay import replay_image

    console = console_for(quiet)
    results = replay_image(image, guide, layer, mask, output, model, device, offline, overwrite, console)
    print_results(results, as_json, "nothing was written")
