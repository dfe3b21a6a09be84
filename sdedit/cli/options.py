"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from typing import Any

import click

from sdedit.cli.types import Sigma
from sdedit.diffusion.samplers import DEFAULT, DEFAULTS, GRIDS, PRESETS, SamplingChoice
from sdedit.jobs.options import ModelOptions


def sampling_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that say how the reverse SDE is solved."""
    return _add(
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
            help="Network evaluations, at every t0; more is finer and slower. [default: the sampler's own]",
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
            help="Steps of equal length in t, or shorter ones at low noise. [default: the sampler's own]",
        ),
    )


OFFICIAL = "sdedit"
OFFICIAL_REPEATS = 3


def like_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add --like."""
    return click.option(
        "--like",
        type=click.Choice([OFFICIAL]),
        help="All settings not given otherwise as in the official code, for a variance-preserving model: the sampler "
        "ancestral on the levels of the training below t0, one by one, and 3 repeats.",
    )(command)


def settle_like(options: dict[str, Any], context: click.Context, t0: float) -> None:
    """Put the official t0 and repeats in the place of what was not given, if --like asks for it."""
    if options["like"] is None:
        return
    if context.get_parameter_source("repeats") == click.core.ParameterSource.DEFAULT:
        options["repeats"] = OFFICIAL_REPEATS
    if options["t0"] is None and options["sigma"] is None:
        options["t0"] = t0


def take_sampling(options: dict[str, Any]) -> SamplingChoice:
    """Take the sampling options out of a command's options.

    Raises:
        click.UsageError: if they contradict each other.
    """
    quality, sampler, steps, grid = (options.pop(name) for name in ("quality", "sampler", "steps", "grid"))
    choice = SamplingChoice(quality, sampler, steps, grid, options.pop("like", None))
    try:
        choice.check()
        return choice
    except ValueError as error:
        raise click.UsageError(f"{error}.") from error


def take_model(options: dict[str, Any]) -> ModelOptions:
    """Take the model options out of a command's options."""
    source = options.pop("model")
    names = [field.name for field in fields(ModelOptions) if field.name in options]
    return ModelOptions(source, **{name: options.pop(name) for name in names})


def seed_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add --seed."""
    return click.option(
        "--seed", type=click.IntRange(0, 2**63 - 10_001), help="Seed of the noise. [default: random; printed]"
    )(command)


def model_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that say which model is used, and where it runs."""
    return _add(
        command,
        click.option(
            "--model", default=ModelOptions.source, show_default=True, help="Name of a model, or a checkpoint file."
        ),
        click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda, cuda:N or mps."),
        click.option(
            "--precision",
            type=click.Choice(["auto", "bf16", "fp16", "fp32"]),
            default="auto",
            show_default=True,
            help="Of the network's body; auto takes bf16 where the device is fast at it.",
        ),
        click.option(
            "--compile",
            is_flag=True,
            help="Run the network by torch.compile instead of sdedit's own kernels: minutes at the start for each size "
            "of picture, and slower on the machines measured so far. `sdedit bench` tells, with it and without.",
        ),
        weights_options,
    )


def animation_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options of an animation."""
    return _add(
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


def _add(command: Callable[..., Any], *options: Callable[..., Any]) -> Callable[..., Any]:
    for option in reversed(options):  # so that --help lists them in this order
        command = option(command)
    return command


def weights_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that say which weights of a model are taken, and from where."""
    return _add(
        command,
        click.option(
            "--raw-weights", is_flag=True, help="The network as its training left it, not its moving average."
        ),
        click.option(
            "--sigma-max",
            type=Sigma(),
            help="Highest noise level of the model's schedule, for pictures in [0, 1]. [default: the model's own]",
        ),
        click.option("--offline", is_flag=True, help="Use only models that have been downloaded before."),
    )
