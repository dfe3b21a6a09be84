"""Running a job from the command line, and what is printed: lines, facts, tables."""

from __future__ import annotations

import warnings
from collections.abc import Generator
from contextlib import closing
from typing import TYPE_CHECKING, Any

import click

from sdedit.cli.signals import ends_in_order
from sdedit.jobs.console import LOUD, QUIET, Console

if TYPE_CHECKING:
    from sdedit.jobs.tasks import PaintedFile


def console_for(quiet: bool) -> Console:
    """What a command prints while it works."""
    return QUIET if quiet else LOUD


def print_results(results: Generator[PaintedFile, None, None], as_json: bool, remedy: str) -> PaintedFile | None:
    """Run a job to its end, printing a line of JSON for each image if asked.

    Args:
        results: what became of each image.
        as_json: print them.
        remedy: how to go on after Ctrl-C.

    Returns:
        The last of them, if there is any.
    """
    result = None
    warnings.filterwarnings("ignore", module="PIL")  # of damaged files; what matters comes as an error
    with ends_in_order(remedy), closing(results):
        for result in results:
            if as_json:
                click.echo(result.to_json())
    return result


def print_facts(facts: dict[str, Any], as_json: bool) -> None:
    """One fact a line, or all in a line of JSON."""
    if as_json:
        print_json(facts)
        return
    width = max(len(name) for name in facts)
    for name, value in facts.items():
        click.echo(f"{name:{width}}  {_listed(value) if isinstance(value, dict) else value}")


def _listed(facts: dict[str, Any]) -> str:
    texts = {name: f"({_listed(value)})" if isinstance(value, dict) else value for name, value in facts.items()}
    return ", ".join(f"{name} {text}" for name, text in texts.items())


def print_table(rows: list[dict[str, Any]], as_json: bool) -> None:
    """One row a line under a line of headings, or a line of JSON each."""
    if as_json:
        for row in rows:
            print_json(row)
        return
    names = list(dict.fromkeys(name for row in rows for name in row))
    rows = [{name: row.get(name, "") for name in names} for row in rows]
    widths = {name: max(len(name), *(len(str(row[name])) for row in rows)) for name in names}
    for row in ({name: name for name in names}, *rows):
        click.echo("  ".join(f"{row[name]!s:{widths[name]}}" for name in names).rstrip())


def print_json(value: dict[str, Any]) -> None:
    import json

    click.echo(json.dumps(value))
