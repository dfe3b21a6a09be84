"""`sdedit info`: what an image was made with, or what a model is."""

from __future__ import annotations

import click

from sdedit.cli.options import json_option, weights_options
from sdedit.cli.output import print_facts


@click.command(short_help="Print the recipe of an image, or what a model is.")
@click.argument("file")
@weights_options
@json_option
def info(file: str, raw_weights: bool, sigma_max: float | None, offline: bool, as_json: bool) -> None:
    """Print the recipe of FILE, a PNG, JPEG or WebP image written by sdedit; or of a model, by file or name, its
    architecture, schedule, weights, checksum, and what had to be assumed.
    """
    from sdedit.jobs.models import describe

    print_facts(describe(file, raw_weights=raw_weights, sigma_max=sigma_max, offline=offline), as_json)
