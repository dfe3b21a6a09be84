"""A job as the command line gives it: one guide or many, once or each time they are saved."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Generator, Sequence
from pathlib import Path

from sdedit.errors import SdeditError
from sdedit.files import reason
from sdedit.jobs.folder import paint_folder
from sdedit.jobs.listing import read_list
from sdedit.jobs.options import PaintOptions
from sdedit.jobs.results import PaintedFile, Tally
from sdedit.jobs.single import paint_guide


def run_paint_job(
    guides: Sequence[str],
    list_file: str | None,
    output: str | None,
    options: PaintOptions,
    watch: bool,
    say: Callable[[str], object],
    quiet: bool,
) -> Generator[PaintedFile, None, None]:
    """Paint what is asked for; at the end, list what failed.

    Args:
        guides: files, folders, or one "-" for a picture on standard input.
        list_file: a file of more of them, "-" for standard input.
        output: where to; for several guides or a folder, a folder.
        options: how.
        watch: go on, and paint each guide again when it is saved.
        say: takes lines about what is done and what failed.
        quiet: tell only what failed.

    Raises:
        SdeditError: if anything given cannot be used, or the only guide cannot be painted.
        SomeFailedError: if some of many guides could not be painted.
    """
    tell, show = (None, False) if quiet else (say, True)
    if list_file is None and len(guides) == 1 and not os.path.isdir(guides[0]):  # noqa: PTH112
        if options.shard:
            raise SdeditError(f"{guides[0]} is one guide; --shard is for folders")
        if not watch:
            yield from paint_guide(guides[0], output, options, tell, show)
            return
        if guides[0] == "-" or output == "-":
            raise SdeditError("standard input and output cannot be watched; name files")
        from sdedit.jobs.watching import watch_guide

        yield from watch_guide(guides[0], output, options, tell, show)
        return
    if options.animate is not None:
        raise SdeditError("--animate shows a single guide; leave it out for several")
    if output is None or output == "-" or "-" in guides:
        named = "several guides" if len(guides) != 1 else f"the folder {guides[0]}"
        raise SdeditError(f"{named} cannot go through a pipe or beside the guides; name a folder with --output")
    lines = [] if list_file is None else read_list(_list_data(list_file))
    tally = Tally()
    if watch:
        if options.shard:
            raise SdeditError("one process watches a folder; leave out --shard")
        from sdedit.jobs.watching import watch_folder

        yield from watch_folder(guides, lines, Path(output), options, tell, show)
    for result in paint_folder(guides, lines, Path(output), options, tell, show):
        tally.add(result)
        yield result
    if tell:
        tell(tally.summary())
    tally.raise_for_failures(Path(output), say)


def _list_data(name: str) -> bytes:
    if name == "-":
        return sys.stdin.buffer.read()
    try:
        return Path(name).read_bytes()
    except OSError as error:
        raise SdeditError(f"cannot read the list {name}: {reason(error)}") from error
