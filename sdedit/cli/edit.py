"""`sdedit edit` and `sdedit composite`: change a part of a picture, and leave the rest as it is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from sdedit.cli.options import (
    animation_options,
    like_option,
    model_options,
    sampling_options,
    seed_option,
    settle_like,
    take_model,
    take_sampling,
)
from sdedit.cli.types import T0, Offset, Sigma

_SHARED = (
    click.option("--sigma", type=Sigma(), help="The same as a noise level, for pictures in [0, 1]; instead of --t0."),
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
        help="What goes through the model round the mask, on each side, as a share of the mask's width and height.",
    ),
    click.option(
        "--size",
        type=click.IntRange(8, 4096),
        help="Shorter side, in pixels, at which the region goes through the model. [default: its native size]",
    ),
    sampling_options,
    like_option,
    seed_option,
    click.option(
        "--repeats",
        metavar="K",
        type=click.IntRange(1, 100),
        default=1,
        show_default=True,
        help="Perturb and denoise the result again, K times in all: more realistic, less faithful.",
    ),
    click.option(
        "--variants",
        metavar="V",
        type=click.IntRange(1, 10_000),
        default=1,
        show_default=True,
        help="Make V pictures, with seeds SEED, SEED + 1, …; files are numbered from 1.",
    ),
    model_options,
    animation_options,
    click.option("--overwrite", is_flag=True, help="Replace output that exists."),
    click.option("--quiet", is_flag=True, help="Say nothing but errors."),
    click.option("--json", "as_json", is_flag=True, help="Print a line of JSON with file and recipe for each picture."),
)


def _output_option(name: str) -> Callable[..., Any]:
    return click.option(
        "-o",
        "--output",
        help="Picture to write, a folder to write it in, or - for standard output (PNG). PNG, WebP, TIFF and BMP keep "
        f"what the mask keeps exactly; JPEG does not. Default: {name} beside it; standard output if it is -.",
    )


def _shared_options(command: Callable[..., Any]) -> Callable[..., Any]:
    for option in reversed(_SHARED):
        command = option(command)
    return command


@click.command(short_help="Make strokes painted over a photograph part of it.")
@click.argument("picture")
@click.option("--strokes", "layer", required=True, help="PICTURE with strokes painted over it, or a transparent layer.")
@click.option(
    "--mask",
    help="Where PICTURE may change: WHITE MAY CHANGE, black is kept exactly, a grey of share m starts to change at "
    "m times t0. Of PICTURE's size. [default: found from STROKES' transparency, or from where it differs from PICTURE]",
)
@_output_option("PICTURE-edited.png")
@click.option(
    "--t0",
    type=T0(),
    help="How much of the masked part is given up to noise, above 0 to 1: more is more realistic and less faithful. "
    "[default: 0.45]",
)
@_shared_options
def edit(**options: Any) -> None:
    """Make the strokes painted over PICTURE part of it.

    PICTURE and STROKES are files of the same size, one of them - for standard input. Only the region round the mask
    goes through the model, resized to the model's native size, and what comes out is enlarged again and blended in
    inside the mask: a large painted part comes back softer than a sharp photograph. All other pixels stay as they are,
    bit for bit, as do the size, transparency, colour profile and EXIF data.
    """
    _run("edit", 0.45, **options)


@click.command(short_help="Paste a part of another picture, and blend it in.")
@click.argument("background")
@click.argument("patch")
@click.option(
    "--mask",
    help="What of PATCH is pasted and may change, instead of its transparency: WHITE is pasted and MAY CHANGE, black "
    "is not; a grey of share m is pasted so far, and starts to change at m times t0. Of PATCH's size.",
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
    "[default: 0.35]",
)
@_shared_options
def composite(background: str, patch: str, **options: Any) -> None:
    """Paste PATCH onto BACKGROUND, and make the two one picture.

    The transparency of PATCH is the mask: what is pasted may change, and a little of BACKGROUND round it. One of the
    two may be - for standard input. Beyond that BACKGROUND stays as it is, bit for bit; see `sdedit edit --help`.
    """
    _run("composite", 0.35, picture=background, layer=patch, **options)


def _run(task: str, default_t0: float, quiet: bool, as_json: bool, **options: Any) -> None:
    if options["t0"] is not None and options["sigma"] is not None:
        raise click.UsageError("--t0 and --sigma say the same thing; give one of them.")
    if options["invert_mask"] and options["mask"] is None:
        raise click.UsageError("--invert-mask needs a --mask.")
    settle_like(options, click.get_current_context(), 0.5 if task == "edit" else 0.4)
    options["t0"] = options["t0"] or default_t0
    sampling, model = take_sampling(options), take_model(options)
    if options["picture"] == "-" and options["output"] is None:
        options["output"] = "-"
    if options["output"] == "-" and (options["variants"] > 1 or as_json):
        raise click.UsageError("standard output takes one picture; name a file with --output.")

    from sdedit.jobs.edit import EditJob, run_edit_job

    say = (lambda line: None) if quiet else (lambda line: click.echo(line, err=True))
    for result in run_edit_job(
        EditJob(task=task, model=model, sampling=sampling, **options), say, show_progress=not quiet
    ):
        if as_json:
            click.echo(result.to_json())
