"""`sdedit bench`: how fast a model is on this machine."""

from __future__ import annotations

from typing import Any

import click

from sdedit.cli.options import model_options, take_model
from sdedit.cli.output import print_table


@click.command(short_help="Measure how fast a model is on this machine.")
@click.option("--size", type=click.IntRange(8, 4096), help="Height and width in pixels. [default: the model's own]")
@click.option("--batch", type=click.IntRange(1, 1024), default=1, show_default=True, help="Pictures in an evaluation.")
@click.option("--repeats", type=click.IntRange(1, 1000), default=5, show_default=True, help="Medians are of so many.")
@click.option("--diffusers", is_flag=True, help="Compare with diffusers' UNet2DModel on the same weights, interleaved.")
@model_options
@click.option("--json", "as_json", is_flag=True, help="Print a line of JSON for each contestant.")
def bench(size: int | None, batch: int, repeats: int, diffusers: bool, as_json: bool, **options: Any) -> None:
    """Time evaluations of a model's network: seconds, pictures a minute at the default steps, memory, and the share
    of what 3 x 3 convolutions reach on this machine. Let nothing else run meanwhile.
    """
    from sdedit.diffusion.kernels import build, triton_ops
    from sdedit.jobs.bench import benchmark

    model = take_model(options).load(show_progress=True)
    if model.device.type == "cpu" and not build.is_available():
        click.echo("there is no C compiler (gcc) here: the network runs as steps of torch, which is slower", err=True)
    if model.device.type == "cuda" and not triton_ops.works(model.device):
        click.echo("Triton makes no kernels for this GPU: the network runs as torch's steps, which is slower", err=True)
    print_table(benchmark(model, size, batch, repeats, diffusers), as_json)
