"""`sdedit bench`: how fast a model is on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from sdedit.cli.options import json_option, model_options, take_model
from sdedit.cli.output import print_table
from sdedit.cli.types import File
from sdedit.jobs.console import LOUD


@click.command(short_help="Measure how fast a model is on this machine.")
@click.option("--size", type=click.IntRange(8, 4096), help="Height and width in pixels. [default: the model's own]")
@click.option(
    "--batch",
    type=click.IntRange(1, 8192),
    help="Images in an evaluation or a batch. [default: 1; with --train the recipe's, or 48]",
)
@click.option(
    "--repeats", type=click.IntRange(1, 1000), default=5, show_default=True, help="Evaluations to take the median of."
)
@click.option("--diffusers", is_flag=True, help="Compare with diffusers' UNet2DModel on the same weights, interleaved.")
@click.option(
    "--train",
    is_flag=True,
    help="Time batches of training instead, beside the plain loop of diffusers' training script on a network like it.",
)
@click.option(
    "--config",
    type=File(),
    help="With --train: the recipe whose batches are timed. [default: whole scenes, for the model's network]",
)
@model_options
@json_option
def bench(
    size: int | None,
    batch: int | None,
    repeats: int,
    diffusers: bool,
    train: bool,
    config: Path | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Time a model's network: seconds for an evaluation, images per minute at the default steps, memory, and the
    fraction of the speed that 3 x 3 convolutions reach on this machine. Run nothing else meanwhile.
    """
    if (config is not None and not train) or (diffusers and train):
        raise click.UsageError("--config needs --train, and --diffusers cannot be combined with it.")
    if train:
        from sdedit.jobs.bench_training import bench_training

        print_table(bench_training(config, take_model(options), size, batch, repeats, LOUD.log), as_json)
        return
    from sdedit.jobs.bench import benchmark, warnings
    from sdedit.jobs.settings import tell_notes

    model = take_model(options).load(show_progress=True)
    tell_notes(model, LOUD)
    for line in warnings(model.device):
        LOUD.log(line)
    print_table(benchmark(model, size, batch or 1, repeats, diffusers), as_json)
