"""The command line: parse, call one library function, print. Nothing heavy is imported before arguments are parsed."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from contextlib import suppress

import click

from sdedit.cli.bench import bench
from sdedit.cli.compare import compare
from sdedit.cli.edit import composite, edit
from sdedit.cli.evaluate import evaluate
from sdedit.cli.info import info
from sdedit.cli.models import models
from sdedit.cli.paint import paint
from sdedit.cli.rebuild import rebuild
from sdedit.cli.replay import replay
from sdedit.cli.streams import open_standard_streams, settle_stdout
from sdedit.cli.strokes import strokes
from sdedit.cli.studio import studio
from sdedit.cli.sweep import sweep
from sdedit.cli.threads import wait_without_spinning
from sdedit.cli.train import train
from sdedit.errors import InterruptedWorkError, SdeditError, is_out_of_memory


class Commands(click.Group):
    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            raise InterruptedWorkError("interrupted; nothing half-written is left", 130) from None


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="sdedit", message="%(prog)s %(version)s")
def commands() -> None:
    """Turn rough colour strokes into realistic images."""


for _command in (
    paint,
    edit,
    composite,
    studio,
    sweep,
    evaluate,
    compare,
    strokes,
    replay,
    info,
    rebuild,
    models,
    train,
    bench,
):
    commands.add_command(_command)


def main() -> None:
    """Run the command line; every failure ends in one sentence on standard error and an exit code above 0."""
    open_standard_streams()
    wait_without_spinning(os.environ)
    try:
        code = commands.main(prog_name="sdedit", standalone_mode=False)
    except SdeditError as error:
        code = _fail(str(error), error.code)
    except click.ClickException as error:
        code = _fail(error.format_message(), error.exit_code)
    except BrokenPipeError:
        code = 1  # the reader of a pipe went away
    except OSError as error:
        named = f"{error.filename}: " if error.filename else ""
        code = _fail(f"cannot go on: {named}{(error.strerror or str(error)).lower()}", 1)
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        code = _fail(f"there is not enough memory; {_more_room(sys.argv[1:])}", 1)
    settled = settle_stdout()
    sys.exit(code or settled)


def _more_room(words: Sequence[str]) -> str:
    """What helps a command that has run out of memory."""
    command = words[0] if words else ""
    if command == "train":
        return "use smaller batches in the recipe"
    sized = command in commands.commands and any(
        "--size" in option.opts for option in commands.commands[command].params
    )
    return "use a smaller --size" if sized else "end other programs, or take a machine that has more"


def _fail(sentence: str, code: int) -> int:
    with suppress(OSError):  # of a full disk behind standard error: the exit code still says it
        click.echo("sdedit: " + " ".join(sentence.split()), err=True)
    return code
