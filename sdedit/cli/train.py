"""`sdedit train`: make a model of one's own photographs."""

from __future__ import annotations

from pathlib import Path

import click

from sdedit.cli.options import quiet_option
from sdedit.cli.output import console_for
from sdedit.cli.types import DataSet, File

_FILE = File()


@click.command(short_help="Train a model on photographs.")
@click.argument("config", type=_FILE)
@click.option(
    "--data",
    type=DataSet(),
    required=True,
    multiple=True,
    metavar="[NAME=]PATH",
    help="Folder or tar archive of photographs to learn from; can be given several times. A recipe may take some "
    "batches from those of one name alone.",
)
@click.option(
    "--validation",
    type=_FILE,
    help="Folder or tar archive of photographs that are only measured on. [default: every 20th of the first data, held "
    "out]",
)
@click.option(
    "-o",
    "--output",
    type=_FILE,
    required=True,
    help="Folder of the run: model.safetensors, log.csv, preview sheets, and state.pt to resume from.",
)
@click.option("--resume", is_flag=True, help="Go on with the run in the output folder.")
@click.option("--start", metavar="MODEL", help="Begin with the weights of this model, by file or name.")
@click.option(
    "--weak",
    metavar="MODEL",
    help="A weaker model than --start, such as an earlier state of its run, which the network learns to be guided away "
    "from, by the weight in [guidance]. All models are named again with --resume.",
)
@click.option(
    "--strong", metavar="MODEL", help="The model that --weak is weaker than, where it is not the one of --start."
)
@click.option(
    "--painted",
    type=_FILE,
    help="Folder or tar archive of what --start painted from strokes of the photographs, by the same names: the "
    "network learns to be guided away from it and towards the photographs, by the weight in [guidance].",
)
@click.option(
    "--guides",
    type=_FILE,
    help="Folder or tar archive of strokes of the photographs, by the same names: what sampling begins with, for a "
    "recipe that trains a finisher.",
)
@click.option(
    "--minutes",
    type=click.FloatRange(0, min_open=True),
    help="Minutes of training in all, instead of the recipe's budget.",
)
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda, cuda:N or mps.")
@quiet_option
def train(
    config: Path,
    data: tuple[tuple[str, Path], ...],
    validation: Path | None,
    output: Path,
    resume: bool,
    start: str | None,
    strong: str | None,
    weak: str | None,
    painted: Path | None,
    guides: Path | None,
    minutes: float | None,
    device: str,
    quiet: bool,
) -> None:
    """Train a model by the recipe CONFIG, a TOML file such as configs/landscapes-128/1-base.toml.

    A run can be ended at any time with Ctrl-C or a kill, and goes on with --resume. Several GPUs share every batch of a
    run that torchrun starts: torchrun --nproc-per-node 8 --no-python -- sdedit train ...
    """
    from sdedit.jobs.train import run_training

    run_training(
        config,
        data,
        validation,
        output,
        device,
        resume,
        start,
        strong,
        weak,
        painted,
        guides,
        minutes,
        console_for(quiet),
    )
