"""`sdedit models`: which models there are, and what their files hold."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from sdedit.cli.options import json_option, overwrite_option, quiet_option, take_model, weights_options
from sdedit.cli.output import print_table
from sdedit.cli.types import File
from sdedit.jobs.console import LOUD

_MODEL = click.argument("model")


@click.group(short_help="List, download, convert, verify and calibrate models.")
def models() -> None:
    """Models by name, by file, by folder, or on the hub as hf:owner/name[/file][@revision].

    Checkpoints of score_sde_pytorch (.pth), of the official SDEdit and ermongroup/ddim (.ckpt), of guided-diffusion and
    improved-diffusion (.pt), folders of diffusers, pickles of EDM and sdedit's own files are read; which it is follows
    from the content. Nothing in a file is ever executed.
    """


@models.command("list")
@json_option
def list_(as_json: bool) -> None:
    """List the models known by name: domain, native size, sigma(t0 = 0.5), whether they are downloaded, licence."""
    from sdedit.jobs.models import list_models

    print_table(list_models(), as_json)


@models.command()
@_MODEL
@quiet_option
def pull(model: str, quiet: bool) -> None:
    """Download MODEL, a name or hf:owner/name[@revision], and compare its checksum."""
    from sdedit.jobs.models import pull_model

    path = pull_model(model, show_progress=not quiet)
    if not quiet:
        click.echo(path)


@models.command()
@_MODEL
@click.argument("output", type=File())
@weights_options
@click.option(
    "--schedule",
    type=click.Choice(["linear", "cosine", "continuous"]),
    help="Noise schedule: how beta depends on time.",
)
@click.option("--timesteps", type=click.IntRange(2, 100_000), help="T, the number of training levels of the schedule.")
@click.option(
    "--prediction", type=click.Choice(["eps", "v", "x0"]), help="What the network tells: the noise, v, or x0."
)
@click.option("--heads", type=click.IntRange(1, 1024), help="Attention heads at every level.")
@click.option("--head-channels", type=click.IntRange(1, 8192), help="Channels of each head, instead of --heads.")
@click.option(
    "--attention-order",
    type=click.Choice(["legacy", "new"]),
    help="Order of q, k and v in ADM networks of several heads: head by head, or each for all heads.",
)
@click.option("--size", type=click.IntRange(8, 4096), help="Height and width of the training images, in pixels.")
@click.option(
    "--dtype",
    type=click.Choice(["float32", "float16"]),
    default="float32",
    show_default=True,
    help="Type of the weights in OUTPUT, if it is a .safetensors file; float16 halves its size and rounds them.",
)
@overwrite_option
def convert(output: Path, overwrite: bool, dtype: str, **options: Any) -> None:
    """Write MODEL as OUTPUT: a name ending in .safetensors for sdedit's own format, a folder for diffusers.

    Files of variance-preserving weights do not say their noise schedule, prediction, attention heads and size; `sdedit
    info` shows what is assumed. --schedule to --size overrule that, and OUTPUT says it all.
    """
    from sdedit.jobs.models import check_conversion, convert_model
    from sdedit.jobs.settings import tell_notes

    check_conversion(output, overwrite, dtype)
    names = ("schedule", "timesteps", "prediction", "heads", "head_channels", "attention_order", "size")
    known = {name: options.pop(name) for name in names}
    model = take_model({**options, "precision": "fp32", "device": "cpu"}).load(show_progress=True, **known)
    tell_notes(model, LOUD)
    convert_model(model, output, overwrite, dtype)
    LOUD.log(f"wrote {output}")


@models.command()
@_MODEL
@weights_options
@json_option
def verify(as_json: bool, **options: Any) -> None:
    """Check that MODEL works: finite weights of the right shapes, and a denoiser sound at three noise levels."""
    from dataclasses import asdict

    from sdedit.jobs.model_checks import verify_model
    from sdedit.jobs.settings import tell_notes

    model = take_model({**options, "precision": "fp32", "device": "cpu"}).load(show_progress=True)
    tell_notes(model, LOUD)
    print_table(
        [{name: float(f"{value:.4g}") for name, value in asdict(check).items()} for check in verify_model(model)],
        as_json,
    )


@models.command()
@_MODEL
@click.argument("photos", type=File())
@click.option(
    "-o",
    "--output",
    help="The .safetensors file to write, or a folder to write it in. [default: MODEL itself, if it is a file of "
    "sdedit's own]",
)
@overwrite_option
def calibrate(model: str, photos: Path, output: str | None, overwrite: bool) -> None:
    """Measure how well MODEL denoises PHOTOS and keep it in the model's file, for --t0 auto.

    PHOTOS is a folder or tar archive of photographs that MODEL has not learnt from, at least 8, better 50; at most 100
    of them are measured. `sdedit train` does this by itself. Exit code 3: some images could not be read.
    """
    from sdedit.jobs.model_checks import calibrate_checkpoint

    calibrate_checkpoint(model, photos, output, overwrite, LOUD)
