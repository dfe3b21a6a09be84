"""`sdedit strokes`: stroke paintings simulated from photographs."""

from __future__ import annotations

from pathlib import Path

import click

from sdedit.cli.options import json_option, quiet_option
from sdedit.cli.output import console_for, print_results


@click.command(short_help="Simulate stroke paintings from photographs.")
@click.argument("photo")
@click.option(
    "-o",
    "--output",
    help="Image to write, or - for standard output (PNG); for a folder or archive of photographs, the folder to "
    "write in. Default: PHOTO-strokes.png, or the folder PHOTO-strokes.",
)
@click.option("--size", type=click.IntRange(8, 4096), help="Shrink to this shorter side, in pixels, first.")
@click.option("--overwrite", is_flag=True, help="Replace output that exists; in a folder, make everything again.")
@quiet_option
@json_option
def strokes(photo: str, output: str | None, size: int | None, overwrite: bool, quiet: bool, as_json: bool) -> None:
    """Paint PHOTO as somebody might with a few strokes: the paper's simulation.

    A median filter, 23 pixels wide on an image of 256 and scaled with the size, then six colours. PHOTO is an image,
    - for standard input, or a folder or tar archive of images, whose tree is kept; the same command again goes on
    where it was interrupted. Prints the name of what was written. Exit code 3: some images could not be read.
    """
    if as_json and (output == "-" or (output is None and photo == "-")):
        raise click.UsageError("standard output takes one image; name a file with --output.")

    from sdedit.jobs.strokes import simulate_all, simulate_one, strokes_folder

    folder = strokes_folder(photo, output)
    if folder is None:
        results = simulate_one(photo, output, size, overwrite)
    else:
        results = simulate_all(Path(photo), folder, size, overwrite, console_for(quiet))
    last = print_results(results, as_json, "every image written is whole, and the same command goes on from there")
    if last is not None and last.output != "-" and not as_json:
        click.echo(folder or last.output)
