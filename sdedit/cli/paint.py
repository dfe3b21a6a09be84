"""`sdedit paint`: stroke paintings in, realistic images out."""

from __future__ import annotations

from typing import Any

import click

from sdedit.cli.options import sigma_option
from sdedit.cli.painting import run_painting
from sdedit.cli.painting_options import painting_options
from sdedit.cli.types import T0, Colour, Size
from sdedit.jobs.options import DEFAULT_T0


@click.command(short_help="Turn stroke paintings into realistic images.")
@click.argument("guides", metavar="GUIDE...", nargs=-1)
@click.option(
    "-o",
    "--output",
    help="Image to write, a folder to write it in, or - for standard output (PNG). "
    "Default: GUIDE-painted.png beside the guide; standard output if the guide is -. "
    "A folder or several guides need a folder.",
)
@click.option(
    "--t0",
    type=T0(auto=True),
    help="How much of the guide is given up to noise, above 0 to 1: more is more "
    "realistic and less faithful. Or auto, as much as the model needs to take the guide for a photograph, "
    f"within 0.3 to 0.6; auto:LOW:HIGH sets other bounds. [default: {DEFAULT_T0['paint']}]",
)
@sigma_option
@click.option(
    "--size",
    type=Size(),
    help="Shorter side in pixels, the aspect ratio kept; or WIDTHxHEIGHT, the guide "
    "filling it and cut to shape. Any size from 8 px a side to 16.8 million pixels in all. "
    "[default: the guide's own, within what the model is good at]",
)
@click.option(
    "--passes",
    metavar="P",
    type=click.IntRange(1, 12),
    help="Paint at P sizes, coarse to fine: at the model's native size first, then enlarged and painted again from "
    "less noise, and so on; 1 paints at full size directly. "
    "[default: 1 at the native size, one more for each doubling]",
)
@click.option(
    "--background",
    type=Colour(),
    default="white",
    show_default=True,
    help="Colour under the transparent parts of the guide.",
)
@click.option("--watch", is_flag=True, help="Keep running, and repaint each guide when it is saved, until Ctrl-C.")
@painting_options
@click.pass_context
def paint(context: click.Context, /, guides: tuple[str, ...], **options: Any) -> None:
    """Turn stroke paintings into realistic images.

    A GUIDE is a PNG, JPEG, WebP, AVIF, TIFF, BMP or GIF file of any size, - for standard input, or a folder of them.
    It is brought to a size the model is good at with its aspect ratio kept, perturbed with noise up to time t0 of the
    model's SDE, and brought back by the reverse SDE. A useful t0 lies between 0.3 and 0.6.

    Folders and several guides are painted into a folder, whose tree is that of the guides. The same command again
    goes on where it was interrupted, and paints what has changed since; what other settings made is kept. Exit code 3:
    some guides could not be painted, or are kept.
    """
    run_painting(context, guides, **options)
