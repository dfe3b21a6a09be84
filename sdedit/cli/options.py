"""Options that several commands share, and the dataclasses they are taken into."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from typing import Any

import click
from click.core import ParameterSource

from sdedit.cli.config_file import drop_overruled, read_config
from sdedit.cli.types import File, Shard, Sigma
from sdedit.diffusion.samplers import DEFAULT, DEFAULTS, GRIDS, PRESETS, SamplingChoice
from sdedit.jobs.options import FORMATS, MOST_SEED, AnimationOptions, LayerOptions, ModelOptions, PaintOptions

Command = Callable[..., Any]

overwrite_option = click.option("--overwrite", is_flag=True, help="Replace output that exists.")
quiet_option = click.option("--quiet", is_flag=True, help="Say nothing but errors.")
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, a line each.")
sigma_option = click.option(
    "--sigma", type=Sigma(), help="The same as a noise level, for images in [0, 1]; instead of --t0."
)
seed_option = click.option(
    "--seed",
    type=click.IntRange(0, MOST_SEED),
    help="Seed of the noise; in a folder each image derives its own from it and its path. [default: random; printed]",
)


def sampling_options(command: Callable[..., Any]) -> Callable[..., Any]:
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


like_option = click.option(
    "--like",
    type=click.Choice(["sdedit"]),
    help="All settings not given otherwise as in the official code, for a variance-preserving model: the sampler "
    "ancestral on the levels of the training below t0, one by one, and 3 repeats.",
)
_OFFICIAL_T0 = {"paint": 0.5, "edit": 0.5, "composite": 0.4}
_OFFICIAL_REPEATS = 3


def repeat_options(command: Command) -> Command:
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


def folder_options(command: Command) -> Command:
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


def config_options(command: Command) -> Command:
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


def model_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that say which model is used, and where it runs."""
    return add_options(
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


def take_layers(task: str, options: dict[str, Any]) -> LayerOptions:
    """Take the options of what is laid over images out of a command's options."""
    names = [field.name for field in fields(LayerOptions) if field.name in options]
    return LayerOptions(task, **{name: options.pop(name) for name in names})


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


def _take_animation(options: dict[str, Any]) -> AnimationOptions | None:
    file, every, state = (options.pop(name) for name in ("animate", "animate_every", "animate_state"))
    return None if file is None else AnimationOptions(file, every, state)


def check_output(output: str | None, images: tuple[str, ...], variants: int, as_json: bool) -> str | None:
    """The output, which is standard output if the one image comes from standard input.

    Raises:
        click.UsageError: if more than an image would go there.
    """
    output = "-" if output is None and images == ("-",) else output
    if output == "-" and (variants > 1 or as_json):
        raise click.UsageError("standard output takes one image; name a file with --output.")
    return output


def add_options(command: Callable[..., Any], *options: Callable[..., Any]) -> Callable[..., Any]:
    for option in reversed(options):  # so that --help lists them in this order
        command = option(command)
    return command


def weights_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that say which weights of a model are taken, and from where."""
    return add_options(
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
