"""The options that paint, edit and composite share: those of all jobs that make images."""

from __future__ import annotations

import click

from sdedit.cli.config_file import read_config
from sdedit.cli.options import (
    Command,
    add_options,
    json_option,
    model_options,
    quiet_option,
    sampling_options,
    seed_option,
)
from sdedit.cli.types import File, Shard
from sdedit.jobs.options import FORMATS


def painting_options(command: Command) -> Command:
    """Add the options that all jobs have that make images."""
    return add_options(
        command,
        sampling_options,
        click.option(
            "--like",
            type=click.Choice(["sdedit"]),
            help="Take all settings that are not given from the official code, for a variance-preserving model: the "
            "sampler ancestral on every training level below t0, and 3 repeats.",
        ),
        _repeat_options,
        model_options,
        _animation_options,
        _folder_options,
        _config_options,
        quiet_option,
        json_option,
    )


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
            help="Images of one shape in each network evaluation. [default: 8 for folders of guides, else 1]",
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
            help="File that lists more inputs, one per line (or separated by zero bytes); - for standard input. "
            "Relative paths keep their folders in the output.",
        ),
        click.option(
            "--include",
            metavar="PATTERN",
            multiple=True,
            help="Take only names in a folder that match, such as '*.png' or 'night/*'; may be repeated.",
        ),
        click.option("--exclude", metavar="PATTERN", multiple=True, help="Leave out names in a folder that match."),
        click.option(
            "--format",
            "file_format",
            type=click.Choice(FORMATS),
            default=FORMATS[0],
            show_default=True,
            help="Format of the images in a folder, which carry their recipes. A single image's follows from its name.",
        ),
        click.option(
            "--jpeg-quality",
            type=click.IntRange(1, 100),
            default=95,
            show_default=True,
            help="Quality of JPEG files and of lossy WebP files.",
        ),
        click.option(
            "--overwrite", is_flag=True, help="Replace output that exists; in a folder, make everything again."
        ),
        click.option("--skip-existing", is_flag=True, help="Keep output that exists, whatever it was made with."),
        click.option(
            "--no-recipe",
            is_flag=True,
            help="Write no recipe: neither the images nor the ledger of the folder name the guide or the model. The "
            "same command then cannot know what is done, and replay cannot repeat it.",
        ),
        click.option(
            "--shard",
            metavar="I/N",
            type=Shard(),
            help="Make the I-th of N shares of a folder; I counts from 0 or 1. Not needed under torchrun or srun.",
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
            help="Write the options given to such a file; then paint, if there is anything to paint.",
        ),
    )


def _animation_options(command: Command) -> Command:
    """Add the options of an animation."""
    return add_options(
        command,
        click.option(
            "--animate",
            metavar="FILE",
            help="Also write an animation (.gif, .webp or .apng) of the guide dissolving into noise and coming back, "
            "for the first variant.",
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
