"""`sdedit compare`: whether an edit left alone what its mask keeps."""

from __future__ import annotations

from pathlib import Path

import click

from sdedit.cli.options import json_option, quiet_option
from sdedit.cli.output import console_for, print_facts
from sdedit.cli.types import File

_FILE = File()


@click.command(short_help="Measure what an edit changed outside its mask.")
@click.argument("edited", type=_FILE)
@click.argument("before", type=_FILE)
@click.option(
    "--mask", type=_FILE, required=True, help="What may have changed: WHITE MAY, black is compared. Of their size."
)
@quiet_option
@json_option
def compare(edited: Path, before: Path, mask: Path, quiet: bool, as_json: bool) -> None:
    """Compare EDITED with the image BEFORE the edit where the mask is black.

    Prints how many pixels had to be kept and how many of them changed, their L2 and RMSE with values in [0, 1], and
    LPIPS.
    """
    from sdedit.jobs.compare import compare_outside

    print_facts(compare_outside(edited, before, mask, console_for(quiet)), as_json)
