"""`sdedit info`: what a picture was made with, or what a checkpoint is."""

from __future__ import annotations

import click

from sdedit.cli.output import print_facts


@click.command(short_help="Print the recipe of a picture, or what a checkpoint is.")
@click.argument("file")
@click.option("--json", "as_json", is_flag=True, help="Print a line of JSON.")
def info(file: str, as_json: bool) -> None:
    """Print the recipe of FILE, a PNG picture painted by sdedit; or what FILE is, a checkpoint or a model's name."""
    from sdedit.jobs.models import describe

    print_facts(describe(file), as_json)
