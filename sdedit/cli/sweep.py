"""`sdedit sweep`: one guide at many t0."""

from __future__ import annotations

from typing import Any

import click

from sdedit.cli.options import (
    model_options,
    overwrite_option,
    quiet_option,
    sampling_options,
    seed_option,
    take_model,
    take_sampling,
)
from sdedit.cli.output import console_for
from sdedit.cli.types import Colour, Size, T0Range


@click.command(short_help="Paint a guide over a range of t0: a contact sheet and a table.")
@click.argument("guide")
@click.option(
    "--t0",
    type=T0Range(),
    default="0.2:0.8:0.1",
    show_default=True,
    help="FROM:TO:STEP, both ends included, or values with commas between them.",
)
@click.option("--seeds", type=click.IntRange(1, 1000), default=1, show_default=True, help="Paintings at each t0.")
@click.option(
    "-o", "--output", help="Contact sheet to write, a .png file; the table is beside it. Default: GUIDE-sweep.png."
)
@click.option("--plot", is_flag=True, help="Also plot faithfulness, L2 over t0, as OUTPUT-plot.png.")
@click.option("--size", type=Size(), help="As in sdedit paint. [default: the guide's own]")
@click.option("--background", type=Colour(), default="white", show_default=True, help="As in sdedit paint.")
@sampling_options
@seed_option
@model_options
@overwrite_option
@quiet_option
def sweep(quiet: bool, **options: Any) -> None:
    """Paint GUIDE at each t0, and show all paintings on a sheet with t0, sigma and the L2 distance to GUIDE.

    Prints the names of the files written. All t0 share the seeds, so that paintings in a row have the same noise.
    """
    sampling, model = take_sampling(options), take_model(options)

    from sdedit.jobs.sweep import SweepJob, run_sweep_job

    job = SweepJob(model=model, sampling=sampling, **options)
    for file in run_sweep_job(job, console_for(quiet)):
        click.echo(file)
