"""Running a job from the command line: signals, warnings, a line for each picture."""

from __future__ import annotations

import warnings
from collections.abc import Generator
from contextlib import closing
from typing import TYPE_CHECKING

import click

from sdedit.jobs.interrupts import ends_in_order

if TYPE_CHECKING:
    from sdedit.jobs.results import PaintedFile


def say(line: str) -> None:
    """Tell the user a line, on standard error."""
    click.echo(line, err=True)


def print_results(results: Generator[PaintedFile, None, None], as_json: bool, remedy: str) -> None:
    """Run a job to its end, printing a line of JSON for each picture if asked.

    Args:
        results: what became of each picture.
        as_json: print them.
        remedy: how to go on after Ctrl-C.
    """
    warnings.filterwarnings("ignore", module="PIL")  # of damaged files; what matters comes as an error
    with ends_in_order(remedy), closing(results):
        for result in results:
            if as_json:
                click.echo(result.to_json())
