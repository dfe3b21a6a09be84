"""Painting again each time a guide is saved: a painter beside an open drawing program."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import suppress
from itertools import chain
from pathlib import Path

from sdedit.errors import SdeditError
from sdedit.io.files import exists
from sdedit.jobs.batch.batches import Window, make_batches
from sdedit.jobs.batch.engine import Engine, load_engine
from sdedit.jobs.batch.folder import BATCH, paint_listing, prepare_folder
from sdedit.jobs.batch.ledger import Ledger
from sdedit.jobs.batch.listing import Listing, list_guides
from sdedit.jobs.batch.lists import read_list
from sdedit.jobs.batch.ranks import Rank
from sdedit.jobs.batch.resume import Resume
from sdedit.jobs.console import Console
from sdedit.jobs.guides import Guide
from sdedit.jobs.options import PaintOptions, draw_seed
from sdedit.jobs.targets import is_one_guide, output_files, output_folder
from sdedit.jobs.tasks import PaintedFile, Task

_QUIET = 0.25  # seconds a file has to stay as it is before it is read
_PATIENCE = 3.0  # seconds a file that is no whole image is waited for
_POLL = 200  # milliseconds


def run_watch_job(
    guides: Sequence[str], list_file: str | None, output: str | None, options: PaintOptions, console: Console
) -> Generator[PaintedFile, None, None]:
    """Paint what is asked for, and each guide again when it is saved. Never ends by itself.

    Arguments are those of `sdedit.jobs.paint.run_paint_job`.

    Raises:
        SdeditError: if anything given cannot be used or watched.
    """
    if is_one_guide(guides, list_file, options):
        if guides[0] == "-" or output == "-":
            raise SdeditError("standard input and output cannot be watched; name files")
        yield from watch_guide(guides[0], output, options, console)
        return
    folder = output_folder(guides, output, options)
    lines = read_list(list_file)
    if options.shard:
        raise SdeditError("one process watches a folder; leave out --shard")
    yield from watch_folder(guides, lines, folder, options, console)


def watch_guide(guide: str, output: str | None, options: PaintOptions, console: Console) -> Iterator[PaintedFile]:
    """Paint a guide now, and again each time it is saved, over its image; the seed stays the same.

    Never ends by itself. Arguments are those of `sdedit.jobs.paint.paint_guide`.

    Raises:
        SdeditError: if anything given cannot be used; a guide that is no whole image is only told of.
    """
    options.check()
    if isinstance(options.t0, tuple):
        raise SdeditError("t0 auto is found for one painting of one guide; give a number to go on with --watch")
    if options.animation is not None:
        raise SdeditError("--animate shows one painting; leave it out, or leave out --watch")
    files = output_files(guide, output, options)
    seed = draw_seed() if options.seed is None else options.seed
    tasks = [Task(guide, file, seed + variant) for variant, file in enumerate(files)]
    changes = _changes([str(Path(guide).resolve().parent)])
    engine = load_engine(options, console)
    console.log(f"{engine.model.name}: painting {guide} each time it is saved, seed {seed}; Ctrl-C ends it")
    painter = _Repainter(engine, options, None, console)
    yield from painter.paint(tasks)
    for changed in changes:
        if os.path.realpath(guide) in changed:
            yield from painter.paint(tasks)


def watch_folder(
    inputs: Sequence[str | Path], lines: Sequence[str], output: Path, options: PaintOptions, console: Console
) -> Iterator[PaintedFile]:
    """Paint a folder, and then each guide that is saved in it. Never ends by itself.

    Arguments are those of `sdedit.jobs.batch.folder.paint_folder`; there is only one process.

    Raises:
        SdeditError: as there.
    """
    options.check()

    def listed() -> Listing:
        return list_guides(
            inputs, lines, output, options.variants, options.include, options.exclude, f".{options.file_format}"
        )

    listing = listed()
    ledger = prepare_folder(output, options.no_recipe)
    folder_seed = ledger.claim_seed() if options.seed is None else options.seed
    places = {os.path.realpath(one if os.path.isdir(one) else Path(one).parent) for one in [*inputs, *lines]}  # noqa: PTH112
    changes = _changes(sorted(places))
    engine = load_engine(options, console)
    for result in paint_listing(engine, listing, ledger, folder_seed, options, Rank(), console):
        if result.reason:
            console.log(f"kept {result.output}: {result.reason}")
        yield result
    resume = Resume(options, engine.settings, engine.model, engine.reader.layers)
    painter = _Repainter(engine, options, ledger, console, resume.kept)
    for changed in changes:
        with suppress(SdeditError):  # all guides are gone; others may come
            listing = listed()
        for number, source in enumerate(listing.guides):
            if os.path.realpath(source.path) in changed:
                start = number * options.variants
                yield from painter.paint(listing.tasks(start, start + options.variants, folder_seed))


class _Repainter:
    """Paints what has changed since it painted it last; what `kept` gives a result for stays as it is."""

    def __init__(
        self,
        engine: Engine,
        options: PaintOptions,
        ledger: Ledger | None,
        console: Console,
        kept: Callable[[Task], PaintedFile | None] = lambda task: None,
    ) -> None:
        self._engine = engine
        self._batch = options.batch or (1 if ledger is None else BATCH)
        self._ledger = ledger
        self._console = console
        self._kept = kept
        self._painted: dict[str, str] = {}  # guide: checksum

    def paint(self, tasks: list[Task]) -> Iterator[PaintedFile]:
        """Paint the variants of one guide, once its file is whole."""
        path = tasks[0].path
        try:
            guide = _wait_until_saved(tasks[0], self._engine.read)
        except SdeditError as error:
            if exists(Path(path)):
                self._console.log(f"left out: {error}")
                yield PaintedFile.failure(tasks[0], str(error))
            return
        if self._painted.get(path) == guide.checksum:
            return
        kept = {task: result for task in tasks if (result := self._kept(task)) is not None}
        for result in kept.values():
            self._console.log(f"kept {result.output}: {result.error or result.reason or 'it is there'}")
            yield result
        entries = [(task, guide) for task in tasks if task not in kept]
        batches = make_batches(entries, set(tasks) - kept.keys(), self._engine.model.size_multiple, self._batch)
        for result in self._engine.paint([Window(batches)], self._ledger, self._console):
            self._console.log(f"{result.status} {result.output}")
            yield result
        self._painted[path] = guide.checksum


def _wait_until_saved(task: Task, read: Callable[[Task], Guide]) -> Guide:
    """A guide whose file has stopped changing and is a whole image.

    Raises:
        SdeditError: if it still is none a while after its last change.
    """
    quiet = 0.0
    before = _signature(task.path)
    while True:
        time.sleep(_QUIET)
        now = _signature(task.path)
        quiet = quiet + _QUIET if now == before else 0.0
        before = now
        if quiet == 0.0:
            continue
        try:
            return read(task)
        except SdeditError:
            if quiet >= _PATIENCE:
                raise


def _signature(path: str) -> tuple[int, int] | None:
    try:
        state = Path(path).stat()
    except OSError:
        return None
    return state.st_size, state.st_mtime_ns


def _changes(folders: Sequence[str]) -> Iterator[set[str]]:
    """Sets of files that have changed in folders and below them, from now on.

    Raises:
        SdeditError: if the library that watches is missing, or the folders cannot be watched.
    """
    try:
        from watchfiles import watch
    except ImportError as error:
        raise SdeditError(
            "watching needs the library watchfiles; install it with pip install 'sdedit[watch]'"
        ) from error
    try:
        events = watch(*folders, watch_filter=None, rust_timeout=_POLL, yield_on_timeout=True)
        first = next(events)  # it watches from here on
    except (OSError, RuntimeError) as error:
        raise SdeditError(f"cannot watch {', '.join(folders)}: {error}") from error

    def files() -> Iterator[set[str]]:
        for event in chain([first], events):
            if event:
                yield {os.path.realpath(path) for _, path in event}

    return files()
