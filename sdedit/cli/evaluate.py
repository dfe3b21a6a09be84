"""`sdedit evaluate`: realism and faithfulness over t0, for a set of guides."""

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
from sdedit.cli.types import File, T0Range

_PLACE = File()


@click.command(short_help="Measure realism (KID) and faithfulness (L2) over t0.")
@click.argument("guides", type=_PLACE)
@click.argument("photos", type=_PLACE)
@click.option(
    "--t0",
    type=T0Range(),
    default="0.1:0.9:0.1",
    show_default=True,
    help="FROM:TO:STEP, both ends included, or values with commas between them.",
)
@click.option(
    "--features",
    type=click.Choice(["inception", "efficientnet-lite0"]),
    default="inception",
    show_default=True,
    help="What KID compares: Inception, as in the paper, downloaded at first use; or EfficientNet-Lite0, which needs "
    "no download. The values of the two cannot be compared.",
)
@click.option("--limit", metavar="N", type=click.IntRange(1), help="Use at most N guides, evenly spaced.")
@click.option("-o", "--output", default="evaluation.csv", show_default=True, help="Table to write, a .csv file.")
@click.option("--plot", is_flag=True, help="Also plot both over t0, as OUTPUT with .png.")
@sampling_options
@seed_option
@model_options
@overwrite_option
@quiet_option
def evaluate(quiet: bool, seed: int | None, **options: Any) -> None:
    """Paint the stroke paintings GUIDES at each t0, and compare them with photographs and with themselves.

    GUIDES and PHOTOS are folders or tar archives of at least 10 images each, better hundreds; `sdedit strokes` makes
    guides from photographs. KID says how far the paintings are from PHOTOS as a whole, with its standard error; "told
    apart" how many of a hundred a linear classifier puts on the right side, 50 where it cannot; L2 how far each is
    from its guide, on average. The table's first row, t0 = 0, is GUIDES as they are. Seeds count from
    SEED, 0 unless told otherwise. Prints the names of the files written. Exit code 3: some images could not be read,
    and the table is without them.
    """
    sampling, model = take_sampling(options), take_model(options)

    from sdedit.jobs.evaluate import EvaluateJob, run_evaluate_job

    job = EvaluateJob(model=model, sampling=sampling, **options, seed=seed or 0)
    for file in run_evaluate_job(job, console_for(quiet)):
        click.echo(file)
