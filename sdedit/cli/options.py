"""Options that several commands share, and the dataclasses they are taken into."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from typing import Any

import click

from sdedit.cli.types import Sigma
from sdedit.diffusion.samplers import DEFAULT, DEFAULTS, GRIDS, PRESETS, SamplingChoice
from sdedit.jobs.options import MOST_SEED, ModelOptions

Command = Callable[..., Any]

overwrite_option = click.option("--overwrite", is_flag=True, help="Replace output that exists.")
quiet_option = click.option("--quiet", is_flag=True, help="Print nothing but errors.")
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, one line for each result.")
sigma_option = click.option(
    "--sigma", type=Sigma(), help="Noise level to start from, for images in [0, 1]; instead of --t0."
)
seed_option = click.option(
    "--seed",
    type=click.IntRange(0, MOST_SEED),
    help="Seed of the noise; in a folder each image derives its own from it and its path. [default: random; printed]",
)


def add_options(command: Command, *options: Command) -> Command:
    """Add options, in the order that --help lists them in."""
    for option in reversed(options):
        command = option(command)
    return command


def sampling_options(command: Command) -> Command:
    """Add the options that say how the reverse SDE is solved."""
    return add_options(
        command,
        click.option(
            "--quality",
            type=click.Choice(list(PRESETS)),
            help=f"Sampler, steps and grid in one: {'; '.join(f'{name} is {q}' for name, q in PRESETS.items())}. "
            f"[default: {DEFAULT}, or what is safe with a published model]",
        ),
        click.option(
            "--steps",
            type=click.IntRange(1, 100_000),
            help="Network evaluations, whatever t0 is; more is finer and slower. [default: the sampler's own]",
        ),
        click.option(
            "--sampler",
            type=click.Choice(["auto", *DEFAULTS]),
            help="Solver of the reverse SDE: the paper's Algorithm 1; Euler-Maruyama in t (many steps only); the exact "
            "posterior; two of second order for few steps; and two of the ODE beside it, without noise. "
            "[default: auto, that of the quality]",
        ),
        click.option(
            "--grid",
            type=click.Choice(GRIDS),
            help="uniform: steps of equal length in t; karras: shorter ones at low noise. [default: the sampler's own]",
        ),
    )


def model_options(command: Command) -> Command:
    """Add the options that say which model is used, and where it runs."""
    return add_options(
        command,
        click.option(
            "--model",
            default=ModelOptions.source,
            show_default=True,
            help="Name of a model, checkpoint file, folder of diffusers, or hf:owner/name.",
        ),
        click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda, cuda:N or mps."),
        click.option(
            "--precision",
            type=click.Choice(["auto", "bf16", "fp16", "fp32"]),
            default="auto",
            show_default=True,
            help="Precision of the network's body; auto is bf16 where the device is fast at it.",
        ),
        click.option(
            "--compile",
            is_flag=True,
            help="Run the network with torch.compile instead of sdedit's own kernels: it compiles for minutes for each "
            "image size, and was slower on every machine measured so far; compare with `sdedit bench`.",
        ),
        weights_options,
    )


def weights_options(command: Command) -> Command:
    """Add the options that say which weights of a model are taken, and from where."""
    return add_options(
        command,
        click.option(
            "--raw-weights", is_flag=True, help="Use the weights as training left them, not their moving average (EMA)."
        ),
        click.option(
            "--sigma-max",
            type=Sigma(),
            help="Highest noise level of the model's schedule, for images in [0, 1]. [default: the model's own]",
        ),
        click.option("--offline", is_flag=True, help="Use only models that are already downloaded."),
    )


def take_sampling(options: dict[str, Any]) -> SamplingChoice:
    """Take the sampling options out of a command's options.

    Raises:
        click.UsageError: if they contradict each other.
    """
    names = ("quality", "sampler", "steps", "grid")
    chosen = SamplingChoice(**{name: options.pop(name) for name in names}, like=options.pop("like", None))
    try:
        chosen.check()
    except ValueError as error:
        raise click.UsageError(f"{error}.") from error
    return chosen


def take_model(options: dict[str, Any]) -> ModelOptions:
    """Take the model options out of a command's options, whose process may tune its allocator."""
    source = options.pop("model")
    names = [field.name for field in fields(ModelOptions) if field.name in options]
    return ModelOptions(source, **{name: options.pop(name) for name in names}, tune_allocator=True)
