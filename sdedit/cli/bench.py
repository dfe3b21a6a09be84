"""`sdedit bench`: how fast a model is on this machine."""

from __future__ import annotations

from typing import Any

import click

from sdedit.cli.options import json_option, model_options, take_model
from sdedit.cli.output import print_table
from sdedit.jobs.console import LOUD


@click.command(short_help="Measure how fast a model is on this machine.")
@click.option("--size", type=click.IntRange(8, 4096), help="Height and width in pixels. [default: the model's own]")
@click.option("--batch", type=click.IntRange(1, 1024), default=1, show_default=True, help="Images in an evaluation.")
@click.option(
    "--repeats", type=click.IntRange(1, 1000), default=5, show_default=True, help="Evaluations to take the median of."
)
@click.option("--diffusers", is_flag=True, help="Compare with diffusers' UNet2DModel on the same weights, interleaved.")
@model_options
@json_option
def bench(size: int | None, batch: int, repeats: int, diffusers: bool, as_json: bool, **options: Any) -> None:
    """Time evaluations of a model's network: seconds, pictures a minute at the default steps, memory, and the share
    of what 3 x 3 convolutions reach on this machine. Let nothing else run meanwhile.
    """
    from sdedit.jobs.bench import benchmark, warnings

    model = take_model(options).load(show_progress=True)
    for line in warnings(model.device):
        LOUD.log(line)
    print_table(benchmark(model, size, batch, repeats, diffusers), as_json)
