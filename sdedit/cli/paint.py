"""`sdedit paint`: stroke paintings in, realistic images out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from sdedit.cli.config_file import write_config
from sdedit.cli.options import (
    animation_options,
    check_output,
    config_options,
    folder_options,
    json_option,
    like_option,
    model_options,
    quiet_option,
    repeat_options,
    sampling_options,
    sigma_option,
    take_job,
)
from sdedit.cli.output import console_for, print_results
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
@sampling_options
@like_option
@repeat_options
@click.option(
    "--size",
    type=Size(),
    help="Shorter side in pixels, the aspect ratio kept; or WIDTHxHEIGHT, the guide "
    "filling it and cut to shape. Any size from 8 px a side to 16.8 million pixels in all. "
    "[default: the model's native size]",
)
@click.option(
    "--passes",
    metavar="P",
    type=click.IntRange(1, 12),
    help="Paint at P sizes, coarse to fine: at the model's native size first, then enlarged and painted again at 0.75 "
    "t0, and so on; 1 is at full size at once. [default: 1 at the native size, one more for each doubling]",
)
@click.option(
    "--background",
    type=Colour(),
    default="white",
    show_default=True,
    help="Colour under the transparent parts of the guide.",
)
@model_options
@animation_options
@folder_options
@click.option("--watch", is_flag=True, help="Go on, and paint again each time a guide is saved, until Ctrl-C.")
@config_options
@quiet_option
@json_option
@click.pass_context
def paint(
    context: click.Context,
    /,
    guides: tuple[str, ...],
    list_file: str | None,
    output: str | None,
    watch: bool,
    save_config: Path | None,
    quiet: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Turn stroke paintings into realistic images.

    A GUIDE is a PNG, JPEG, WebP, AVIF, TIFF, BMP or GIF file of any size, - for standard input, or a folder of them.
    It is resized to the model's native size with its aspect ratio kept, perturbed with noise up to time t0 of the
    model's SDE, and brought back by the reverse SDE. A useful t0 lies between 0.3 and 0.6.

    Folders and several guides are painted into a folder, whose tree is that of the guides. The same command again
    goes on where it was interrupted, and paints what has changed since; what other settings made is kept. Exit code 3:
    some guides could not be painted, or are kept.
    """
    job = take_job(context, options)
    if save_config is not None:
        write_config(context, save_config, console_for(quiet))
        if not guides and list_file is None:
            return
    if not guides and list_file is None:
        raise click.UsageError("Missing argument 'GUIDE...'.")
    output = check_output(output, guides, job.variants, as_json)
    if watch:
        from sdedit.jobs.watch import run_watch_job as run
    else:
        from sdedit.jobs.paint import run_paint_job as run

    results = run(guides, list_file, output, job, console_for(quiet))
    print_results(results, as_json, "every image written is whole, and the same command goes on from there")
