"""Running paint, edit and composite: from a command's options to a job, and to what is printed of it."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from sdedit.cli.config_file import drop_overruled, write_config
from sdedit.cli.options import take_model, take_sampling
from sdedit.cli.output import console_for, print_results
from sdedit.jobs.options import AnimationOptions, LayerOptions, PaintOptions

_OFFICIAL_T0 = {"paint": 0.5, "edit": 0.5, "composite": 0.4}
_OFFICIAL_REPEATS = 3


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
    if layers is not None and layers.invert_mask and layers.mask is None:
        raise click.UsageError("--invert-mask needs a --mask.")
    job = take_job(context, options, layers)
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
    """Take the options of what is laid over images out of a command's options."""
    names = [field.name for field in fields(LayerOptions) if field.name in options]
    return LayerOptions(task, **{name: options.pop(name) for name in names})


def take_job(context: click.Context, options: dict[str, Any], layers: LayerOptions | None = None) -> PaintOptions:
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
