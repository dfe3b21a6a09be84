"""`sdedit rebuild`: the ledger of a folder from its images."""

from __future__ import annotations

from pathlib import Path

import click

from sdedit.cli.types import File
from sdedit.jobs.console import counted


@click.command(short_help="Rebuild the ledger of a folder from its images.")
@click.argument("folder", type=File())
@click.option("--quiet", is_flag=True, help="Say nothing but errors.")
def rebuild(folder: Path, quiet: bool) -> None:
    """Write FOLDER/sdedit.jsonl anew from the recipes in the images of FOLDER and below it."""
    from sdedit.jobs.batch.ledger import rebuild_ledger

    count = rebuild_ledger(folder)
    if not quiet:
        click.echo(f"{counted(count, 'image')} recorded", err=True)
