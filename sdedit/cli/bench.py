"""`sdedit bench`: how fast a model is on this machine."""

from __future__ import annotations

from typing import Any

import click

from sdedit.cli.options import model_options, take_model
from sdedit.cli.output import print_table, say


@click.command(short_help="Measure how fast a model is on this machine.")
@click.option("--size", type=click.IntRange(8, 4096), help="Height and width in pixels. [default: the model's own]")
@click.option("--batch", type=click.IntRange(1, 1024), default=1, show_default=True, help="Pictures in an evaluation.")
@click.option(
    "--repeats", type=click.IntRange(1, 1000), default=5, show_default=True, help="Evaluations to take the median of."
)
@click.option("--diffusers", is_flag=True, help="Compare with diffusers' UNet2DModel on the same weights, interleaved.")
@model_options
@click.option("--json", "as_json", is_flag=True, help="Print a line of JSON for each contestant.")
def bench(size: int | None, batch: int, repeats: int, diffusers: bool, as_json: bool, **options: Any) -> None:
    """Time evaluations of a model's network: seconds, pictures a minute at the default steps, memory, and the share
    of what 3 x 3 convolutions reach on this machine. Let nothing else run meanwhile.
    """
    from sdedit.jobs.bench import benchmark, warnings

    model = take_model(options).load(show_progress=True)
    for line in warnings(model.device):
        say(line)
    print_table(benchmark(model, size, batch, repeats, diffusers), as_json)
