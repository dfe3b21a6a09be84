"""`sdedit paint`: a stroke painting in, a realistic picture out."""

from __future__ import annotations

from typing import Any

import click

from sdedit.cli.options import T0, Colour, Sigma, Size, weights_options


@click.command(short_help="Turn a stroke painting into a realistic picture.")
@click.argument("guide")
@click.option(
    "-o",
    "--output",
    help="Picture to write, a folder to write it in, or - for standard output (PNG). "
    "Default: GUIDE-painted.png beside the guide; standard output if the guide is -.",
)
@click.option(
    "--t0",
    type=T0(),
    help="How much of the guide is given up to noise, above 0 to 1: more is more "
    "realistic and less faithful. [default: 0.5]",
)
@click.option("--sigma", type=Sigma(), help="The same as a noise level, for pictures in [0, 1]; instead of --t0.")
@click.option("--model", default="landscapes-128", show_default=True, help="Name of a model, or a checkpoint file.")
@click.option(
    "--steps",
    type=click.IntRange(1, 100_000),
    default=250,
    show_default=True,
    help="Network evaluations, at every t0; more is finer and slower.",
)
@click.option(
    "--sampler",
    type=click.Choice(["euler-maruyama", "euler-maruyama-t", "ancestral"]),
    default="euler-maruyama",
    show_default=True,
    help="Steps of the reverse SDE: the paper's Algorithm 1, "
    "Euler-Maruyama in t (many steps only), or the exact posterior (good at few steps).",
)
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
@click.option("--seed", type=click.IntRange(0, 2**63 - 10_001), help="Of the noise. [default: drawn, and said]")
@click.option(
    "--size",
    type=Size(),
    help="Shorter side in pixels, the aspect ratio kept; or WIDTHxHEIGHT, the guide "
    "filling it and cut to shape. Any size from 8 px a side to 16.8 million pixels in all. "
    "[default: the model's native size]",
)
@click.option(
    "--background",
    type=Colour(),
    default="white",
    show_default=True,
    help="Colour under the transparent parts of the guide.",
)
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda, cuda:N or mps.")
@click.option(
    "--precision",
    type=click.Choice(["auto", "bf16", "fp32"]),
    default="auto",
    show_default=True,
    help="Of the network's body; auto takes bf16 where the device is fast at it.",
)
@weights_options
@click.option("--overwrite", is_flag=True, help="Replace output that exists.")
@click.option("--quiet", is_flag=True, help="Say nothing but errors.")
@click.option("--json", "as_json", is_flag=True, help="Print a line of JSON with file and recipe for each picture.")
def paint(quiet: bool, as_json: bool, **options: Any) -> None:
    """Turn the stroke painting GUIDE into a realistic picture.

    GUIDE is a PNG, JPEG, WebP, TIFF, BMP or GIF file of any size, or - for standard input. It is resized to the
    model's native size with its aspect ratio kept, perturbed with noise up to time t0 of the model's SDE, and brought
    back by the reverse SDE. A useful t0 lies between 0.3 and 0.6.
    """
    if options["t0"] is not None and options["sigma"] is not None:
        raise click.UsageError("--t0 and --sigma say the same thing; give one of them.")
    if options["guide"] == "-" and options["output"] is None:
        options["output"] = "-"
    if options["output"] == "-" and (options["variants"] > 1 or as_json):
        raise click.UsageError("standard output takes one picture; name a file with --output.")

    from sdedit.jobs import PaintJob, run_paint_job

    say = (lambda line: None) if quiet else (lambda line: click.echo(line, err=True))
    for result in run_paint_job(PaintJob(**options), say, show_progress=not quiet):
        if as_json:
            click.echo(result.to_json())
