"""`sdedit strokes`: stroke paintings simulated from photographs."""

from __future__ import annotations

import click


@click.command(short_help="Simulate stroke paintings from photographs.")
@click.argument("photo")
@click.option(
    "-o",
    "--output",
    help="Picture to write, or - for standard output (PNG); for a folder or archive of photographs, the folder to "
    "write in. Default: PHOTO-strokes.png, or the folder PHOTO-strokes.",
)
@click.option("--size", type=click.IntRange(8, 4096), help="Shrink to this shorter side, in pixels, first.")
@click.option("--overwrite", is_flag=True, help="Replace output that exists.")
def strokes(photo: str, output: str | None, size: int | None, overwrite: bool) -> None:
    """Paint PHOTO as somebody might with a few strokes: the paper's simulation.

    A median filter, 23 pixels wide on a picture of 256 and scaled with the size, then six colours. PHOTO is a picture,
    - for standard input, or a folder or tar archive of pictures. Prints the name of what was written.
    """
    from sdedit.jobs.strokes import simulate_files

    written = simulate_files(photo, output, size, overwrite)
    if written is not None:
        click.echo(written)
