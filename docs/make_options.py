"""Write docs/options.md from the help of every command: ``python docs/make_options.py``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click

from sdedit.cli import commands

PAGE = Path(__file__).parent / "options.md"
HEAD = """# Options

<!-- Written by docs/make_options.py from the commands' own help. -->

Every command and its options, as `sdedit COMMAND --help` prints them.
"""


def options_page() -> str:
    """The page, as Markdown."""
    chapters = list(_chapters(click.Context(commands, info_name="sdedit", **commands.context_settings)))
    contents = "\n".join(f"- [{name}](#{name.replace(' ', '-')})" for name, _ in chapters)
    return "\n".join([HEAD, contents + "\n", *(f"## {name}\n\n{text}" for name, text in chapters)])


def _chapters(context: click.Context) -> Iterator[tuple[str, str]]:
    """The name and the text of a command and of those below it."""
    command, name = context.command, context.command_path
    usage = " ".join([name, *command.collect_usage_pieces(context)])
    options = [record for parameter in command.get_params(context) if (record := parameter.get_help_record(context))]
    lines = [f"- `{names}`: {_escaped(help_text)}" for names, help_text in options]
    paragraphs = [" ".join(paragraph.split()) for paragraph in (command.help or "").split("\n\n")]
    yield name, "\n\n".join([f"    {usage}", *map(_escaped, paragraphs), "\n".join(lines)]) + "\n"
    if isinstance(command, click.Group):
        for below in command.list_commands(context):
            child = command.get_command(context, below)
            assert child is not None
            yield from _chapters(click.Context(child, info_name=below, parent=context))


def _escaped(text: str) -> str:
    """Text without emphasis: a star in a pattern is a star."""
    return text.replace("*", r"\*")


if __name__ == "__main__":
    PAGE.write_text(options_page(), encoding="utf-8")
