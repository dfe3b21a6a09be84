"""`sdedit replay`: a picture again, from the recipe it carries."""

from __future__ import annotations

from pathlib import Path

import click

from sdedit.cli.output import print_results, say


@click.command(short_help="Paint a picture again from the recipe it carries.")
@click.argument("picture", type=click.Path(path_type=Path))
@click.argument("guide", required=False)
@click.option("-o", "--output", help="Picture or folder to write. [default: PICTURE-replayed.png]")
@click.option("--model", help="Name or file of the model, if it is no longer where the recipe says.")
@click.option("--device", help="auto, cpu, cuda, cuda:N or mps. [default: the kind that painted the picture]")
@click.option("--offline", is_flag=True, help="Use only models that have been downloaded before.")
@click.option("--overwrite", is_flag=True, help="Replace output that exists.")
@click.option("--quiet", is_flag=True, help="Say nothing but errors.")
@click.option("--json", "as_json", is_flag=True, help="Print a line of JSON with file and recipe.")
def replay(
    picture: Path,
    guide: str | None,
    output: str | None,
    model: str | None,
    device: str | None,
    offline: bool,
    overwrite: bool,
    quiet: bool,
    as_json: bool,
) -> None:
    """Paint PICTURE, a PNG painted by sdedit, again by its recipe: bit for bit on the machine that painted it.

    GUIDE is looked for beside PICTURE, and where the ledger of its folder says; another guide is painted the same way.
    """
    if output == "-" and as_json:
        raise click.UsageError("standard output takes one picture; name a file with --output.")

    from sdedit.jobs.replay import replay_image

    log = None if quiet else say
    results = replay_image(picture, guide, output, model, device, offline, overwrite, log, show_progress=not quiet)
    print_results(results, as_json, "nothing was written")
