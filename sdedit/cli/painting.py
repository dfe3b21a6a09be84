"""What paint, edit and composite share: the options of a job that makes images, and how it is run."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from sdedit.cli.config_file import drop_overruled, read_config, write_config
from sdedit.cli.options import (
    Command,
    add_options,
    json_option,
    model_options,
    quiet_option,
    sampling_options,
    seed_option,
    take_model,
    take_sampling,
)
from sdedit.cli.output import console_for, print_results
from sdedit.cli.types import File, Shard
from sdedit.jobs.options import FORMATS, AnimationOptions, LayerOptions, PaintOptions

_OFFICIAL_T0 = {"paint": 0.5, "edit": 0.5, "composite": 0.4}
_OFFICIAL_REPEATS = 3


def painting_options(command: Command) -> Command:
    """Add the options that all jobs have that make images."""
    return add_options(
        command,
        sampling_options,
        click.option(
            "--like",
            type=click.Choice(["sdedit"]),
            help="All settings not given otherwise as in the official code, for a variance-preserving model: the "
            "sampler ancestral on the levels of the training below t0, one by one, and 3 repeats.",
        ),
        _repeat_options,
        model_options,
        _animation_options,
        _folder_options,
        _config_options,
        quiet_option,
        json_option,
    )


def run_painting(
    context: click.Context,
    images: tuple[str, ...],
    layers: LayerOptions | None = None,
    /,
    *,
    list_file: str | None,
    output: str | None,
    save_config: Path | None,
    quiet: bool,
    as_json: bool,
    watch: bool = False,
    **options: Any,
) -> None:
    """Run a job that makes images, and print what is asked for.

    Args:
        context: of the command.
        images: its arguments, guides or the images to edit.
        layers: what is laid over them.
        list_file, output, save_config, quiet, as_json, watch: options of the command.
        options: the others.

    Raises:
        click.UsageError: if options contradict each other, or no image is named.
        SdeditError: as `run_paint_job`.
    """
    job = _take_job(context, options, layers)
    if save_config is not None:
        write_config(context, save_config, console_for(quiet))
    if not images and list_file is None:
        if save_config is not None:
            return
        raise click.UsageError(f"Missing argument '{context.command.params[0].metavar}'.")
    output = _check_output(output, images, job.variants, as_json)
    if watch:
        from sdedit.jobs.watch import run_watch_job as run
    else:
        from sdedit.jobs.paint import run_paint_job as run

    results = run(images, list_file, output, job, console_for(quiet))
    print_results(results, as_json, "every image written is whole, and the same command goes on from there")


def take_layers(task: str, options: dict[str, Any]) -> LayerOptions:
    """Take the options of what is laid over images out of a command's options.

    Raises:
        click.UsageError: if they contradict each other.
    """
    if options["invert_mask"] and options["mask"] is None:
        raise click.UsageError("--invert-mask needs a --mask.")
    names = [field.name for field in fields(LayerOptions) if field.name in options]
    return LayerOptions(task, **{name: options.pop(name) for name in names})


def _take_job(context: click.Context, options: dict[str, Any], layers: LayerOptions | None = None) -> PaintOptions:
    """The options of a job that paints, or with layers edits, out of a command's options.

    Raises:
        click.UsageError: if they contradict each other.
    """
    for first, second in (("t0", "sigma"), ("overwrite", "skip_existing"), ("quality", "sampler")):
        drop_overruled(context, options, first, second)
    if options["t0"] is not None and options["sigma"] is not None:
        raise click.UsageError("--t0 and --sigma say the same thing; give one of them.")
    if options["like"] is not None:
        if context.get_parameter_source("repeats") == ParameterSource.DEFAULT:
            options["repeats"] = _OFFICIAL_REPEATS
        if options["t0"] is None and options["sigma"] is None:
            options["t0"] = _OFFICIAL_T0["paint" if layers is None else layers.task]
    return PaintOptions(
        model=take_model(options),
        sampling=take_sampling(options),
        animation=_take_animation(options),
        layers=layers,
        **options,
    )


def _take_animation(options: dict[str, Any]) -> AnimationOptions | None:
    file, every, state = (options.pop(name) for name in ("animate", "animate_every", "animate_state"))
    return None if file is None else AnimationOptions(file, every, state)


def _check_output(output: str | None, images: tuple[str, ...], variants: int, as_json: bool) -> str | None:
    """The output, which is standard output if the one image comes from standard input.

    Raises:
        click.UsageError: if more than an image would go there.
    """
    output = "-" if output is None and images == ("-",) else output
    if output == "-" and (variants > 1 or as_json):
        raise click.UsageError("standard output takes one image; name a file with --output.")
    return output


def _repeat_options(command: Command) -> Command:
    """Add the options of how often an image is made."""
    return add_options(
        command,
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
            help="Make V images, with seeds SEED, SEED + 1, …; files are numbered from 1.",
        ),
        seed_option,
        click.option(
            "--batch",
            metavar="B",
            type=click.IntRange(1, 4096),
            help="Images of like shape that go through the network at once. [default: 8 for folders of guides, else 1]",
        ),
    )


def _folder_options(command: Command) -> Command:
    """Add the options of jobs of many guides."""
    return add_options(
        command,
        click.option(
            "--from-file",
            "list_file",
            metavar="LIST",
            help="File of more of them, one a line (or parted by zero bytes); - for standard input. Relative paths "
            "keep their folders in the output.",
        ),
        click.option(
            "--include",
            metavar="PATTERN",
            multiple=True,
            help="Of a folder, take only names that fit, such as '*.png' or 'night/*'; may be repeated.",
        ),
        click.option("--exclude", metavar="PATTERN", multiple=True, help="Of a folder, leave out names that fit."),
        click.option(
            "--format",
            "file_format",
            type=click.Choice(FORMATS),
            default=FORMATS[0],
            show_default=True,
            help="Of the images of a folder; each carries its recipe. A single image has the format of its name.",
        ),
        click.option(
            "--jpeg-quality",
            type=click.IntRange(1, 100),
            default=95,
            show_default=True,
            help="Of JPEG files, and of WebP files with losses.",
        ),
        click.option(
            "--overwrite", is_flag=True, help="Replace output that exists; in a folder, make everything again."
        ),
        click.option(
            "--skip-existing", is_flag=True, help="Leave output that exists as it is, whatever it was made with."
        ),
        click.option(
            "--no-recipe",
            is_flag=True,
            help="Write no recipe: images, and the list in the folder, name neither guide nor model. The same command "
            "then cannot know what is done, and replay cannot repeat it.",
        ),
        click.option(
            "--shard",
            metavar="I/N",
            type=Shard(),
            help="Make the I-th of N shares of a folder; I counts from 0 or from 1. torchrun and srun need none.",
        ),
    )


def _config_options(command: Command) -> Command:
    """Add the options that read others from a file and write them to one."""
    return add_options(
        command,
        click.option(
            "--config",
            metavar="FILE",
            type=File(),
            is_eager=True,
            expose_value=False,
            callback=read_config,
            help="TOML file of options by their long names, such as t0 = 0.4; the command line has precedence.",
        ),
        click.option(
            "--save-config",
            metavar="FILE",
            type=File(),
            help="Write the options given as such a file, and then go on with the images, if there are any.",
        ),
    )


def _animation_options(command: Command) -> Command:
    """Add the options of an animation."""
    return add_options(
        command,
        click.option(
            "--animate",
            metavar="FILE",
            help="Also write a .gif, .webp or .apng of the guide dissolving into noise and coming back; of the first "
            "variant.",
        ),
        click.option(
            "--animate-every",
            metavar="K",
            type=click.IntRange(1),
            help="A frame every K evaluations. [default: about 24 frames each way]",
        ),
        click.option(
            "--animate-state",
            type=click.Choice(["x", "D"]),
            default="x",
            show_default=True,
            help="What is shown on the way back: the noised state x, or the denoised image D(x; sigma).",
        ),
    )
