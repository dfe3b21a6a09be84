"""`sdedit paint`: stroke paintings in, realistic pictures out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from sdedit.cli.config_file import drop_overruled, read_config, write_config
from sdedit.cli.options import animation_options, like_option, model_options, sampling_options, settle_like
from sdedit.cli.output import print_results, say
from sdedit.cli.types import T0, Colour, Shard, Sigma, Size


@click.command(short_help="Turn stroke paintings into realistic pictures.")
@click.argument("guides", metavar="GUIDE...", nargs=-1)
@click.option(
    "-o",
    "--output",
    help="Picture to write, a folder to write it in, or - for standard output (PNG). "
    "Default: GUIDE-painted.png beside the guide; standard output if the guide is -. "
    "A folder or several guides need a folder.",
)
@click.option(
    "--from-file",
    "list_file",
    metavar="LIST",
    help="File of more guides, one a line (or parted by zero bytes); - for standard input. Relative paths keep their "
    "folders in the output.",
)
@click.option(
    "--include",
    metavar="PATTERN",
    multiple=True,
    help="Of a folder, paint only names that fit, such as '*.png' or 'night/*'; may be repeated.",
)
@click.option("--exclude", metavar="PATTERN", multiple=True, help="Of a folder, leave out names that fit.")
@click.option(
    "--t0",
    type=T0(auto=True),
    help="How much of the guide is given up to noise, above 0 to 1: more is more "
    "realistic and less faithful. Or auto, as much as the model needs to take the guide for a photograph, "
    "within 0.3 to 0.6; auto:LOW:HIGH sets other bounds. [default: 0.5]",
)
@click.option("--sigma", type=Sigma(), help="The same as a noise level, for pictures in [0, 1]; instead of --t0.")
@sampling_options
@like_option
@click.option(
    "--repeats",
    metavar="K",
    type=click.IntRange(1, 100),
    default=1,
    show_default=True,
    help="Perturb and denoise the result again, K times in all: more realistic, less faithful.",
)
@click.option(
    "--variants",
    metavar="V",
    type=click.IntRange(1, 10_000),
    default=1,
    show_default=True,
    help="Paint V pictures, with seeds SEED, SEED + 1, …; files are numbered from 1.",
)
@click.option(
    "--seed",
    type=click.IntRange(0, 2**63 - 10_001),
    help="Seed of the noise; in a folder each picture derives its own from it and its path. [default: random; printed]",
)
@click.option(
    "--batch",
    metavar="B",
    type=click.IntRange(1, 4096),
    help="Guides of like shape that go through the network at once. [default: 8 for folders, 1 for a single guide]",
)
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
@click.option("--overwrite", is_flag=True, help="Replace output that exists; in a folder, paint everything again.")
@click.option("--skip-existing", is_flag=True, help="Leave output that exists as it is, whatever it was painted with.")
@click.option(
    "--shard",
    metavar="I/N",
    type=Shard(),
    help="Paint the I-th of N shares of a folder; I counts from 0 or from 1. Not needed under torchrun and srun.",
)
@click.option("--watch", is_flag=True, help="Go on, and paint again each time a guide is saved, until Ctrl-C.")
@click.option(
    "--config",
    metavar="FILE",
    type=click.Path(path_type=Path),
    is_eager=True,
    expose_value=False,
    callback=read_config,
    help="TOML file of options by their long names, such as t0 = 0.4; the command line has precedence.",
)
@click.option(
    "--save-config",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Write the options given as such a file, and then paint the guides, if there are any.",
)
@click.option("--quiet", is_flag=True, help="Say nothing but errors.")
@click.option("--json", "as_json", is_flag=True, help="Print a line of JSON with file and recipe for each picture.")
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
    """Turn stroke paintings into realistic pictures.

    A GUIDE is a PNG, JPEG, WebP, TIFF, BMP or GIF file of any size, - for standard input, or a folder of them. It is
    resized to the model's native size with its aspect ratio kept, perturbed with noise up to time t0 of the model's
    SDE, and brought back by the reverse SDE. A useful t0 lies between 0.3 and 0.6.

    Folders and several guides are painted into a folder, whose tree is that of the guides. The same command again
    goes on where it was interrupted, and paints what has changed since. Exit code 3: some guides could not be painted.
    """
    drop_overruled(context, options, "t0", "sigma")
    drop_overruled(context, options, "overwrite", "skip_existing")
    drop_overruled(context, options, "quality", "sampler")
    settle_like(options, context, 0.5)
    if options["t0"] is not None and options["sigma"] is not None:
        raise click.UsageError("--t0 and --sigma say the same thing; give one of them.")
    if options["quality"] is not None and options["sampler"] not in (None, "auto"):
        raise click.UsageError("--quality and --sampler choose the same thing; give one of them.")
    if save_config is not None:
        write_config(context, save_config)
        if not guides and list_file is None:
            return
    if not guides and list_file is None:
        raise click.UsageError("Missing argument 'GUIDE...'.")
    if guides == ("-",) and output is None:
        output = "-"
    if output == "-" and (options["variants"] > 1 or as_json):
        raise click.UsageError("standard output takes one picture; name a file with --output.")

    from sdedit.jobs.options import PaintOptions

    if watch:
        from sdedit.jobs.watch import run_watch_job as run
    else:
        from sdedit.jobs.paint import run_paint_job as run

    job = run(guides, list_file, output, PaintOptions(**options, tune_allocator=True), say, quiet)
    print_results(job, as_json, "every picture written is whole, and the same command goes on from there")
