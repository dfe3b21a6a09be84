"""`sdedit edit` and `sdedit composite`: change a part of an image, and leave the rest as it is."""

from __future__ import annotations

from typing import Any

import click

from sdedit.cli.options import Command, add_options, sigma_option
from sdedit.cli.painting import run_painting, take_layers
from sdedit.cli.painting_options import painting_options
from sdedit.cli.types import T0, Offset
from sdedit.jobs.options import DEFAULT_T0


def _output_option(name: str) -> Command:
    return click.option(
        "-o",
        "--output",
        help="Image to write, a folder to write it in, or - for standard output (PNG). PNG, WebP, TIFF and BMP keep "
        f"what the mask keeps exactly; JPEG does not. Default: {name} beside it; standard output if it is -. "
        "A folder or several images need a folder.",
    )


def _layer_options(command: Command) -> Command:
    """Add the options that edit and composite share."""
    return add_options(
        command,
        sigma_option,
        click.option("--invert-mask", is_flag=True, help="Black may change and white is kept."),
        click.option(
            "--grow",
            type=click.FloatRange(0),
            help="Pixels by which the mask is grown. [default: enough for a seam if the mask was found, else 0]",
        ),
        click.option(
            "--feather",
            type=click.FloatRange(0),
            help="Pixels inside the mask over which the painted part fades in. [default: two of the model's pixels]",
        ),
        click.option(
            "--context",
            type=click.FloatRange(0, 100),
            default=0.5,
            show_default=True,
            help="Surroundings of the mask that the model sees, on each side, as a fraction of its width and height.",
        ),
        click.option(
            "--size",
            type=click.IntRange(8, 4096),
            help="Shorter side, in pixels, at which the region goes through the model. [default: its native size]",
        ),
        painting_options,
    )


@click.command(short_help="Make strokes painted over a photograph part of it.")
@click.argument("images", metavar="IMAGE...", nargs=-1)
@click.option(
    "--strokes",
    "layer",
    help="IMAGE with strokes painted over it, or a transparent layer; of several images a folder of them by the same "
    "names.",
)
@click.option(
    "--mask",
    help="Where IMAGE may change: WHITE MAY CHANGE, black is kept exactly, a grey of share m starts to change at "
    "m times t0. Of IMAGE's size; or a folder of them; or alpha, to fill what is transparent in IMAGE. "
    "[default: found from STROKES' transparency, or from where it "
    "differs from IMAGE]",
)
@_output_option("IMAGE-edited.png")
@click.option(
    "--t0",
    type=T0(),
    help="How much of the masked part is given up to noise, above 0 to 1: more is more realistic and less faithful. "
    f"[default: {DEFAULT_T0['edit']}]",
)
@_layer_options
@click.pass_context
def edit(context: click.Context, /, images: tuple[str, ...], **options: Any) -> None:
    """Make the strokes painted over IMAGE part of it.

    IMAGE and STROKES are files of the same size, one of them - for standard input; or folders, where each image is
    edited with the strokes of its name, a/b.png for a/b.jpg, and the same command again goes on where it was
    interrupted. Only the region round the mask goes through the model, resized to the model's native size, and what
    comes out is enlarged again and blended in inside the mask: a large painted part comes back softer than a sharp
    photograph. All other pixels stay as they are, bit for bit, as do the size, transparency, colour profile and EXIF
    data.
    """
    if options["layer"] is None and options["save_config"] is None:
        raise click.UsageError("Missing option '--strokes'.")
    layers = take_layers("edit", options)
    run_painting(context, images, layers, **options)


@click.command(short_help="Paste a part of another image, and blend it in.")
@click.argument("background")
@click.argument("patch")
@click.option(
    "--mask",
    help="What of PATCH is pasted and may change, instead of its transparency: WHITE is pasted and MAY CHANGE, black "
    "is not; a grey of share m is pasted so far, and starts to change at m times t0. Of PATCH's size; or a folder; or "
    "alpha, its transparency.",
)
@click.option(
    "--at",
    type=Offset(),
    metavar="X,Y",
    help="Where PATCH's left top corner comes, in pixels from that of BACKGROUND. [default: PATCH in the middle]",
)
@click.option(
    "--scale",
    type=click.FloatRange(0, 1000, min_open=True),
    default=1.0,
    show_default=True,
    help="By what PATCH's width and height are multiplied.",
)
@_output_option("BACKGROUND-composite.png")
@click.option(
    "--t0",
    type=T0(),
    help="How much of the pasted part is given up to noise, above 0 to 1: more blends better and changes more. "
    f"[default: {DEFAULT_T0['composite']}]",
)
@_layer_options
@click.pass_context
def composite(context: click.Context, /, background: str, patch: str, **options: Any) -> None:
    """Paste PATCH onto BACKGROUND, and make the two one image.

    The transparency of PATCH is the mask: what is pasted may change, and a little of BACKGROUND round it. One of the
    two may be - for standard input; either may be a folder, where a background gets the patch of its name. Beyond the
    patch BACKGROUND stays as it is, bit for bit; see `sdedit edit --help`.
    """
    options["layer"] = patch
    layers = take_layers("composite", options)
    run_painting(context, (background,), layers, **options)
